"""Ends a process that works too long, by its processor's time: a busy machine takes no student's marks, and a loop no day.

By the clock there is several times as much, for what waits instead of working.
"""

import contextlib
import sys
import threading
import time
from collections.abc import Callable

import psutil

BY_THE_CLOCK = 5.0  # times as long as by the processor's time
_LOOK = 0.2  # seconds from one look to the next


class Watchdog:
    """Looks after one process while it works. bites: kills it. bit: whether it has."""

    def __init__(self, pid: int | None, seconds: float, bites: Callable[[], None]) -> None:
        self._seconds, self._bites = seconds, bites
        self._process = psutil.Process(pid) if pid is not None else None
        self._lock, self._stopped = threading.Lock(), threading.Event()
        self._began: tuple[float, float] | None = None
        self.bit = False
        self._thread = threading.Thread(target=self._watch, daemon=True, name="minidil-watchdog")
        self._thread.start()

    def begin(self) -> None:
        """From now on it has so many seconds."""
        with self._lock:
            self._began = (self._worked(), time.monotonic())

    def end(self) -> None:
        """It has done what it was to do."""
        with self._lock:
            self._began = None

    def stop(self) -> None:
        """Look no more."""
        self._stopped.set()

    def memory(self) -> int:
        """Bytes of its address space, which is what is limited; 0 on systems that do not limit it."""
        with contextlib.suppress(psutil.Error):
            if self._process is not None and sys.platform.startswith("linux"):
                return int(self._process.memory_info().vms)
        return 0

    def _watch(self) -> None:
        while not self._stopped.wait(_LOOK):
            with self._lock:
                if self._began is None:
                    continue
                worked, clock = self._worked() - self._began[0], time.monotonic() - self._began[1]
                if worked <= self._seconds and clock <= BY_THE_CLOCK * self._seconds:
                    continue
                self.bit, self._began = True, None
            self._bites()

    def _worked(self) -> float:
        """Seconds of the processor that it has used."""
        with contextlib.suppress(psutil.Error):
            if self._process is not None:
                times = self._process.cpu_times()
                return float(times.user + times.system)
        return 0.0
