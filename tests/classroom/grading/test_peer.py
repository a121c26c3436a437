"""Two ends of a socket that call each other's functions."""

import contextlib
import socket
import threading
import traceback
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from minidil.classroom.grading.peer import Gone, Peer


def _fails() -> None:
    raise KeyError("no such key")


def _own() -> None:
    raise type("OwnError", (Exception,), {})("in its own words")


def _changes(x: Any, parts: list[int], table: dict[str, int]) -> None:
    x *= 2
    parts.append(7)
    table["new"] = 1


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "add": lambda a, b=1: a + b,
    "twice": lambda f, x: f(f(x)),
    "maker": lambda n: lambda x: x * n,
    "fails": _fails,
    "own": _own,
    "leaves": lambda: (_ for _ in ()).throw(SystemExit(3)),
    "changes": _changes,
}


@pytest.fixture
def peer() -> Iterator[Peer]:
    """An end whose other end serves FUNCTIONS."""
    here, there = socket.socketpair()

    def serve() -> None:
        with contextlib.suppress(Gone):
            Peer(there).serve(FUNCTIONS)
        there.close()

    thread = threading.Thread(target=serve)
    thread.start()
    peer = Peer(here)
    yield peer
    peer.close()
    thread.join(5)
    assert not thread.is_alive()


def test_values_and_functions_go_both_ways(peer: Peer) -> None:
    assert peer.call("add", (2,), {"b": 5}) == 7
    assert peer.call("twice", (lambda x: x + 10, 1), {}) == 21
    assert peer.call("maker", (3,), {})(np.arange(2)).tolist() == [0, 3]


def test_what_is_changed_in_place_is_changed_here(peer: Peer) -> None:
    x, parts, table = np.ones(2), [1], {"old": 0}
    peer.call("changes", (x, parts), {"table": table})
    assert x.tolist() == [2, 2]
    assert parts == [1, 7]
    assert table == {"old": 0, "new": 1}


def test_errors_keep_their_names_and_the_line_stays_open(peer: Peer) -> None:
    with pytest.raises(KeyError, match="'no such key'") as known:
        peer.call("fails", (), {})
    assert str(known.value) == "'no such key'"
    with pytest.raises(Exception, match="in its own words") as own:
        peer.call("own", (), {})
    assert type(own.value).__name__ == "OwnError"
    with pytest.raises(type(own.value), match="in its own words"):  # the same class, call after call
        peer.call("own", (), {})
    with pytest.raises(Exception, match="3") as left:
        peer.call("leaves", (), {})
    assert type(left.value).__name__ == "SystemExit"
    assert peer.call("add", (1,), {}) == 2


def test_an_unknown_function_ends_it(peer: Peer) -> None:
    with pytest.raises(Gone):
        peer.call("nothing", (), {})
    with pytest.raises(Gone):
        peer.call("add", (1,), {})


def other_says(message: bytes) -> Peer:
    """An end whose other end says this and is gone."""
    here, there = socket.socketpair()
    there.sendall(message)
    there.close()
    return Peer(here)


@pytest.mark.parametrize("message", [b"", b"\xff" * 8, b"\0" * 7 + b"\4" + b"nope", b"\0" * 7 + b"\1"])
def test_an_end_that_talks_nonsense_is_gone(message: bytes) -> None:
    peer = other_says(message)
    with pytest.raises(Gone):
        peer.call("add", (1,), {})
    assert peer.broken is not None
    peer.close()


def test_who_ends_it_is_not_waited_for() -> None:
    here, there = socket.socketpair()
    peer = Peer(here)

    def end() -> None:
        peer.broken = Gone("its process was ended")

    threading.Timer(0.1, end).start()
    with pytest.raises(Gone, match="was ended"):
        peer.call("add", (1,), {})
    there.close()
    peer.close()


def test_the_students_line_is_shown() -> None:
    here, there = socket.socketpair()
    told = {
        "kind": "ZeroDivisionError",
        "says": "by zero",
        "file": "your cell",
        "line": 2,
        "function": "f",
        "source": "def f():\n    1/0\n",
    }

    def serve() -> None:
        Peer(there, lambda error: told).serve({"f": lambda: 1 / 0})

    thread = threading.Thread(target=serve)
    thread.start()
    peer = Peer(here)
    with pytest.raises(ZeroDivisionError) as error:
        peer.call("f", (), {})
    peer.done()
    thread.join(5)
    peer.close()
    there.close()
    last = traceback.extract_tb(error.value.__traceback__)[-1]
    assert (last.filename, last.lineno, last.name, last.line) == ("your cell", 2, "f", "1/0")
