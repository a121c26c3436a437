"""All visits: a student's tests against the library as it is, and then against every mutant.

A test kills a mutant by failing, which says something only if it passes without the mutant. So all tests must pass first, twice,
which finds the ones that are left to chance. What a mutant makes of them counts however they fail: by an assertion, by an
exception, while the file is being read, by ending the process, or by never ending. Each visit is a process of its own.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from threading import Event
from typing import Any

from minidil.classroom.museum.exhibits import EXHIBITS
from minidil.classroom.museum.mutant import Mutant
from minidil.classroom.museum.names import FOUND, RUNNING
from minidil.errors import OptionError

PATIENCE = 60.0  # seconds that the tests may take with the library as it is
_LEAST_PATIENCE, _TIMES_LONGER = 10.0, 5
_WHOLE = (0, 1, 5)  # pytest's exit codes where it went through all tests: all passed, some failed, there were none
_AT_IMPORT, _AT_ONCE, _NEVER = "while the file was read", "by ending the process", "by never ending"


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


@dataclass
class _Found:
    """What one process left."""

    failed: dict[str, str] = field(default_factory=dict)
    passed: list[str] = field(default_factory=list)
    unreadable: str = ""
    ended: str = ""  # how, if it did not come to its end: one of the three ways above
    running: str = ""
    seconds: float = 0.0


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
    stop = Event()
    with tempfile.TemporaryDirectory() as scratch, ThreadPoolExecutor(jobs) as pool:
        try:
            tries = [
                pool.submit(_run, path, Path(scratch) / f"right-{seed}", "", backend, False, patience, stop, seed)
                for seed in (0, 1)
            ]
            first, second = (each.result() for each in tries)
            _check(path, first, second, patience)
            count, seconds = len(first.passed), max(first.seconds, second.seconds)
            limit = max(_LEAST_PATIENCE, _TIMES_LONGER * seconds)
            if not count:
                return Visit(0, seconds, tuple(Verdict(mutant, (), "", "", 0.0) for mutant in mutants))
            waiting = [
                pool.submit(_run, path, Path(scratch) / mutant.name, mutant.name, backend, not every, limit, stop)
                for mutant in mutants
            ]
            verdicts = []
            for number, (mutant, found) in enumerate(zip(mutants, waiting, strict=True), 1):
                verdicts.append(_judged(mutant, found.result(), set(first.passed)))
                if progress:
                    progress(number, len(mutants))
        finally:
            stop.set()  # so that Ctrl-C leaves no process behind
            pool.shutdown(cancel_futures=True)
    return Visit(count, seconds, tuple(verdicts))


def _run(
    path: Path, notes: Path, name: str, backend: str, first: bool, limit: float, stop: Event, seed: int = 0
) -> _Found:
    """The tests in a process of their own. What they print goes nowhere."""
    notes.mkdir()
    command = [sys.executable, "-m", "minidil.classroom.museum.room"]
    command += [str(path), str(notes), name, backend, "1" if first else "0"]
    environment = os.environ | {
        "PYTHONHASHSEED": str(seed),
        "HYPOTHESIS_STORAGE_DIRECTORY": str(notes / "hypothesis"),
        "CI": "true",  # Hypothesis then draws the same examples every time, and sets no deadline
        "PYTEST_ADDOPTS": "",
        **{f"{library}_NUM_THREADS": "1" for library in ("OMP", "OPENBLAS", "MKL", "NUMBA")},
    }
    begun = time.monotonic()
    quiet = subprocess.DEVNULL
    process = subprocess.Popen(
        command, stdin=quiet, stdout=quiet, stderr=quiet, env=environment, start_new_session=os.name == "posix"
    )
    ended = ""
    while process.poll() is None:
        if stop.is_set() or time.monotonic() - begun > limit:
            ended = _NEVER
            break
        try:
            process.wait(0.05)
        except subprocess.TimeoutExpired:
            continue
    _end(process)
    seconds = time.monotonic() - begun
    running = (notes / RUNNING).read_text(encoding="utf-8") if (notes / RUNNING).exists() else ""
    if not (notes / FOUND).exists():
        return _Found(ended=ended or _AT_ONCE, running=running, seconds=seconds)
    found: dict[str, Any] = json.loads((notes / FOUND).read_text(encoding="utf-8"))
    whole = found.pop("code") in _WHOLE or found["unreadable"]
    return _Found(**found, ended="" if whole else _AT_ONCE, running=running, seconds=seconds)


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a process and those that it has started."""
    if os.name == "posix":
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            pass
    elif process.poll() is None:
        process.kill()
    process.wait()


def _check(path: Path, first: _Found, second: _Found, patience: float) -> None:
    """Raises: OptionError unless both runs with the right library passed."""
    for found in (first, second):
        if found.unreadable:
            raise OptionError(f"mutants {path}: the file cannot be read: {found.unreadable}")
        if found.ended == _NEVER:
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


def _judged(mutant: Mutant, found: _Found, right: set[str]) -> Verdict:
    """What the tests say of a mutant: only those count that pass without it."""
    if found.ended:
        return Verdict(mutant, (found.running,) if found.running else (), found.ended, "", found.seconds)
    if found.unreadable:
        return Verdict(mutant, (), _AT_IMPORT, found.unreadable, found.seconds)
    killed_by = tuple(name for name in found.failed if name in right)
    reason = found.failed[killed_by[0]] if killed_by else ""
    return Verdict(mutant, killed_by, "failed" if killed_by else "", reason, found.seconds)
