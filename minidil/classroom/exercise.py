"""What an exercise is: a function to write, how its cases are drawn, what is expected, and what students get wrong."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

from minidil.classroom.budget import Budget
from minidil.classroom.draw import Draw
from minidil.classroom.result import Result


@dataclass(frozen=True)
class Mistake:
    """One entry of the catalogue of typical mistakes.

    name: a few words. wrong: what a student who makes it would compute; called like the student's function, with a case.
    says: one or two sentences: what happened and where to look. Not the solution.
    """

    name: str
    wrong: Callable[..., Any]
    says: str


@dataclass(frozen=True)
class Exercise:
    """A function that a student writes to a stated signature.

    name: "ex03_2" is the second exercise of chapter 3. function: the name that the notebook asks for.
    cases: draws the arguments of one call, by name and in the order of the signature: small, and down to the edges.
        `draw.integer(1, 3)`, `draw.array(2, size)`, ... (see `Draw`).
    expected: the oracle; called with a case.
    returns: names of the parts, if the function returns several things: ("dx", "dw"). tolerance: relative to the largest entry.
    hints: three steps, each says more. minutes: that a student needs.
    forbidden: the library's own solution, as dotted names that a submission may not call.
    check: another kind of check than the comparison of drawn cases (None).
    """

    name: str
    title: str
    function: str
    signature: str
    cases: Callable[[Draw], dict[str, Any]]
    expected: Callable[..., Any]
    hints: tuple[str, str, str]
    mistakes: tuple[Mistake, ...]
    points: int = 2
    minutes: int = 15
    forbidden: tuple[str, ...] = ()
    returns: tuple[str, ...] = ()
    tolerance: float = 1e-9
    check: "Check | None" = None

    @property
    def chapter(self) -> str:
        """Its two digits: "03"."""
        return self.name[2:4]


Check: TypeAlias = Callable[[Exercise, Callable[..., Any], Budget], Result]
