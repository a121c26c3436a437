"""One student's result, put together: points for every exercise of the class, and what only the teacher is told."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from minidil.classroom.exercise import Exercise
from minidil.classroom.grading import copies
from minidil.classroom.grading.marks import CHECK_STOPPED, Mark


@dataclass(frozen=True)
class Report:
    """marks: one for each exercise. notes: for the student, too. flags: for the teacher alone; they cost no points."""

    name: str
    marks: tuple[Mark, ...]
    notes: tuple[str, ...]
    flags: tuple[str, ...]

    @property
    def points(self) -> int:
        """All of them."""
        return sum(each.points for each in self.marks)

    @property
    def out_of(self) -> int:
        """How many there are."""
        return sum(each.out_of for each in self.marks)


def reports(answers: Mapping[str, dict[str, Any]], asked: Sequence[Exercise], alike: float) -> list[Report]:
    """One for each student. asked: the exercises of the class. alike: the share from which two are named as near copies."""
    programs = {name: _program(answer.get("programs", {})) for name, answer in answers.items()}
    like: dict[str, list[str]] = {}
    for one, other, share in copies.pairs(programs, alike):
        like.setdefault(one, []).append(f"{other} ({share:.0%})")
        like.setdefault(other, []).append(f"{one} ({share:.0%})")
    return [_report(name, answer, asked, like.get(name, [])) for name, answer in answers.items()]


def chapters(answers: Iterable[dict[str, Any]]) -> dict[str, int]:
    """How many submissions have something of each chapter."""
    found: dict[str, int] = {}
    for answer in answers:
        for chapter in {mark["exercise"][2:4] for mark in answer.get("marks", [])}:
            found[chapter] = found.get(chapter, 0) + 1
    return dict(sorted(found.items()))


def _report(name: str, answer: dict[str, Any], asked: Sequence[Exercise], like: list[str]) -> Report:
    known = {each["exercise"]: Mark(**{**each, "calls": tuple(each["calls"])}) for each in answer.get("marks", [])}
    marks = tuple(known.get(each.name) or _not_handed_in(each, answer) for each in asked)
    flags = [f"not graded: {answer['failed']}"] if "failed" in answer else []
    flags += [
        f"{mark.exercise}: the check itself stopped: {mark.message}" for mark in marks if mark.kind == CHECK_STOPPED
    ]
    flags += [f"uses the library's solution: {each}" for each in answer.get("library", [])]
    flags += [f"nearly the same as {', '.join(like)}"] if like else []
    return Report(name, marks, tuple(answer.get("notes", [])), tuple(flags))


def _not_handed_in(exercise: Exercise, answer: dict[str, Any]) -> Mark:
    says = "This was not graded: its process was ended." if "failed" in answer else "This exercise was not handed in."
    return Mark(exercise.name, 0, exercise.points, "not graded" if "failed" in answer else "not handed in", says)


def _program(by_exercise: Mapping[str, Mapping[str, int]]) -> dict[str, int]:
    """All exercises of a submission as one multiset, each for itself."""
    return {f"{name} {run}": count for name, runs in by_exercise.items() for run, count in runs.items()}
