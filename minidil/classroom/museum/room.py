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
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import pytest

from minidil import functional
from minidil.classroom.museum.exhibits import EXHIBITS
from minidil.classroom.museum.mutant import plant
from minidil.kernels.backend import use

AT_IMPORT, AT_ONCE, NEVER = "while the file was read", "by ending the process", "by never ending"
_WHOLE = (0, 1, 5)  # pytest's exit codes where it went through all tests: all passed, some failed, there were none
_RUNNING, _FOUND = "running", "found.json"
_OFTEN_USED = (
    "hypothesis",
    "hypothesis.extra.numpy",
    "numpy.testing",
    "minidil.testing",
    "minidil.train",
    "minidil.nn",
)


@dataclass
class Found:
    """What became of the tests in one visit.

    failed: why, by the name of the test. passed: the names. unreadable: why the file could not be read, if so.
    ended: how, if they did not come to their end: AT_ONCE or NEVER; running is the test that had begun last.
    """

    failed: dict[str, str] = field(default_factory=dict)
    passed: list[str] = field(default_factory=list)
    unreadable: str = ""
    ended: str = ""
    running: str = ""
    seconds: float = 0.0


class Notes:
    """A plugin of pytest's that keeps count. A test has failed if it, or what it needs before and after, has."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.found = Found()

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        (self.folder / _RUNNING).write_text(_name(nodeid), encoding="utf-8")

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        name = _name(report.nodeid)
        if report.failed:
            self.found.failed.setdefault(name, _reason(report))
        elif report.when == "call" and report.passed:
            self.found.passed.append(name)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.failed:
            self.found.unreadable = self.found.unreadable or _reason(report)

    def close(self, code: int) -> None:
        """Write down what was found. code: pytest's exit code."""
        self.found.ended = "" if code in _WHOLE or self.found.unreadable else AT_ONCE
        waiting = self.folder / (_FOUND + ".new")
        waiting.write_text(json.dumps(asdict(self.found)), encoding="utf-8")
        waiting.replace(self.folder / _FOUND)


def _name(nodeid: str) -> str:
    return nodeid.partition("::")[2] or nodeid


def _reason(report: Any) -> str:
    """The line that says what went wrong: the exception, or what pytest says of an assertion."""
    crash = getattr(report.longrepr, "reprcrash", None)
    text = crash.message if crash else str(report.longrepr)
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if not lines:
        return "it failed"
    if not crash:
        return lines[-1].removeprefix("E").strip()
    return " ".join(lines[:2]) if lines[0].endswith(":") else lines[0]


def _tests(tests: str, folder: Path, mutant: str, first: bool) -> None:
    """Run them in this process, with the mutant of that name; none if it is empty."""
    sys.argv[1:] = []  # which mutant it is, tests are to find out
    sys.dont_write_bytecode = True  # nothing is to appear beside the student's file
    os.environ["HYPOTHESIS_STORAGE_DIRECTORY"] = str(folder / "hypothesis")
    for each in EXHIBITS:
        if each.name == mutant:
            plant(each)
    notes = Notes(folder)
    settings = folder / "pytest.ini"  # whatever project the file may lie in, its settings are for other tests
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
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)
        while not self.poll():
            time.sleep(0.001)


class _Spawn:
    """A child that imports everything anew, where forking is not safe."""

    def __init__(self, tests: str, folder: Path, mutant: str, first: bool) -> None:
        command = [sys.executable, "-m", __spec__.name, sys.argv[1], tests, str(folder), mutant, str(int(first))]
        quiet = subprocess.DEVNULL
        self._process = subprocess.Popen(command, stdin=quiet, stdout=quiet, stderr=quiet)

    def poll(self) -> bool:
        """Whether it has ended."""
        return self._process.poll() is not None

    def end(self) -> None:
        """End it."""
        self._process.kill()
        self._process.wait()


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
    found = Found(ended=NEVER if late else AT_ONCE)
    if (folder / _FOUND).exists():
        found = Found(**json.loads((folder / _FOUND).read_text(encoding="utf-8")))
    if (folder / _RUNNING).exists():
        found.running = (folder / _RUNNING).read_text(encoding="utf-8")
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
    hasattr(
        functional, "pytestmark"
    )  # pytest asks every module for it, and the first answer to a wrong name takes its time
    for line in sys.stdin:
        request = json.loads(line)
        request["folder"] = Path(request["folder"])
        print(json.dumps(asdict(_visit(**request))), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
