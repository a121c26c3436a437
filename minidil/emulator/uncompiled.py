"""Why numba.cuda does not compile a kernel: the line, what to write instead where that is known, and numba's reason.

What numba says in full, page by page for every candidate that it tried, is the cause of the error.
"""

from __future__ import annotations

import linecache
import re
from collections.abc import Callable
from pathlib import Path
from types import TracebackType

from minidil.errors import DtypeError

_ADVICE = {
    r"function (shared|local)\.array at": (
        "the shape of a shared or local array must be known when the kernel is compiled: a number, or a global that "
        "holds one, such as WIDTH = T + 1 above the kernel, and no expression within it"
    ),
    r"built-in function (zeros|empty|ones|full|array)|ol_np_": (
        "a kernel makes no NumPy arrays: take cuda.local.array or cuda.shared.array, or pass the array as an argument"
    ),
    "must have void return type": "a kernel returns nothing: write the result into an array that is an argument",
    "NameError": "a kernel sees its arguments, globals, and device functions that were defined before it is launched",
    "Unknown attribute": "inside a kernel there is less of NumPy and Python than outside; numba.cuda's manual lists it",
}


def uncompiled(name: str, function: Callable[..., None], error: Exception) -> DtypeError:
    """The error that says so to the writer of the kernel."""
    full = str(error).strip()
    file = function.__code__.co_filename
    line = _line(error, file) or _head(file, function.__code__.co_firstlineno)
    where = f"{name} does not compile\n  {Path(file).name}:{line}: {linecache.getline(file, line).strip()}"
    advice = [text for pattern, text in _ADVICE.items() if re.search(pattern, full)][:1]
    return DtypeError("\n".join([where, *(f"  {text}" for text in advice), f"  numba: {_reason(full)}"]))


def _line(error: Exception, file: str) -> int | None:
    """The line of the kernel that numba was at, which it knows and does not always say."""
    found = None
    trace: TracebackType | None = error.__traceback__
    while trace:
        for name in ("constraint", "inst"):
            place = getattr(trace.tb_frame.f_locals.get(name), "loc", None)
            if getattr(place, "filename", None) == file:
                found = int(place.line)  # type: ignore[union-attr]
        trace = trace.tb_next
    told = re.findall(rf'{re.escape(Path(file).name)}(?:", line | \()(\d+)', str(error))
    return found or (int(told[0]) if told else None)


def _head(file: str, line: int) -> int:
    """The line of the `def` below the decorators, which begin at `line`."""
    below = enumerate(linecache.getlines(file)[line - 1 :], line)
    return next((number for number, text in below if text.lstrip().startswith("def ")), line)


def _reason(full: str) -> str:
    """What numba says itself, without the candidates that it tried, its own files, and the source that stands above."""
    kept = [
        line.strip()
        for line in re.split(r'\nThere are \d+ candidate|\n\s*File "|\nDuring: ', full)[0].splitlines()
        if line.strip() and not line.startswith("Failed in ")
    ]
    deeper = [text for text in re.findall(r"\b\w+Error: (.+)", full) if not text.startswith(("No impl", "Failed in "))]
    kept = [re.sub(r"\.* Raised from .*", "", text) for text in kept]
    first = re.sub(r"<(built-in )?function ([\w.]+)[^>]*>", r"\2", " ".join(kept)).replace(">>> ", "")
    return f"{first}; {deeper[-1]}" if deeper and deeper[-1] not in first else first
