"""What a visit finds out, and how it is written down while pytest is running."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pytest

AT_IMPORT, AT_ONCE, NEVER = "while the file was read", "by ending the process", "by never ending"
_WHOLE = (0, 1, 5)  # pytest's exit codes where it went through all tests: all passed, some failed, there were none
_RUNNING, _FOUND = "running", "found.json"


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


def read(folder: Path) -> Found:
    """What the notes in a folder say. If they were never closed, the process has ended at once, or was ended."""
    closed = (folder / _FOUND).exists()
    found = Found(**json.loads((folder / _FOUND).read_text(encoding="utf-8"))) if closed else Found(ended=AT_ONCE)
    if (folder / _RUNNING).exists():
        found.running = (folder / _RUNNING).read_text(encoding="utf-8")
    return found


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
