"""Ctrl-C and SIGTERM as a request that the loop answers when it can, instead of an exception anywhere."""

import signal
import threading
from types import FrameType, TracebackType
from typing import Any, Self

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Interrupts:
    """While the block runs, the first Ctrl-C or SIGTERM only sets `asked`; a second one acts at once, as it usually would.

    active: False leaves the signals as they are. So does any thread but the main one, the only one that receives any.
    """

    def __init__(self, active: bool = True) -> None:
        self.asked = False
        self._active = active and threading.current_thread() is threading.main_thread()
        self._handlers: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Self:
        if self._active:
            self._handlers = {number: signal.signal(number, self._ask) for number in _SIGNALS}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._restore()

    def _ask(self, number: int, frame: FrameType | None) -> None:
        self.asked = True
        self._restore()

    def _restore(self) -> None:
        for number, handler in self._handlers.items():
            # None: the handler was not installed from Python, and cannot be put back from there either.
            signal.signal(number, signal.SIG_DFL if handler is None else handler)
        self._handlers = {}
