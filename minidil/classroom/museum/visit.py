"""All visits: a student's tests against the library as it is, and then against every mutant.

A test kills a mutant by failing, which says something only if it passes without the mutant. So all tests must pass first, twice,
which finds the ones that are left to chance. What a mutant makes of them counts however they fail: by an assertion, by an
exception, while the file is being read, by ending the process, or by never ending. Each visit is a process of its own.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any

from minidil.classroom.museum.exhibits import EXHIBITS
from minidil.classroom.museum.mutant import Mutant
from minidil.errors import OptionError

if TYPE_CHECKING:
    from minidil.classroom.museum.room import Found

PATIENCE = 60.0  # seconds that the tests may take with the library as it is
_LEAST_PATIENCE, _TIMES_LONGER = 10.0, 5


@dataclass(frozen=True)
class Verdict:
    """What became of a mutant.

    killed_by: the tests that failed, the first alone unless all were wanted; empty if it survives.
    how: "failed", or in which other way. reason: what the first of them said.
    """

    mutant: Mutant
    killed_by: tuple[str, ...]
    how: str
    reason: str
    seconds: float

    @property
    def killed(self) -> bool:
        return bool(self.how)


@dataclass(frozen=True)
class Visit:
    """What a file of tests is worth: how many tests it has, and a verdict on every mutant that was shown."""

    tests: int
    seconds: float
    verdicts: tuple[Verdict, ...]

    @property
    def killed(self) -> int:
        return sum(verdict.killed for verdict in self.verdicts)


def chosen(names: Sequence[str], backend: str = "numpy") -> list[Mutant]:
    """The mutants of these names, all if there are none, which can be seen on the backend.

    Raises: OptionError if there is no mutant of a name, or it cannot be seen there.
    """
    known = {mutant.name: mutant for mutant in EXHIBITS}
    for name in names:
        if name not in known:
            raise OptionError(f"mutants: there is no {name!r}; --list shows which there are")
        if backend != "numpy" and known[name].in_numpy_only:
            raise OptionError(f"mutants: {name} is a mistake in a NumPy kernel, which backend {backend!r} does not use")
    return [
        mutant
        for mutant in EXHIBITS
        if (not names or mutant.name in names) and (backend == "numpy" or not mutant.in_numpy_only)
    ]


def visit(
    tests: str | os.PathLike[str],
    mutants: Sequence[Mutant] = EXHIBITS,
    *,
    backend: str = "numpy",
    every: bool = False,
    jobs: int = 2,
    patience: float = PATIENCE,
    progress: Callable[[int, int], object] | None = None,
) -> Visit:
    """Run a file of tests against each of the mutants.

    every: go through all tests and name all that fail, instead of stopping at the first.
    jobs: how many processes run at the same time. patience: how many seconds the tests may take with the library as it is; with
        a mutant they may take five times as long as they did.
    progress: is told how many of how many mutants are through.
    Raises: OptionError if the file cannot be read, is no Python, or one of its tests fails, hangs or depends on chance although
        the library is right; it names the test.
    """
    path = Path(tests)
    if not path.is_file():
        raise OptionError(f"mutants {path}: there is no such file")
    if find_spec("pytest") is None:
        raise OptionError("mutants: needs pytest; install minidil[classroom]")
    with tempfile.TemporaryDirectory() as scratch, _Rooms(path, backend, jobs, Path(scratch)) as rooms:
        first, second = rooms.all([("", False, patience)] * 2)
        _check(path, first, second, patience)
        seconds = max(first.seconds, second.seconds)
        if not first.passed:
            return Visit(0, seconds, tuple(Verdict(mutant, (), "", "", 0.0) for mutant in mutants))
        limit = max(_LEAST_PATIENCE, _TIMES_LONGER * seconds)
        found = rooms.all([(mutant.name, not every, limit) for mutant in mutants], progress)
        right = set(first.passed)
        verdicts = tuple(_judged(mutant, each, right) for mutant, each in zip(mutants, found, strict=True))
    return Visit(len(right), seconds, verdicts)


class _Rooms:
    """Several rooms, each for one visit at a time, as a context: all are closed at its end, whatever happens."""

    def __init__(self, tests: Path, backend: str, jobs: int, scratch: Path) -> None:
        environment = os.environ | {
            "PYTHONHASHSEED": "0",
            "CI": "true",  # Hypothesis then draws the same examples every time, and sets no deadline
            "PYTEST_ADDOPTS": "",
            **{f"{library}_NUM_THREADS": "1" for library in ("OMP", "OPENBLAS", "MKL", "NUMBA")},
        }
        command = [sys.executable, "-m", "minidil.classroom.museum.room", str(tests), backend]
        self._scratch, self._visits = scratch, 0
        self._rooms = [
            subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
                env=environment,
                start_new_session=os.name == "posix",
            )
            for _ in range(jobs)
        ]
        self._free: SimpleQueue[subprocess.Popen[str]] = SimpleQueue()
        for room in self._rooms:
            self._free.put(room)

    def __enter__(self) -> _Rooms:
        return self

    def __exit__(self, *_: object) -> None:
        for room in self._rooms:
            room.terminate()
        for room in self._rooms:
            room.communicate()

    def all(
        self, visits: Sequence[tuple[str, bool, float]], progress: Callable[[int, int], object] | None = None
    ) -> list[Found]:
        """What was found in each of the visits (mutant, whether to stop at the first failure, seconds), in their order."""
        found = []
        with ThreadPoolExecutor(len(self._rooms)) as pool:
            waiting = [pool.submit(self._one, *each) for each in visits]
            try:
                for number, each in enumerate(waiting, 1):
                    found.append(each.result())
                    if progress:
                        progress(number, len(visits))
            except BaseException:  # Ctrl-C: the visits that have begun end with their rooms
                pool.shutdown(wait=False, cancel_futures=True)
                self.__exit__()
                raise
        return found

    def _one(self, mutant: str, first: bool, limit: float) -> Found:
        from minidil.classroom.museum.room import Found

        room = self._free.get()
        folder = Path(tempfile.mkdtemp(dir=self._scratch))
        assert room.stdin is not None
        assert room.stdout is not None
        try:
            print(
                json.dumps({"folder": str(folder), "mutant": mutant, "first": first, "limit": limit}),
                file=room.stdin,
                flush=True,
            )
            line = room.stdout.readline()
        finally:
            self._free.put(room)
        if not line:
            raise OptionError(f"mutants: the process that runs the tests has ended, with exit code {room.wait()}")
        answer: dict[str, Any] = json.loads(line)
        return Found(**answer)


def _check(path: Path, first: Found, second: Found, patience: float) -> None:
    """Raises: OptionError unless both runs with the right library passed."""
    from minidil.classroom.museum.room import NEVER

    for found in (first, second):
        if found.unreadable:
            raise OptionError(f"mutants {path}: the file cannot be read: {found.unreadable}")
        if found.ended == NEVER:
            where = f"in {found.running}" if found.running else "while the file was read"
            raise OptionError(
                f"mutants {path}: {where} more than {patience:g} seconds had passed, although the library is right"
            )
        if found.ended:
            where = f"in {found.running}" if found.running else "before the first test"
            raise OptionError(f"mutants {path}: {where} the process ended, although the library is right")
    for name in first.failed | second.failed:
        reason = (first.failed | second.failed)[name]
        if name in first.failed and name in second.failed:
            raise OptionError(
                f"mutants {path}: {name} fails although the library is right, so it would say nothing of a mutant: {reason}"
            )
        raise OptionError(
            f"mutants {path}: {name} passed once and failed once with the same library; draw its numbers from a generator "
            f"with a seed: {reason}"
        )


def _judged(mutant: Mutant, found: Found, right: set[str]) -> Verdict:
    """What the tests say of a mutant: only those count that pass without it."""
    from minidil.classroom.museum.room import AT_IMPORT

    if found.ended:
        return Verdict(mutant, (found.running,) if found.running else (), found.ended, "", found.seconds)
    if found.unreadable:
        return Verdict(mutant, (), AT_IMPORT, found.unreadable, found.seconds)
    killed_by = tuple(name for name in found.failed if name in right)
    reason = found.failed[killed_by[0]] if killed_by else ""
    return Verdict(mutant, killed_by, "failed" if killed_by else "", reason, found.seconds)
