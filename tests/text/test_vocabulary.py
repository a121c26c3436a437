"""Vocabulary: the numbers of words, and its file."""

from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from minidil.errors import DataError, OptionError
from minidil.text import PADDING, UNKNOWN, Vocabulary

SENTENCES = [["b", "a", "b"], ["c", "a", "b"], ["d"], []]


def test_the_most_frequent_come_first_and_equals_by_the_alphabet() -> None:
    vocabulary = Vocabulary.of(SENTENCES)
    assert vocabulary.words == ("b", "a", "c", "d")
    assert len(vocabulary) == 6
    ids = vocabulary.encode(["a", "x", "b"])
    assert ids.dtype == np.int64
    assert_array_equal(ids, [3, UNKNOWN, 2])
    assert vocabulary.decode([*ids, PADDING]) == ["a", "<unknown>", "b", "<padding>"]
    assert vocabulary.encode([]).shape == (0,)
    assert vocabulary.encode([]).dtype == np.int64
    assert "a" in vocabulary
    assert "x" not in vocabulary
    assert Vocabulary.of(SENTENCES, min_count=2) == Vocabulary(["b", "a"]) != vocabulary


def test_no_word_is_padding() -> None:
    assert_array_equal(Vocabulary(["a"]).encode(["<padding>", "<unknown>"]), [UNKNOWN, UNKNOWN])
    assert_array_equal(Vocabulary.of([["<padding>", "a"]]).encode(["<padding>"]), [2])


def test_it_is_kept_in_a_file(tmp_path: Path) -> None:
    vocabulary = Vocabulary(["it", "n't", "हिन्दी", "\ud800", '"'])
    vocabulary.save(tmp_path / "v.json")
    assert Vocabulary.load(tmp_path / "v.json") == vocabulary


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"[]", 'is not a vocabulary: it must be an object with "format": 1'),
        (b'{"format": 2, "words": []}', '"format": 1'),
        (b'{"format": 1}', "is not a vocabulary: 'words'"),
        (b'{"format": 1, "words": [3]}', "words are str, not 3"),
        (b'{"format": 1, "words": [[]]}', r"words are str, not \[\]"),
        (b'{"format": 1, "words": ["a", "b", "a"]}', "the word 'a' is there twice"),
        (b'{"format"', "is not a vocabulary"),
        (b"\xff", "is not a vocabulary"),
    ],
)
def test_another_file_is_refused_by_name(tmp_path: Path, content: bytes, reason: str) -> None:
    path = tmp_path / "v.json"
    path.write_bytes(content)
    with pytest.raises(DataError, match=rf"v\.json {reason}" if reason.startswith("is") else reason):
        Vocabulary.load(path)


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"v\.json does not exist"):
        Vocabulary.load(tmp_path / "v.json")


def test_what_is_refused() -> None:
    with pytest.raises(OptionError, match="min_count must be an int >= 1, not 0"):
        Vocabulary.of(SENTENCES, min_count=0)
    for use in (Vocabulary(["a"]).encode, lambda text: Vocabulary.of([text])):
        with pytest.raises(OptionError, match=r"takes lists of words, not the text 'a b'; cut it with text\.words"):
            use("a b")
    with pytest.raises(OptionError, match=r"3 is no number of a word; they are 0\.\.2"):
        Vocabulary(["a"]).decode([3])
