"""Stopping a function that runs too long, in notebooks, in any thread and on every system.

A second thread asks the interpreter to raise `TimedOut` in the thread that runs the function; it arrives between two bytecodes of
Python. So it cannot interrupt a single call of compiled code (a huge matrix product, `time.sleep`): that one ends first. And a
loop that catches everything (`except:` inside `while True:`) outlives it, though it is asked again and again. A grader therefore
runs submissions in processes of their own.
"""

import contextlib
import ctypes
import threading
import time
from collections.abc import Iterator

_TURN = 0.02  # seconds between two looks at the clock
_AGAIN = 0.25  # until a loop that swallowed the exception is asked again
_IDLE = 1.0  # after which the thread looks no more, until there is something to look at


class TimedOut(BaseException):  # as KeyboardInterrupt: no error of the program's
    """Raised inside a function that runs too long; no Exception, so that `except Exception` lets it pass."""


class _Watch:
    """One thread that looks after all calls. It is started by the first one, and again in a process that was forked."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._deadlines: dict[int, float] = {}  # of threads, by their identity
        self._asked: set[int] = set()
        self._needed = threading.Event()
        self._thread: threading.Thread | None = None

    def begin(self, seconds: float) -> float | None:
        """From now on this thread has so many seconds. Returns the deadline that was in force, for `end`."""
        caller = threading.get_ident()
        with self._lock:
            before = self._deadlines.get(caller)
            self._deadlines[caller] = time.monotonic() + seconds
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._look, daemon=True, name="minidil-watch")
                self._thread.start()
        self._needed.set()
        return before

    def end(self, before: float | None) -> bool:
        """The call is over. Returns whether it was asked to stop."""
        caller = threading.get_ident()
        with self._lock:
            self._deadlines.pop(caller, None)
            if before is not None:
                self._deadlines[caller] = before
            asked = caller in self._asked
            self._asked.discard(caller)
        return asked

    def _look(self) -> None:
        quiet = 0.0
        while True:
            self._needed.wait()
            time.sleep(_TURN)
            with self._lock:  # so that nobody is asked whose call is over
                now = time.monotonic()
                late = [caller for caller, deadline in self._deadlines.items() if now > deadline]
                for caller in late:
                    self._asked.add(caller)
                    self._deadlines[caller] = now + _AGAIN
                    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(caller), ctypes.py_object(TimedOut))
                quiet = 0.0 if self._deadlines else quiet + _TURN
                if quiet > _IDLE:
                    self._needed.clear()


_WATCH = _Watch()


@contextlib.contextmanager
def interrupted_after(seconds: float) -> Iterator[None]:
    """Raises: TimedOut in the block, if it is not left after so many seconds, and again while it goes on."""
    before = _WATCH.begin(seconds)
    asked: bool | None = None
    try:
        yield
    finally:
        # The block may have ended just when it was asked to stop: the exception then arrives in these lines. (To take it back,
        # with None in its place, would leave the interpreter looking for it for ever, and Python 3.11 hanging in a debugger.)
        while asked is None:
            try:
                asked = _WATCH.end(before)
            except TimedOut:
                continue
        with contextlib.suppress(TimedOut):
            for _ in range(100 * asked):  # the interpreter looks at every turn
                pass
