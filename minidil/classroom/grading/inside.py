"""What the grader's process asks of the process that holds the student's code: look for a function, call it, say what it called.

None of the answers is believed to be more than what a student's code may have said: the values of a function are compared, and
the cases, the expected values and the verdict are never here. The exception is an exercise with a check of its own kind, such
as one of a CUDA kernel, which has to run where the function is.
"""

import builtins
import inspect
import linecache
import os
import socket
import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

from minidil.classroom.grading.peer import Peer, words

_PACKAGE = str(Path(__file__).resolve().parents[2])
_OWN_CELL = "ipykernel_"  # in the file name that ipykernel gives a cell
_WATCHED_CALLS = 3  # of each function: watching slows them down
_MOST_NAMES = 500

_peers: list[Peer] = []
_called: set[str] = set()
_watched: dict[str, int] = {}


def connect(port: int, token: str) -> None:
    """Speak to the grader's process, which listens until then and not longer."""
    connection = socket.create_connection(("127.0.0.1", port), timeout=30)
    connection.sendall(token.encode())
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    _peers.append(Peer(connection, described))


def serve() -> None:
    """Answer until the grader is done; a cell of its own calls it. Ends this process if it cannot: nobody is to wait for it."""
    try:
        _called.clear()
        _watched.clear()
        _peers[0].serve({"look": look, "student": student, "called": called, "check": check})
    except BaseException:  # no memory is left, or the student's code has taken something apart
        os._exit(1)


def look(name: str) -> tuple[str, list[tuple[str, int, bool]] | None]:
    """What a name is: "function", "missing" or "other"; of a function also its parameters: name, kind, default or not."""
    found = _namespace().get(name, _peers)
    if found is _peers or not callable(found):
        return ("missing" if found is _peers else "other"), None
    try:
        parameters = inspect.signature(found).parameters.values()
        return "function", [(each.name, int(each.kind), each.default is not each.empty) for each in parameters]
    except Exception:  # compiled functions have no signature, and a student's object may have any
        return "function", None


def student(name: str, args: tuple[Any, ...], named: dict[str, Any]) -> Any:
    """The value of the student's function; the first few calls note which functions of minidil it calls."""
    function = _namespace()[name]
    _watched[name] = _watched.get(name, 0) + 1
    if _watched[name] > _WATCHED_CALLS:
        return function(*args, **named)
    sys.setprofile(_note)
    try:
        return function(*args, **named)
    finally:
        sys.setprofile(None)


def called() -> list[str]:
    """Functions of minidil that were called since `serve`, as "ops/columns.py:unfold"."""
    return sorted(_called)[:_MOST_NAMES]


def check(exercise: str, function: str, seed: int, seconds: float) -> dict[str, Any]:
    """The outcome of a check that has to run here, as a document; its HTML stands under "html"."""
    from minidil.classroom.checking import check

    sys.setprofile(_note)
    try:
        result = check(exercise, _namespace()[function], seed=seed, seconds=seconds)
    finally:
        sys.setprofile(None)
    return {**result.as_dict(), "html": result._repr_html_()}


def described(error: BaseException) -> dict[str, Any]:
    """The error, and the last line of the student's own that it passed; a cell's source is what IPython keeps for tracebacks."""
    told: dict[str, Any] = {"kind": type(error).__name__, "says": words(error), "file": "", "line": 0}
    at = error.__traceback__
    while at is not None:
        code = at.tb_frame.f_code
        if _OWN_CELL in code.co_filename:
            source = "".join(linecache.getlines(code.co_filename))
            told |= {"file": "your cell", "line": at.tb_lineno, "function": code.co_name, "source": source}
        at = at.tb_next
    return told


def _namespace() -> dict[str, Any]:
    shell: Callable[[], Any] = builtins.__dict__["get_ipython"]
    found: dict[str, Any] = shell().user_ns
    return found


def _note(frame: FrameType, event: str, argument: Any) -> None:
    code = frame.f_code
    if event == "call" and code.co_filename.startswith(_PACKAGE) and len(_called) < _MOST_NAMES:
        _called.add(f"{Path(code.co_filename).relative_to(_PACKAGE).as_posix()}:{code.co_qualname}")
