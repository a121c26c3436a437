"""A submitted notebook, whatever became of it: which cells to run, which exercise each of them answers, and what is left out.

A solution is found by the cell's grade_id and by the function that the exercise asks for; so a renamed cell, a lost grade_id, a
cell copied or moved does no harm. Cells with checks are never run: the grader brings its own.
"""

import json
import re
import warnings
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from minidil.classroom.exercise import Exercise
from minidil.errors import DataError

_LONGEST = 200_000  # characters of a cell in which functions are looked for
_CHECK = "_check"  # the end of a check's grade_id


@dataclass(frozen=True)
class Step:
    """A cell to run. answers: the names of the exercises whose function it makes, or is the place for."""

    source: str
    answers: tuple[str, ...] = ()


@dataclass(frozen=True)
class Plan:
    """The cells in order, and the exercises that belong to the notebook."""

    steps: tuple[Step, ...]
    exercises: tuple[Exercise, ...]

    def last(self, exercise: str) -> int | None:
        """The number of the last cell that answers it; None if none does."""
        return max((at for at, step in enumerate(self.steps) if exercise in step.answers), default=None)

    def source(self, exercise: str) -> str:
        """The cells that answer it, one after the other."""
        return "\n".join(step.source for step in self.steps if exercise in step.answers)


def cells(text: bytes) -> list[tuple[str, dict[str, Any]]]:
    """Source and nbgrader's metadata of every code cell, of any version of the format.

    Raises: DataError if it is no notebook.
    """
    import nbformat

    try:
        tree = json.loads(text.decode("utf-8-sig"))
        if not isinstance(tree, dict) or not ("cells" in tree or "worksheets" in tree):
            raise ValueError("a notebook is JSON with cells")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # cells without ids, and other things that older notebooks lack
            if tree.get("nbformat", 4) < 4:
                tree = nbformat.convert(nbformat.from_dict(tree), 4)  # type: ignore[no-untyped-call]
        found = [
            (_text(cell.get("source", "")), _nbgrader(cell)) for cell in tree["cells"] if cell["cell_type"] == "code"
        ]
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError, nbformat.ValidationError) as error:
        raise DataError(f"this is no notebook ({type(error).__name__}: {str(error)[:200]})") from None
    return found


def plan(found: Iterable[tuple[str, dict[str, Any]]], known: Iterable[Exercise]) -> Plan:
    """What to run. known: the exercises that there are.

    A notebook belongs to the chapters that its grade_ids name; one that has lost them all, to those whose functions it makes.
    """
    pairs, all_known = list(found), list(known)
    named = {_exercise_of(about) for _, about in pairs}
    chapters = {each.chapter for each in all_known if each.name in named}
    if not chapters:
        chapters = {each.chapter for each in all_known if any(makes(source, each.function) for source, _ in pairs)}
    own = tuple(each for each in all_known if each.chapter in chapters)
    steps = []
    for source, about in pairs:
        is_check = str(about.get("grade_id", "")).endswith(_CHECK) or (about.get("grade") and not about.get("solution"))
        made = [each.name for each in own if makes(source, each.function)]
        if is_check and not made:
            continue
        here = [] if is_check else [each.name for each in own if each.name == _exercise_of(about)]
        steps.append(Step(source, tuple(dict.fromkeys(here + made))))
    return Plan(tuple(steps), own)


def makes(source: str, name: str) -> bool:
    """Whether a cell, which need not be Python, has a line that gives something this name."""
    word = re.escape(name)
    return len(source) <= _LONGEST and bool(
        re.search(rf"^[ \t]*(async[ \t]+)?(def|class)[ \t]+{word}\b", source, re.M)
        or re.search(rf"^[ \t]*{word}[ \t]*(:[^=\n]*)?=(?!=)", source, re.M)
        or re.search(rf"\bimport\b.*\b(as[ \t]+)?{word}\b", source)
    )


def _exercise_of(about: dict[str, Any]) -> str:
    return str(about.get("grade_id", "")).removesuffix(_CHECK)


def _text(source: Any) -> str:
    return source if isinstance(source, str) else "".join(source)


def _nbgrader(cell: Any) -> dict[str, Any]:
    about = cell.get("metadata", {}).get("nbgrader", {})
    return dict(about) if isinstance(about, dict) else {}
