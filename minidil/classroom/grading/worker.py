"""The process that grades one submission: `python -m minidil.classroom.grading.worker`, its orders on standard input.

It never runs what a student wrote: it reads notebooks, starts kernels, and judges the values that come back. Its answer, one JSON
document, is the only thing that it writes to standard output. The seed is in its memory alone, not in its arguments.
"""

import json
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from minidil.classroom.budget import Budget
from minidil.classroom.exercise import Exercise
from minidil.classroom.grading import copies, library
from minidil.classroom.grading.marking import mark
from minidil.classroom.grading.marks import Mark
from minidil.classroom.grading.reading import Plan, cells, plan
from minidil.classroom.grading.session import Limits
from minidil.classroom.register import exercises
from minidil.classroom.search import search
from minidil.errors import DataError


def main() -> None:
    """Read, grade, answer."""
    orders = json.load(sys.stdin)
    # Hypothesis takes a second for its first case, which is not to count as the student's.
    search(lambda draw: {"n": draw.integer(0, 1)}, lambda case: "right", Budget(60.0))
    answer = grade(
        [Path(each) for each in orders["files"]],
        Path(orders["scratch"]),
        Limits(**orders["limits"]),
        orders["seed"],
        orders["chapters"],
        orders["given"],
    )
    json.dump(answer, sys.stdout)


def grade(
    files: list[Path],
    scratch: Path,
    limits: Limits,
    seed: int,
    chapters: list[str] | None,
    given: Mapping[str, Mapping[str, int]],
) -> dict[str, Any]:
    """What a submission's notebooks got, as a document. If several answer one exercise, the best counts.

    scratch: where folders are made for the kernels, and removed. chapters: those to grade; None: all.
    given: the runs of tokens of the cells that the students started from, by exercise.
    """
    known = [each for each in exercises() if chapters is None or each.chapter in chapters]
    marks: dict[str, Mark] = {}
    notes: list[str] = []
    used: set[str] = set()
    programs: dict[str, dict[str, int]] = {}
    for file in files:
        try:
            steps = plan(cells(file.read_bytes()), known)
        except (DataError, OSError) as error:
            notes.append(f"{file.name}: {error}")
            continue
        if not steps.exercises:
            notes.append(
                f"{file.name}: no exercise was recognised in it, neither by grade_id nor by the functions' names"
            )
            continue
        for each in _marks(steps, scratch, limits, seed):
            if each.exercise not in marks or each.points > marks[each.exercise].points:
                marks[each.exercise] = each
        for exercise in steps.exercises:
            source = steps.source(exercise.name)
            used |= {f"{exercise.name}: {name}" for name in _library(exercise, steps, marks[exercise.name])}
            programs[exercise.name] = copies.without(copies.runs(source), given.get(exercise.name, {}))
    return {
        "marks": [marks[name].as_dict() for name in sorted(marks)],
        "notes": notes,
        "library": sorted(used),
        "programs": programs,
    }


def _marks(steps: Plan, scratch: Path, limits: Limits, seed: int) -> list[Mark]:
    with tempfile.TemporaryDirectory(dir=scratch, ignore_cleanup_errors=True) as own:
        return mark(steps, Path(own), limits, seed)


def _library(exercise: Exercise, steps: Plan, given: Mark) -> list[str]:
    own = [step.source for step in steps.steps if exercise.name in step.answers]
    shared = [step.source for step in steps.steps if not step.answers]
    seen = library.called(given.calls, exercise.forbidden)
    return list(dict.fromkeys([*library.named(own, exercise.forbidden, shared), *seen]))


if __name__ == "__main__":
    main()
