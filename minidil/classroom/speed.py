"""Checking that a function is right and so many times faster than a slow one, on the same machine at the same moment.

Both are timed in turns, and the shortest time of each counts: what else the machine does makes a run longer, never shorter. A
ratio that is too small is measured once more. So the asked ratio should be far below what a good solution reaches (20 where
that reaches some hundreds), and far above what half a solution does.
"""

import sys
import time
from collections.abc import Callable
from typing import Any

from minidil.classroom.budget import Budget
from minidil.classroom.exercise import Check, Exercise
from minidil.classroom.guard import call
from minidil.classroom.property import property_check
from minidil.classroom.report import Say
from minidil.classroom.result import Result
from minidil.classroom.signature import called_by_name
from minidil.classroom.verdict import too_slow
from minidil.classroom.watch import TimedOut

_TURNS = 5
_TRIES = 3
_TRACED = 2.0  # seconds in which lines are counted


def speed_check(slow: Callable[..., Any], large: Callable[[], dict[str, Any]], ratio: float) -> Check:
    """A check: first as usual, then `ratio` times faster than `slow` in the case that `large` makes."""

    def check(exercise: Exercise, function: Callable[..., Any], budget: Budget) -> Result:
        right = property_check(exercise, function, Budget(budget.seconds / 2, budget.seed))
        if not right.passed:
            return right
        case = large()
        by_name = called_by_name(function, exercise, tuple(case)) is True
        reached = 0.0
        for _ in range(_TRIES):
            theirs, ours = _shortest(function, slow, case, by_name, budget)
            reached = max(reached, ours / theirs)
            if not ratio / 4 < reached < ratio:  # beyond doubt
                break
        if reached < ratio:
            return too_slow(exercise, reached, ratio, _lines(function, case, by_name), right.tried)
        text = f"It is {reached:.0f} times faster than the loops ({ratio:g} are asked for)."
        blocks = (*right.blocks, Say(text))
        return Result(
            exercise.name, True, blocks, "passed", tried=right.tried, extra={"times_faster": round(reached, 1)}
        )

    check.by_values = True  # type: ignore[attr-defined]  # it only calls the function, which may be in another process
    return check


def _shortest(
    function: Callable[..., Any], slow: Callable[..., Any], case: dict[str, Any], by_name: bool, budget: Budget
) -> tuple[float, float]:
    """The shortest of some turns of each, in seconds. A function that does not end counts as endless.

    A function that runs in another process brings a clock of that one's processor, and is compared with this one's.
    """
    limit = budget.of_one_call
    elsewhere: Callable[[], float] | None = getattr(function, "clock", None)
    here = time.perf_counter if elsewhere is None else time.thread_time
    theirs, ours = float("inf"), float("inf")
    for _ in range(_TURNS):
        started = here()
        slow(**case)
        ours = min(ours, here() - started)
        began = elsewhere() if elsewhere else 0.0
        outcome = call(function, case, by_name, limit)
        if isinstance(outcome.error, TimedOut):
            return float("inf"), ours
        theirs = min(theirs, elsewhere() - began if elsewhere else outcome.seconds)
    return theirs, ours


def _lines(function: Callable[..., Any], case: dict[str, Any], by_name: bool) -> int:
    """How many lines of Python one call executes, until it takes too long; 0 if it runs in another process."""
    if hasattr(function, "clock"):
        return 0
    count = 0

    def trace(frame: Any, event: str, argument: Any) -> Any:
        nonlocal count
        count += event == "line"
        return trace

    def traced(*values: Any, **named: Any) -> Any:
        before = sys.gettrace()
        sys.settrace(trace)
        try:
            return function(*values, **named)
        finally:
            sys.settrace(before)

    call(traced, case, by_name, _TRACED)
    return count
