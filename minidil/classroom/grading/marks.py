"""What one exercise of one submission got, and what is said about it."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from minidil.classroom.exercise import Exercise
from minidil.classroom.report import Block, Say, as_html, as_text
from minidil.classroom.show import case_blocks

CHECK_STOPPED = "check stopped"  # the kind of a mark that is the grader's fault, or that of who confuses it


@dataclass(frozen=True)
class Mark:
    """What one exercise got. kind: that of the check's result, or "missing", "raised", "late", "died", "not run",
        or CHECK_STOPPED.

    message: plain text; html: the same as the check draws it, safe to show. calls: functions of minidil that were called.
    """

    exercise: str
    points: int
    out_of: int
    kind: str
    message: str
    html: str = ""
    calls: tuple[str, ...] = ()

    @property
    def passed(self) -> bool:
        """Whether there are points; they come in one piece."""
        return self.points > 0

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


def fails(exercise: Exercise, kind: str, *says: str, call: Mapping[str, Any] | None = None) -> Mark:
    """No points, and what is said about it; call: what the function was called with."""
    blocks: list[Block] = [Say(f"{exercise.name} {exercise.title}", "failed"), *map(Say, says)]
    if call:
        blocks += [Say("It was called with:"), *case_blocks(call)]
    return Mark(exercise.name, 0, exercise.points, kind, as_text(blocks), as_html(blocks))
