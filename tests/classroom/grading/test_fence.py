"""What a process behind the fence can no longer do."""

import subprocess
import sys
from pathlib import Path

import pytest

from minidil.classroom.grading import fence

TRIES = """
import os, pathlib, signal, subprocess, sys
from minidil.classroom.grading import fence
own, outside = map(pathlib.Path, sys.argv[1:])
fence.limit(1 << 30, 100)
assert fence.shut(own)
(own / "mine").write_text("x")
os.rename(own / "mine", own / "still mine")
def refused(function, *given):
    try:
        function(*given)
    except (OSError, MemoryError) as error:
        return type(error).__name__
    return "allowed"
print(refused((outside / "secret").read_text))
print(refused((outside / "new").write_text, "x"))
print(refused(os.remove, outside / "secret"))
print(refused(os.listdir, outside))
print(refused(os.kill, os.getppid(), 0))
print(refused(bytearray, 2 << 30))
print(subprocess.run(["cat", outside / "secret"], capture_output=True).returncode)
import numpy
print(refused(lambda: __import__("minidil.classroom.register")))
"""


@pytest.mark.skipif(not fence.version(), reason="this system has no Landlock")
def test_behind_the_fence(tmp_path: Path) -> None:
    own, outside = tmp_path / "own", tmp_path / "outside"
    own.mkdir()
    outside.mkdir()
    (outside / "secret").write_text("x")
    command = [sys.executable, "-c", TRIES, str(own), str(outside)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=Path(fence.__file__).parents[3], check=False)
    signals = "PermissionError" if fence.version() >= 6 else "allowed"
    expected = ["PermissionError"] * 4 + [signals, "MemoryError", "1", "PermissionError"]
    assert done.stdout.split() == expected, done.stderr
    assert [path.name for path in own.iterdir()] == ["still mine"]
    assert [path.name for path in outside.iterdir()] == ["secret"]
