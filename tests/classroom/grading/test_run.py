"""The grader's own processes: one that falls over is no student's fault, and is tried once more."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("nbclient")

from minidil.classroom.grading.collect import submissions
from minidil.classroom.grading.run import Orders, answers
from minidil.classroom.grading.session import Limits

ORDERS = Orders(seed=1, limits=Limits(), chapters=None, given={})


def answered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, program: str) -> tuple[dict[str, Any], int]:
    """What one submission gets from workers that run this program, and how many there were."""
    (tmp_path / "class").mkdir()
    (tmp_path / "class" / "ann.ipynb").write_text("{}")
    (tmp_path / "scratch").mkdir()
    begun: list[subprocess.Popen[bytes]] = []
    start = subprocess.Popen

    def popen(command: list[str], **named: Any) -> "subprocess.Popen[bytes]":
        begun.append(start([sys.executable, "-c", program, str(len(begun))], **named))
        return begun[-1]

    monkeypatch.setattr(subprocess, "Popen", popen)
    ((_, answer),) = answers(submissions(tmp_path / "class"), ORDERS, tmp_path / "scratch", 1)
    return answer, len(begun)


ANSWER = {"marks": [], "notes": ["read"], "library": [], "programs": {}}


@pytest.mark.slow
def test_a_process_that_falls_over_is_started_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = f"import sys\nif sys.argv[1] == '0': raise OSError('no port')\nprint('''{json.dumps(ANSWER)}''')"
    assert answered(tmp_path, monkeypatch, program) == (ANSWER, 2)


@pytest.mark.slow
def test_one_that_falls_over_twice_is_told_with_its_last_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    answer, begun = answered(tmp_path, monkeypatch, "raise OSError('no port')")
    assert answer == {"failed": "its process ended with 1: OSError: no port"}
    assert begun == 2
