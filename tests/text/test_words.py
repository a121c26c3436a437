"""Cutting sentences into words."""

import pytest

from minidil.text import words


@pytest.mark.parametrize(
    ("sentence", "expected"),
    [
        ("It isn't Tom's.", ["it", "is", "n't", "tom", "'s", "."]),
        ("he'd've, at 5 o'clock", ["he", "'d", "'ve", ",", "at", "5", "o'clock"]),
        ("the film 's n't bad", ["the", "film", "'s", "n't", "bad"]),  # cut already
        ("\u2018It\u2019s\u2019 well-made (?)", ["'", "it", "'s", "'", "well", "-", "made", "(", "?", ")"]),
        ("'tis rock'n'roll's", ["'", "tis", "rock'n'roll", "'s"]),
        ("can't 'SCENE' 'scene", ["ca", "n't", "'", "scene", "'", "'", "scene"]),
        ("na\u00efve", ["na\u00efve"]),
        ("nai\u0308ve", ["na\u00efve"]),  # the diaeresis as a mark of its own
        ("x\u0302\u0331 y", ["x\u0331\u0302", "y"]),  # no composed form
        ("हिन्दी में", ["हिन्दी", "में"]),  # vowel signs are marks
        ("\u00a0\t\n\x00\x7f\u2003", []),
        ("", []),
        ("\U0001f44d\U0001f44d", ["\U0001f44d", "\U0001f44d"]),
    ],
)
def test_sentences(sentence: str, expected: list[str]) -> None:
    assert words(sentence) == expected


def test_what_was_cut_stays_as_it_is() -> None:
    once = words("It isn't Tom's o'clock; he'd've said \u201cna\u00efve\u201d, wouldn't he?")
    assert words(" ".join(once)) == once
