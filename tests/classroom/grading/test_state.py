"""What is remembered from one run to the next, and when it no longer holds."""

from pathlib import Path

import pytest

from minidil.classroom.grading.session import Limits
from minidil.classroom.grading.state import FILE, State, key

ANSWER = {"marks": [], "notes": ["Zoë \udcff"], "library": [], "programs": {}}


def test_an_answer_holds_for_its_contents_and_its_key(tmp_path: Path) -> None:
    State(tmp_path, "k").keep("Ann", "digest", ANSWER)
    assert State(tmp_path, "k").answer("Ann", "digest") == ANSWER
    assert State(tmp_path, "k").answer("Ann", "other") is None
    assert State(tmp_path, "k").answer("Ben", "digest") is None
    assert State(tmp_path, "other").answer("Ann", "digest") is None


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"key": "k"}', b'{"key": "k", "submissions": []}', b"\xff"])
def test_a_damaged_file_is_as_none(content: bytes, tmp_path: Path) -> None:
    (tmp_path / FILE).write_bytes(content)
    state = State(tmp_path, "k")
    assert state.answer("Ann", "digest") is None
    state.keep("Ann", "digest", ANSWER)
    assert State(tmp_path, "k").answer("Ann", "digest") == ANSWER


def test_the_key_is_of_seed_limits_and_chapters() -> None:
    keys = {key(1, Limits(), None), key(2, Limits(), None), key(1, Limits(seconds=1.0), None), key(1, Limits(), ["03"])}
    assert len(keys) == 4
    assert key(1, Limits(), None) == key(1, Limits(), None)
