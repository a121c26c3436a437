"""Two processes that call each other's functions over a socket: the grader's, and the one that holds the student's code.

Either side may call; while it waits for the answer it serves calls of the other, so that a student's function can be given
functions. Values travel by `codec`, so that nothing a student's process sends is run here, and what was changed in place is
changed here too. A peer that is gone is not called again.
"""

import linecache
import socket
import struct
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np

from minidil.classroom.grading import codec
from minidil.errors import DataError

_LENGTH = struct.Struct(">Q")
_MOMENT = 0.2  # seconds


class Gone(BaseException):
    """The other process has ended, or sends what is no message.

    No Exception, so that it passes through `except Exception` in a check: there is nobody to ask any more.
    """


class Peer:
    """One end. broken: why there is nobody at the other; whoever ends it may say so here, and no call waits longer for it."""

    def __init__(
        self, connection: socket.socket, describe: Callable[[BaseException], dict[str, Any]] | None = None
    ) -> None:
        self._socket, self._describe = connection, describe or _described
        self._kept: list[Any] = []
        self.broken: Gone | None = None

    def call(self, function: Any, args: tuple[Any, ...], named: dict[str, Any]) -> Any:
        """What the other's function returns; function: its handle, or its name.

        Raises: what it raised, under the name that it had there; Gone.
        """
        which = function.number if isinstance(function, codec.Handle) else function
        try:
            kind, *rest = self._asked(("call", which, args, named))
        except (
            BaseException
        ):  # such as TimedOut, in the middle of a message: the next one would be read from its middle
            self.broken = self.broken or Gone("a call was given up")
            raise
        if kind == "raise":
            raise _raised(rest[0])
        _restore((args, named), rest[1])
        return rest[0]

    def _asked(self, question: tuple[Any, ...]) -> tuple[Any, ...]:
        """The answer: ("return", value, arguments afterwards) or ("raise", {...}). Serves meanwhile."""
        self._send(question)
        while True:
            message = self._receive()
            kind, *rest = message
            if kind == "call":
                self._serve(rest)
            elif (kind == "return" and len(rest) == 2) or (kind == "raise" and rest and isinstance(rest[0], dict)):
                return message
            else:
                raise self._break(Gone("the other process sent an answer to no question"))

    def serve(self, functions: dict[str, Callable[..., Any]]) -> None:
        """Answer calls of these until the other says that it is done."""
        while True:
            kind, *rest = self._receive()
            if kind != "call":
                return
            self._serve(rest, functions)

    def done(self) -> None:
        """End the other's `serve`."""
        self._send(("done",))

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()

    def _serve(self, request: list[Any], named: dict[str, Callable[..., Any]] | None = None) -> None:
        try:
            which, args, keywords = request
            function = (named or {})[which] if isinstance(which, str) else self._kept[which]
        except (ValueError, LookupError, TypeError):
            raise self._break(Gone("the other process asked for what there is not")) from None
        before = codec.encode((args, keywords), self._keep)
        try:
            value = function(*args, **keywords)
            after = codec.encode((args, keywords), self._keep)
            answer = codec.encode(("return", value, (args, keywords) if after != before else None), self._keep)
        except Gone:
            raise
        except BaseException as error:  # SystemExit and KeyboardInterrupt, too, are an answer to the caller
            self._send(("raise", self._describe(error)))
            return
        self._write(answer)

    def _keep(self, function: Any) -> int:
        for number, kept in enumerate(self._kept):
            if kept is function:
                return number
        self._kept.append(function)
        return len(self._kept) - 1

    def _stub(self, handle: codec.Handle) -> Callable[..., Any]:
        def remote(*args: Any, **named: Any) -> Any:
            return self.call(handle, args, named)

        return remote

    def _send(self, message: tuple[Any, ...]) -> None:
        self._write(codec.encode(message, self._keep))

    def _write(self, message: bytes) -> None:
        rest = memoryview(_LENGTH.pack(len(message)) + message)
        while rest:
            self._wait()
            try:
                rest = rest[self._socket.send(rest) :]
            except TimeoutError:
                continue
            except OSError:
                raise self._break(Gone("the other process has ended")) from None

    def _receive(self) -> tuple[Any, ...]:
        (length,) = _LENGTH.unpack(self._read(_LENGTH.size))
        if length > codec.MOST_BYTES + 8:
            raise self._break(Gone("the other process sent too much"))
        try:
            message = codec.decode(self._read(length), self._stub)
        except DataError as error:
            raise self._break(Gone(str(error))) from None
        if not isinstance(message, tuple) or not message or not isinstance(message[0], str):
            raise self._break(Gone("the other process sent no message"))
        return message

    def _read(self, count: int) -> bytes:
        parts = bytearray()
        while len(parts) < count:
            self._wait()
            try:
                part = self._socket.recv(min(count - len(parts), 1 << 20))
            except TimeoutError:
                continue
            except OSError:
                part = b""
            if not part:
                raise self._break(Gone("the other process has ended"))
            parts += part
        return bytes(parts)

    def _wait(self) -> None:
        """Before every wait: for a moment only, so that other threads can end it."""
        if self.broken:
            raise self.broken
        self._socket.settimeout(_MOMENT)

    def _break(self, error: Gone) -> Gone:
        self.broken = error
        return error


def _described(error: BaseException) -> dict[str, Any]:
    return {"kind": type(error).__name__, "says": words(error), "file": "", "line": 0, "function": "", "source": ""}


def words(error: BaseException) -> str:
    """What an error says, from which an error of its kind can be made again."""
    try:
        return str(error.args[0] if isinstance(error, KeyError) and error.args else error)[:1000]
    except Exception:  # an error of someone else's may fail at this, too
        return ""


def _raised(told: dict[str, Any]) -> Exception:
    """The error as it was in the other process: same name, same words, and a traceback that ends in the student's line."""
    kind, says = str(told.get("kind", ""))[:100], str(told.get("says", ""))[:1000]
    error: Exception = _class(kind if kind.isidentifier() else "Exception")(says)
    file, line, source = str(told.get("file", ""))[:200], told.get("line", 0), str(told.get("source", ""))[:100_000]
    if not (file and isinstance(line, int) and 0 < line < 10_000 and "\n" not in file):
        return error
    linecache.cache[file] = (len(source), None, source.splitlines(keepends=True), file)
    try:
        code = compile("\n" * (line - 1) + "raise error", file, "exec")
        exec(code.replace(co_name=str(told.get("function", ""))[:100]), {"error": error})
    except Exception as with_traceback:
        return with_traceback
    return error


@lru_cache(maxsize=1000)
def _class(name: str) -> type[Exception]:
    """Python's own class of that name, or one that is called so: always the same, as two errors are compared by it."""
    known: dict[str, type[Exception]] = {each.__name__: each for each in _ERRORS}
    return known.get(name) or type(name, (Exception,), {})


_ERRORS = (
    ArithmeticError, AssertionError, AttributeError, FloatingPointError, IndexError, KeyError, LookupError, MemoryError,
    NameError, NotImplementedError, OverflowError, RecursionError, RuntimeError, TypeError, UnboundLocalError, ValueError,
    ZeroDivisionError,
)  # fmt: skip


def _restore(ours: Any, theirs: Any) -> None:
    """Do to our arguments what the other side did to its copies of them."""
    if isinstance(ours, np.ndarray) and isinstance(theirs, np.ndarray):
        if ours.shape == theirs.shape and ours.flags.writeable and np.can_cast(theirs.dtype, ours.dtype, "same_kind"):
            ours[...] = theirs
    elif isinstance(ours, np.random.Generator) and isinstance(theirs, np.random.Generator):
        ours.bit_generator.state = theirs.bit_generator.state
    elif isinstance(ours, tuple) and isinstance(theirs, tuple):
        for mine, other in zip(ours, theirs, strict=False):
            _restore(mine, other)
    elif isinstance(ours, list) and isinstance(theirs, list):
        for mine, other in zip(ours, theirs, strict=False):
            _restore(mine, other)
        if len(ours) != len(theirs) or any(type(mine) in (int, float, bool, str) for mine in ours):
            ours[:] = theirs
    elif isinstance(ours, dict) and isinstance(theirs, dict):
        for key, other in theirs.items():
            if key in ours and isinstance(ours[key], np.ndarray | list | dict | tuple | np.random.Generator):
                _restore(ours[key], other)
            else:
                ours[key] = other
