"""Calling a student's function so that nothing it does reaches the notebook raw: loops without end, errors, prints, warnings.

How a loop is stopped, and what cannot be, is said in watch.py.
"""

import contextlib
import copy
import io
import linecache
import sysconfig
import time
import traceback
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from minidil.classroom.watch import TimedOut, interrupted_after

_MOST_PRINTED = 2_000  # characters that are kept
_OURS = (str(Path(__file__).parents[1]), *(sysconfig.get_paths()[key] for key in ("stdlib", "purelib", "platlib")))


@dataclass(frozen=True)
class Place:
    """The student's own line where something happened."""

    function: str
    number: int
    text: str

    def __str__(self) -> str:
        return f"line {self.number} in {self.function}" + (f":  {self.text}" if self.text else "")


@dataclass(frozen=True)
class Outcome:
    """What one call did. error: what it raised, or TimedOut. changed: the arguments that are not what they were."""

    value: Any = None
    error: BaseException | None = None
    place: Place | None = None
    printed: str = ""
    warned: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    seconds: float = 0.0


def call(function: Callable[..., Any], case: Mapping[str, Any], by_name: bool, seconds: float) -> Outcome:
    """The function on copies of the arguments. KeyboardInterrupt alone gets out."""
    given = copy.deepcopy(dict(case))
    printed, value, error, place, took = _Printed(), None, None, None, 0.0
    with warnings.catch_warnings(record=True) as caught, contextlib.redirect_stdout(printed):
        warnings.simplefilter("always")
        try:
            value, took = _timed(lambda: function(**given) if by_name else function(*given.values()), seconds)
        except (Exception, SystemExit, GeneratorExit, TimedOut) as problem:
            error, place = problem, own_line(problem)
    changed = tuple(name for name, before in case.items() if not _same(before, given[name]))
    warned = tuple(dict.fromkeys(str(each.message) for each in caught if issubclass(each.category, RuntimeWarning)))
    return Outcome(value, error, place, printed.getvalue(), warned, changed, took)


def own_line(error: BaseException) -> Place | None:
    """The last line of the traceback that is the student's: not minidil's, nor Python's, nor an installed package's."""
    frames = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if not frame.filename.startswith(_OURS) and not frame.filename.startswith("<frozen")
    ]
    if not frames:
        return None
    last = frames[-1]
    text = last.line or linecache.getline(last.filename, last.lineno or 0).strip()
    return Place(last.name, last.lineno or 0, text)


def _timed(function: Callable[[], Any], seconds: float) -> tuple[Any, float]:
    """What the function returns, and the seconds it took. Raises: TimedOut, in the function, where it takes longer."""
    with interrupted_after(seconds):
        started = time.perf_counter()
        value = function()
        return value, time.perf_counter() - started


def _same(before: Any, after: Any) -> bool:
    if isinstance(before, np.ndarray):
        return isinstance(after, np.ndarray) and before.shape == after.shape and before.tobytes() == after.tobytes()
    if isinstance(before, list | tuple):
        return len(before) == len(after) and all(map(_same, before, after))
    return bool(before == after)


class _Printed(io.StringIO):
    """Keeps the beginning of what is printed."""

    def write(self, text: str) -> int:
        room = _MOST_PRINTED - self.tell()
        if room > 0:
            super().write(text[:room])
        return len(text)
