"""A function that does not end is stopped, in whatever it is and in whichever thread; one that ends is left alone."""

import sys
import threading
import time

import pytest

from minidil.classroom.watch import TimedOut, interrupted_after


def forever() -> None:
    while True:
        pass


def test_a_loop_without_end_is_stopped() -> None:
    started = time.monotonic()
    with pytest.raises(TimedOut), interrupted_after(0.1):
        forever()
    assert time.monotonic() - started < 5


def test_in_another_thread_too() -> None:
    ended = []

    def work() -> None:
        try:
            with interrupted_after(0.1):
                forever()
        except TimedOut:
            ended.append("stopped")

    thread = threading.Thread(target=work)
    thread.start()
    thread.join(5)
    assert ended == ["stopped"]


def test_a_loop_that_catches_exceptions_is_stopped() -> None:
    def catching() -> None:
        while True:
            try:
                sum(range(10))
            except Exception:
                continue

    with pytest.raises(TimedOut), interrupted_after(0.1):
        catching()


def test_a_loop_that_swallows_it_once_is_asked_again() -> None:
    swallowed = []

    def swallowing() -> None:
        while len(swallowed) < 2:
            try:
                forever()
            except TimedOut:
                swallowed.append(1)
        forever()

    with pytest.raises(TimedOut), interrupted_after(0.05):
        swallowing()
    assert len(swallowed) == 2


def test_nothing_arrives_once_the_block_is_left() -> None:
    """Blocks that end just when their time is over: the interruption arrives in them or not at all."""
    outcomes = set()
    for _ in range(20):
        try:
            with interrupted_after(0.02):
                end = time.monotonic() + 0.02
                while time.monotonic() < end:
                    pass
            outcomes.add("ended")
        except TimedOut:
            outcomes.add("stopped")
        for _ in range(1000):
            pass
    assert outcomes <= {"ended", "stopped"}


def test_blocks_may_lie_in_each_other() -> None:
    def inner() -> None:
        with interrupted_after(60):
            pass
        forever()

    with pytest.raises(TimedOut), interrupted_after(0.2):
        inner()


def test_tracing_still_works_afterwards() -> None:
    """Python 3.11 hangs in a traced function if an interruption was taken back."""
    with pytest.raises(TimedOut), interrupted_after(0.05):
        forever()
    lines = 0

    def trace(frame: object, event: str, argument: object) -> object:
        nonlocal lines
        lines += event == "line"
        return trace

    def traced() -> None:
        for _ in range(3):
            pass

    before = sys.gettrace()
    sys.settrace(trace)  # type: ignore[arg-type]
    traced()
    sys.settrace(before)
    assert lines > 3
