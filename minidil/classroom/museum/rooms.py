"""The rooms that are open: processes that stand ready for visits, each for one at a time."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue

from minidil.classroom.museum.notes import Found
from minidil.errors import OptionError


@dataclass(frozen=True)
class Wish:
    """A visit: the file of tests, the mutant's name ("" for none), whether to stop at a failure, and the seconds it may take."""

    tests: str
    mutant: str
    first: bool
    limit: float


class Rooms:
    """So many rooms on one backend, as a context: at its end all are closed, whatever happens in them."""

    def __init__(self, backend: str = "numpy", count: int = 2) -> None:
        environment = os.environ | {
            "PYTHONHASHSEED": "0",
            "CI": "true",  # Hypothesis then draws the same examples every time, and sets no deadline
            "PYTEST_ADDOPTS": "",
            **{f"{library}_NUM_THREADS": "1" for library in ("OMP", "OPENBLAS", "MKL", "NUMBA")},
        }
        self._scratch = tempfile.TemporaryDirectory()
        self._rooms = [
            subprocess.Popen(
                [sys.executable, "-m", "minidil.classroom.museum.room", backend],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
                env=environment,
                start_new_session=os.name == "posix",
            )
            for _ in range(count)
        ]
        self._free: SimpleQueue[subprocess.Popen[str]] = SimpleQueue()
        for room in self._rooms:
            self._free.put(room)

    def __enter__(self) -> Rooms:
        return self

    def __exit__(self, *_: object) -> None:
        for room in self._rooms:
            room.terminate()
        for room in self._rooms:
            room.communicate()
        self._scratch.cleanup()

    def all(self, wishes: Sequence[Wish], progress: Callable[[int, int], object] | None = None) -> list[Found]:
        """What was found in each of the visits, in their order; progress is told how many of how many are over."""
        found = []
        with ThreadPoolExecutor(len(self._rooms)) as pool:
            waiting = [pool.submit(self._one, wish) for wish in wishes]
            try:
                for number, each in enumerate(waiting, 1):
                    found.append(each.result())
                    if progress:
                        progress(number, len(wishes))
            except BaseException:  # Ctrl-C: the visits that have begun end with their rooms
                pool.shutdown(wait=False, cancel_futures=True)
                for room in self._rooms:
                    room.terminate()
                raise
        return found

    def _one(self, wish: Wish) -> Found:
        room = self._free.get()
        folder = tempfile.mkdtemp(dir=Path(self._scratch.name))
        assert room.stdin is not None
        assert room.stdout is not None
        try:
            print(json.dumps({**vars(wish), "folder": folder}), file=room.stdin, flush=True)
            line = room.stdout.readline()
        finally:
            self._free.put(room)
        if not line:
            raise OptionError(f"mutants: the process that runs the tests has ended, with exit code {room.wait()}")
        return Found(**json.loads(line))
