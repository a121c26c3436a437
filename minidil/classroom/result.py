"""What came out of a check: whether it passed, and what to say about it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from minidil.classroom.report import Block, as_html, as_text
from minidil.errors import CheckFailed

_MOST_ENTRIES = 1_000  # of an array that go into a document


@dataclass(frozen=True)
class Result:
    """The outcome of one check. In a notebook it shows itself; `bool(result)` is whether it passed.

    kind: "passed", or what went wrong: "value", "shape", "type", "dtype", "nan", "exception", "timeout", "in place", "none",
        "call" (the function cannot be called so), "open" (not started), "slow", "hint" (only a hint was asked for), or
        what another kind of check calls it.
    case, expected, actual: of the smallest failure. mistake: the name of the mistake that was recognised.
    tried: how many cases were computed.
    """

    exercise: str
    passed: bool
    blocks: tuple[Block, ...]
    kind: str
    case: Mapping[str, Any] | None = None
    expected: Any = None
    actual: Any = None
    mistake: str | None = None
    tried: int = 0
    extra: Mapping[str, Any] = field(default_factory=dict)

    @property
    def message(self) -> str:
        """All of it as plain text."""
        return as_text(self.blocks)

    def must_pass(self) -> None:
        """For pytest and for graders. Raises: CheckFailed, with the message, if it did not pass."""
        if not self.passed:
            raise CheckFailed(f"{self.exercise}: {self.message}")

    def as_dict(self) -> dict[str, Any]:
        """What JSON can hold: arrays become lists, those of more than a thousand entries a word."""
        values = {"case": self.case, "expected": self.expected, "actual": self.actual}
        return {
            "exercise": self.exercise,
            "passed": self.passed,
            "kind": self.kind,
            "mistake": self.mistake,
            "tried": self.tried,
            "message": self.message,
            **{name: _plain(value) for name, value in values.items()},
            **{name: _plain(value) for name, value in self.extra.items()},
        }

    def __bool__(self) -> bool:
        return self.passed

    def __repr__(self) -> str:
        return self.message

    def _repr_html_(self) -> str:
        return as_html(self.blocks)


def _plain(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        if value.size > _MOST_ENTRIES or value.dtype.kind not in "biuf":
            return f"array {value.shape} {value.dtype}"
        return _plain(value.tolist())
    if isinstance(value, np.generic):
        return _plain(value.item())
    if isinstance(value, Mapping):
        return {str(key): _plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    if isinstance(value, float):
        return value if np.isfinite(value) else repr(value)
    return value if value is None or isinstance(value, bool | int | str) else f"<{type(value).__name__}>"
