"""A process is ended by the work that it has done, and by the clock only after much longer."""

import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from minidil.classroom.grading.watchdog import BY_THE_CLOCK, Watchdog

Process = subprocess.Popen[bytes]


@pytest.fixture
def started(request: pytest.FixtureRequest) -> Iterator[Process]:
    """A Python process with the code of the parameter."""
    process = subprocess.Popen([sys.executable, "-S", "-c", request.param])
    yield process
    process.kill()
    process.wait()


def bitten(process: Process, seconds: float, patience: float) -> float | None:
    """After how long it was killed, if it was."""
    dog = Watchdog(process.pid, seconds, process.kill)
    dog.begin()
    began = time.monotonic()
    while time.monotonic() < began + patience and not dog.bit:
        time.sleep(0.02)
    dog.stop()
    return time.monotonic() - began if dog.bit else None


@pytest.mark.parametrize("started", ["while True: pass"], indirect=True)
def test_a_loop_is_ended(started: Process) -> None:
    assert bitten(started, 0.1, 60) is not None
    assert started.wait(10) != 0


@pytest.mark.slow
@pytest.mark.parametrize("started", ["import time; time.sleep(100)"], indirect=True)
def test_who_waits_has_more_time(started: Process) -> None:
    after = bitten(started, 0.1, 60)
    assert after is not None
    assert after > 0.1 * BY_THE_CLOCK


@pytest.mark.slow
@pytest.mark.parametrize("started", ["while True: pass"], indirect=True)
def test_between_two_tasks_nothing_is_counted(started: Process) -> None:
    dog = Watchdog(started.pid, 0.05, started.kill)
    time.sleep(0.5)
    assert not dog.bit
    dog.begin()
    dog.end()
    time.sleep(0.5)
    assert not dog.bit
    assert started.poll() is None
    dog.stop()
