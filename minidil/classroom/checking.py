"""`minidil.check`: the one function that students, tests and graders call. Light: what it needs is imported when it is called."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from minidil.errors import OptionError

if TYPE_CHECKING:
    from minidil.classroom.exercise import Exercise
    from minidil.classroom.result import Result

_NOTHING: Any = object()


def check(
    name: str,
    function: Callable[..., Any] = _NOTHING,
    *,
    hint: int = 0,
    seed: int | None = None,
    seconds: float = 2.0,
) -> Result:
    """Check a student's function against what its exercise asks for, or show a hint.

    The function is called on about a hundred drawn cases, down to the edges; the smallest case that fails is shown with what
    was expected and what came, and with the probable cause. `bool(result)` says whether it passed, `result.must_pass()` raises.

    name: "ex03_2" is the second exercise of chapter 3. hint: 1, 2 or 3, each says more; the function may then be left out.
    seed: other cases than usual, the same ones for the same seed and version of hypothesis.
    seconds: after which no more cases are drawn; a grader gives more than a student waits, so that the time decides nothing.
    What cannot be interrupted: a single call of compiled code, and a loop that catches every exception.
    Raises: BackendError if hypothesis is not installed. Nothing else: what the student's function does, raises or returns never
        gets out, but for KeyboardInterrupt, and a call that makes no sense gets a result that says so.
    """
    from minidil.classroom import progress
    from minidil.classroom.budget import Budget
    from minidil.classroom.property import property_check
    from minidil.classroom.register import exercise
    from minidil.classroom.search import ready

    try:
        asked = exercise(name)
    except OptionError as error:
        return _refused(str(name), f"{_meant(name) or error}.")
    usage = f'minidil.check("{asked.name}", {asked.function})'
    if hint not in (0, 1, 2, 3):
        return _refused(asked.name, f"There are three hints: hint=1, hint=2 and hint=3, not hint={hint!r}.")
    if function is _NOTHING:
        return (
            _hint(asked, hint) if hint else _refused(asked.name, f"Give it your function, without brackets: {usage}.")
        )
    if not callable(function):
        return _no_function(asked, function)
    ready()
    result = (asked.check or property_check)(asked, function, Budget(seconds, 0 if seed is None else seed))
    progress.note(result)
    return _with_hint(result, asked, hint) if hint and not result.passed else result


def _refused(name: str, text: str) -> Result:
    from minidil.classroom.report import Say
    from minidil.classroom.result import Result

    return Result(name, False, (Say(text, "failed"),), "call")


def _meant(name: Any) -> str:
    """Whoever gives the function alone, or first, is told the name of its exercise."""
    from minidil.classroom.register import exercises

    function = getattr(name, "__name__", "") if callable(name) else ""
    found = next((each for each in exercises() if each.function == function), None)
    if not function:
        return ""
    usage = f'minidil.check("{found.name}", {function})' if found else f'minidil.check("ex03_2", {function})'
    return f"The name of the exercise comes first: {usage}"


def _no_function(asked: Exercise, given: Any) -> Result:
    from minidil.classroom.compare import kind_of
    from minidil.classroom.verdict import not_callable_so

    what = "nothing (None)" if given is None else kind_of(given)
    called = isinstance(given, np.ndarray | int | float | tuple | list) or given is None
    guess = f" Was it called? {asked.function}(...) with brackets is its result." if called else ""
    text = f'What was given is {what}, not a function.{guess} Write minidil.check("{asked.name}", {asked.function}).'
    return not_callable_so(asked, text)


def _hint(asked: Exercise, number: int) -> Result:
    from minidil.classroom.report import Say
    from minidil.classroom.result import Result

    blocks = (Say(f"{asked.name} {asked.title}, hint {number} of 3: {asked.hints[number - 1]}"),)
    return Result(asked.name, False, blocks, "hint")


def _with_hint(result: Result, asked: Exercise, number: int) -> Result:
    from dataclasses import replace

    from minidil.classroom.report import Say

    kept = tuple(block for block in result.blocks if not (isinstance(block, Say) and block.tone == "hint"))
    return replace(result, blocks=(*kept, Say(f"Hint {number} of 3: {asked.hints[number - 1]}")))
