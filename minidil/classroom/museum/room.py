"""One visit: a process of its own that plants one mutant, runs a student's tests, and writes down which of them failed.

`python -m minidil.classroom.museum.room TESTS NOTES MUTANT BACKEND FIRST`: NOTES is a folder of its own, in which `running` says
which test has begun, and `found.json`, which is there only if all went to its end, what became of them. MUTANT is empty for the
library as it is. FIRST is 1 to stop at the first failure.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from minidil.classroom.museum.exhibits import EXHIBITS
from minidil.classroom.museum.mutant import plant
from minidil.classroom.museum.names import FOUND, RUNNING
from minidil.kernels.backend import use


class Notes:
    """A plugin of pytest's that keeps count. A test has failed if it, or what it needs before and after, has."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.failed: dict[str, str] = {}
        self.passed: list[str] = []
        self.unreadable = ""

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        (self.folder / RUNNING).write_text(_name(nodeid), encoding="utf-8")

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        name = _name(report.nodeid)
        if report.failed:
            self.failed.setdefault(name, _reason(report))
        elif report.when == "call" and report.passed:
            self.passed.append(name)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.failed:
            self.unreadable = self.unreadable or _reason(report)

    def close(self, code: int) -> None:
        """Write down what was found. code: pytest's exit code."""
        found = {"failed": self.failed, "passed": self.passed, "unreadable": self.unreadable, "code": code}
        waiting = self.folder / (FOUND + ".new")
        waiting.write_text(json.dumps(found), encoding="utf-8")
        waiting.replace(self.folder / FOUND)


def _name(nodeid: str) -> str:
    return nodeid.partition("::")[2] or nodeid


def _reason(report: Any) -> str:
    """The last line of what went wrong: the exception, or what pytest says of an assertion."""
    crash = getattr(report.longrepr, "reprcrash", None)
    text = crash.message if crash else str(report.longrepr)
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if not lines:
        return "it failed"
    return lines[0] if crash else lines[-1].removeprefix("E").strip()


def main(argv: list[str]) -> int:
    """Returns pytest's exit code."""
    tests, folder, name, backend, first = argv
    sys.argv[1:] = []  # which mutant it is, tests are to find out
    sys.dont_write_bytecode = True  # nothing is to appear beside the student's file
    use(backend)
    for mutant in EXHIBITS:
        if mutant.name == name:
            plant(mutant)
    notes = Notes(Path(folder))
    settings = Path(folder) / "pytest.ini"  # whatever project the file may lie in, its settings are for other tests
    settings.write_text("[pytest]\n", encoding="utf-8")
    options = ["-q", "-p", "no:cacheprovider", "-c", str(settings), "--rootdir", str(Path(tests).resolve().parent)]
    code = pytest.main([tests, *options, *(["-x"] if first == "1" else [])], plugins=[notes])
    notes.close(int(code))
    return int(code)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
