"""How wide the output may be: that of the terminal it goes to, and of no other."""

import io
import os
import struct
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from typing import TextIO

import pytest

from minidil.terminal import fill, room


@pytest.fixture
def terminal() -> Iterator[TextIO]:
    """A stream to a terminal of 47 columns."""
    fcntl, termios = pytest.importorskip("fcntl"), pytest.importorskip("termios")
    with ExitStack() as stack:
        main, end = os.openpty()
        stack.callback(os.close, main)
        stream = stack.enter_context(os.fdopen(end, "w"))
        fcntl.ioctl(end, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 47, 0, 0))
        yield stream


def test_a_line_is_broken_between_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "12")
    assert fill("test loss 0.1, accuracy 9 in /a/long-path/indeed") == (
        "test loss\n  0.1,\n  accuracy 9\n  in\n  /a/long-path/indeed"
    )
    assert fill("in /a/long-path/indeed", break_words=True) == "in /a/long-p\n  ath/indeed"
    assert fill("short enough") == "short enough"


def test_the_width_is_that_of_the_terminal_that_is_written_to(
    terminal: TextIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdout", terminal)
    assert room() == 47
    monkeypatch.setenv("COLUMNS", "30")
    assert room() == 30
    for nothing in ("0", "", "-3", "many"):
        monkeypatch.setenv("COLUMNS", nothing)
        assert room() == 47


def test_output_that_goes_elsewhere_has_room_for_all(terminal: TextIO, monkeypatch: pytest.MonkeyPatch) -> None:
    """Even where the process itself was started from a terminal."""
    monkeypatch.setattr(sys, "__stdout__", terminal)
    for stream in (io.StringIO(), None):
        monkeypatch.setattr(sys, "stdout", stream)
        assert room() == 10_000
    with open(os.devnull, "w") as file:
        monkeypatch.setattr(sys, "stdout", file)
        assert room() == 10_000
