"""The room where visits take place: a process that has everything imported, and runs a student's tests once for each request.

`python -m minidil.classroom.museum.room BACKEND` reads requests from standard input, one in a line, and answers each with
a line. For every visit it makes a child of its own, which plants the mutant, runs the tests, writes down what became of them, and
is ended when its time is over. On Linux the child is a fork, which need not import anything again.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from minidil import functional
from minidil.classroom.museum.exhibits import EXHIBITS
from minidil.classroom.museum.mutant import plant
from minidil.classroom.museum.notes import NEVER, Found, Notes, read
from minidil.kernels.backend import use

_SETTINGS = "pytest.ini"
_OFTEN_USED = ("hypothesis", "hypothesis.extra.numpy", "numpy.testing", "minidil.testing", "minidil.train")


def _tests(tests: str, folder: Path, mutant: str, first: bool) -> None:
    """Run them in this process, with the mutant of that name; none if it is empty."""
    sys.argv[1:] = []  # which mutant it is, tests are to find out
    sys.dont_write_bytecode = True  # nothing is to appear beside the student's file
    os.environ["HYPOTHESIS_STORAGE_DIRECTORY"] = str(folder / "hypothesis")
    if mutant:
        plant(next(each for each in EXHIBITS if each.name == mutant))
    notes = Notes(folder)
    settings = folder / _SETTINGS  # whatever project the file may lie in, its settings are for other tests
    settings.write_text("[pytest]\n", encoding="utf-8")
    options = ["-q", "-p", "no:cacheprovider", "-c", str(settings), "--rootdir", str(Path(tests).resolve().parent)]
    notes.close(int(pytest.main([tests, *options, *(["-x"] if first else [])], plugins=[notes])))


class _Fork:
    """A child with all that is imported here. What it prints goes nowhere."""

    def __init__(self, *arguments: Any) -> None:
        self.pid = os.fork()
        if not self.pid:
            try:
                os.setsid()
                quiet = os.open(os.devnull, os.O_RDWR)
                for number in (0, 1, 2):
                    os.dup2(quiet, number)
                signal.signal(signal.SIGTERM, signal.SIG_DFL)
                _tests(*arguments)
            finally:
                os._exit(0)
        self._ended = False

    def poll(self) -> bool:
        """Whether it has ended."""
        self._ended = self._ended or os.waitpid(self.pid, os.WNOHANG)[0] != 0
        return self._ended

    def end(self) -> None:
        """End it, and what it has started."""
        _end_group(self.pid)
        while not self.poll():
            time.sleep(0.001)


class _Spawn:
    """A child that imports everything anew, where forking is not safe."""

    def __init__(self, tests: str, folder: Path, mutant: str, first: bool) -> None:
        command = [sys.executable, "-m", __spec__.name, sys.argv[1], tests, str(folder), mutant, str(int(first))]
        quiet = subprocess.DEVNULL
        self._grouped = os.name == "posix"
        self._process = subprocess.Popen(
            command, stdin=quiet, stdout=quiet, stderr=quiet, start_new_session=self._grouped
        )

    def poll(self) -> bool:
        """Whether it has ended."""
        return self._process.poll() is not None

    def end(self) -> None:
        """End it and, but on Windows, what it has started."""
        if self._grouped:
            _end_group(self._process.pid)
        else:
            self._process.kill()
        self._process.wait()


def _end_group(leader: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(leader, signal.SIGKILL)


def _visit(tests: str, folder: Path, mutant: str, first: bool, limit: float) -> Found:
    """One visit in a child, for at most `limit` seconds."""
    begun = time.monotonic()
    child = (_Fork if sys.platform == "linux" else _Spawn)(tests, folder, mutant, first)
    try:
        late = False
        while not child.poll() and not late:
            time.sleep(0.005)
            late = time.monotonic() - begun > limit
    finally:
        child.end()
    if not (folder / _SETTINGS).exists():  # which is no fault of the tests, and must not pass for one
        raise RuntimeError(f"museum: the visit to {mutant or 'the library'} did not come to the tests")
    found = read(folder)
    if late and found.ended:
        found.ended = NEVER
    found.seconds = time.monotonic() - begun
    return found


def _stopped(*_: object) -> None:
    raise SystemExit(143)


def main(argv: list[str]) -> None:
    """argv: the backend and, in a child that was not forked, what `_tests` takes, with 1 to stop at the first failure."""
    backend, *once = argv
    use(backend)
    if once:
        tests, folder, mutant, first = once
        _tests(tests, Path(folder), mutant, first == "1")
        return
    signal.signal(signal.SIGTERM, _stopped)
    for each in EXHIBITS:
        each.function()
    for module in _OFTEN_USED:
        with contextlib.suppress(ImportError):
            importlib.import_module(module)
    # pytest asks every module for this, and the first answer to a name that is wrong takes its time
    hasattr(functional, "pytestmark")
    for line in sys.stdin:
        request = json.loads(line)
        request["folder"] = Path(request["folder"])
        print(json.dumps(asdict(_visit(**request))), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
