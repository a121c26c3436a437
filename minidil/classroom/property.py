"""The usual check: the function against its definition on drawn cases, the failure made as small as it can be, and its cause."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from minidil.classroom.budget import Budget
from minidil.classroom.catalogue import recognised
from minidil.classroom.clues import common_clue
from minidil.classroom.compare import Difference, difference
from minidil.classroom.exercise import Exercise
from minidil.classroom.guard import Outcome, call
from minidil.classroom.ranges import ranges
from minidil.classroom.report import Say
from minidil.classroom.result import Result
from minidil.classroom.search import search
from minidil.classroom.signature import called_by_name
from minidil.classroom.verdict import failed, not_callable_so, open_still
from minidil.classroom.watch import TimedOut

_MORE = 20  # cases that are drawn when one has failed
_RESERVE = 0.25  # of the time, for them


@dataclass(frozen=True)
class Tried:
    """One case, what was expected, what came, and in which respect they differ (None: they do not)."""

    case: Mapping[str, Any]
    expected: Any
    outcome: Outcome
    difference: Difference | None


def property_check(exercise: Exercise, function: Callable[..., Any], budget: Budget) -> Result:
    """Draw cases, compare, make the first failure smaller, name its cause."""
    by_name: bool | None = None
    tried: list[Tried] = []
    refused = ""

    def attempt(case: dict[str, Any]) -> str:
        nonlocal by_name, refused
        if by_name is None:
            way = called_by_name(function, exercise, tuple(case))
            if isinstance(way, str):
                refused = way
                return "stop"
            by_name = way
        tried.append(_try(exercise, function, case, by_name, budget))
        outcome = tried[-1].outcome
        if isinstance(outcome.error, TimedOut | NotImplementedError):
            return "stop"
        return "wrong" if tried[-1].difference else "right"

    late = search(exercise.cases, attempt, budget, reserve=_RESERVE * budget.seconds)
    if refused:
        return not_callable_so(exercise, refused)
    failures = [each for each in tried if each.difference]
    if not failures:
        return _passed(exercise, tried, late)
    smallest = min(failures, key=lambda each: size(each.case))
    if isinstance(smallest.outcome.error, NotImplementedError):
        return open_still(exercise)
    again = _again(function, smallest, bool(by_name), budget)
    count = len(tried)
    if not isinstance(smallest.outcome.error, TimedOut):
        # The cases so far crowd around the smallest. Others tell better what failures look like and which mistake explains them.
        search(
            exercise.cases,
            lambda case: attempt(case).replace("wrong", "right"),
            replace(budget, seed=budget.seed + 1),
            _MORE,
        )
    mistake = recognised(exercise, smallest, tried)
    look = "" if mistake else common_clue([each.difference for each in tried if each.difference], smallest.difference)
    return failed(exercise, smallest, mistake, look, count, again)


def size(case: Mapping[str, Any]) -> tuple[int, int, float]:
    """What makes a case small: few entries of its arrays first, then few digits, then small numbers."""
    entries, digits, numbers = 0, 0, 0.0
    for value in case.values():
        array = np.asarray(value)
        if array.dtype.kind not in "biuf":
            continue
        entries += array.size if array.ndim else 0
        digits += sum(len(f"{each:g}") for each in array.ravel().tolist())
        numbers += float(np.abs(array).sum())
    return entries, digits, numbers


def _try(
    exercise: Exercise, function: Callable[..., Any], case: dict[str, Any], by_name: bool, budget: Budget
) -> Tried:
    expected = exercise.expected(**case)
    outcome = call(function, case, by_name, budget.of_one_call)
    if outcome.error is not None:
        kind = "timeout" if isinstance(outcome.error, TimedOut) else "exception"
        return Tried(case, expected, outcome, Difference(kind, "", "", expected))
    different = difference(expected, outcome.value, exercise.returns, exercise.tolerance)
    if outcome.changed and (different is None or different.kind != "none"):
        different = different or Difference("in place", "", "", expected, outcome.value)
    return Tried(case, expected, outcome, different)


def _again(function: Callable[..., Any], smallest: Tried, by_name: bool, budget: Budget) -> bool:
    """Whether the same call gives the same once more."""
    if isinstance(smallest.outcome.error, TimedOut):
        return True
    outcome = call(function, smallest.case, by_name, budget.of_one_call)
    if outcome.error is not None or smallest.outcome.error is not None:
        return type(outcome.error) is type(smallest.outcome.error)
    try:
        return difference(smallest.outcome.value, outcome.value) is None
    except Exception:  # whatever a student's function returns may be compared with itself, or not
        return True


def _passed(exercise: Exercise, tried: Sequence[Tried], late: bool) -> Result:
    lines = ranges([each.case for each in tried])
    blocks = [
        Say(
            f"{exercise.name} {exercise.title}: {exercise.function} does what is asked in {len(tried)} cases.", "passed"
        ),
        Say("Checked were " + "; ".join(lines) + "." + (" Then the time was up." if late else "")),
    ]
    if any(each.outcome.printed for each in tried):
        blocks.append(Say("It prints while it computes: remove the print, or every call will."))
    return Result(exercise.name, True, tuple(blocks), "passed", tried=len(tried))
