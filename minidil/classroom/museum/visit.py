"""All visits: a student's tests against the library as it is, and then against every mutant.

A test kills a mutant by failing, which says something only if it passes without the mutant. So all tests must pass first, twice,
which finds the ones that are left to chance. What a mutant makes of them counts however they fail: by an assertion, by an
exception, while the file is being read, by ending the process, or by never ending. Each visit is a process of its own.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from minidil.classroom.museum.exhibits import EXHIBITS
from minidil.classroom.museum.mutant import Mutant
from minidil.classroom.museum.notes import AT_IMPORT, NEVER, Found
from minidil.classroom.museum.rooms import Rooms, Wish
from minidil.errors import OptionError

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
    rooms: Rooms | None = None,
) -> Visit:
    """Run a file of tests against each of the mutants.

    every: go through all tests and name all that fail, instead of stopping at the first.
    jobs: how many processes run at the same time. patience: how many seconds the tests may take with the library as it is; with
        a mutant they may take five times as long as they did.
    progress: is told how many of how many mutants are through. rooms: use these, instead of opening some for this call.
    Raises: OptionError if the file cannot be read, is no Python, or one of its tests fails, hangs or depends on chance although
        the library is right; it names the test.
    """
    path = Path(tests)
    if not path.is_file():
        raise OptionError(f"mutants {path}: there is no such file")
    if find_spec("pytest") is None:
        raise OptionError("mutants: needs pytest; install minidil[classroom]")
    with Rooms(backend, jobs) if rooms is None else nullcontext(rooms) as open_rooms:
        first, second = open_rooms.all([Wish(str(path), "", False, patience)] * 2)
        _check(path, first, second, patience)
        seconds = max(first.seconds, second.seconds)
        if not first.passed:
            return Visit(0, seconds, tuple(Verdict(mutant, (), "", "", 0.0) for mutant in mutants))
        limit = max(_LEAST_PATIENCE, _TIMES_LONGER * seconds)
        wishes = [Wish(str(path), mutant.name, not every, limit) for mutant in mutants]
        found = open_rooms.all(wishes, progress)
    right = set(first.passed)
    verdicts = tuple(_judged(mutant, each, right) for mutant, each in zip(mutants, found, strict=True))
    return Visit(len(right), seconds, verdicts)


def _check(path: Path, first: Found, second: Found, patience: float) -> None:
    """Raises: OptionError unless both runs with the right library passed."""
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
    if found.ended:
        return Verdict(mutant, (found.running,) if found.running else (), found.ended, "", found.seconds)
    if found.unreadable:
        return Verdict(mutant, (), AT_IMPORT, found.unreadable, found.seconds)
    killed_by = tuple(name for name in found.failed if name in right)
    reason = found.failed[killed_by[0]] if killed_by else ""
    return Verdict(mutant, killed_by, "failed" if killed_by else "", reason, found.seconds)
