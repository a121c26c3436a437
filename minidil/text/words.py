"""Cutting a sentence into words."""

import re
import unicodedata
from functools import cache
from itertools import groupby

_APOSTROPHES = str.maketrans({"\u2019": "'", "\u2018": "'", "\u02bc": "'"})
_CLITICS = "s|re|ve|d|ll|m"
_CONTRACTED = re.compile(f"(.+?)(n't|'(?:{_CLITICS}))")
_LAST_MARK = 0x1E94A  # the last code point of a combining mark but for the selectors of variants
_SELECTORS = range(0xE0100, 0xE01F0)


def words(sentence: str) -> list[str]:
    """The words of a sentence, small letters: "It isn't Tom's." -> it, is, n't, tom, 's, .

    A word is a run of letters, digits, underscores and the marks that combine with them, of any script; what else is not white
    space or a control character is a word of one character. English contractions are cut as in the Penn Treebank: n't, 's,
    're, 've, 'd, 'll and 'm are words; another apostrophe between letters, as in o'clock, belongs to the word. Curly
    apostrophes count as straight ones. Before, the text is put into Unicode's composed form (NFC), so that an accent written
    as a mark of its own makes no other word. Scripts without spaces, such as Chinese, are not cut.
    Source: Marcus, Santorini & Marcinkiewicz 1993, "Building a large annotated corpus of English: the Penn Treebank".
    """
    plain = unicodedata.normalize("NFC", sentence).lower().translate(_APOSTROPHES)
    found = (_pattern() if plain.isascii() else _pattern(_marks())).findall(plain)
    return [part for word in found for part in (_parts(word) if "'" in word else (word,))]


def _parts(word: str) -> list[str]:
    """he'd've -> he, 'd, 've."""
    match = _CONTRACTED.fullmatch(word)
    return [*_parts(match[1]), match[2]] if match else [word]


@cache
def _pattern(marks: str = "") -> re.Pattern[str]:
    letter = rf"[\w{marks}]"
    return re.compile(rf"{letter}+(?:'{letter}+)*|'(?:{_CLITICS})(?!{letter})|[^\s\x00-\x1f\x7f-\x9f]")


@cache
def _marks() -> str:
    """All combining marks, as ranges of a pattern."""
    codes = [code for code in (*range(0x300, _LAST_MARK + 1), *_SELECTORS) if unicodedata.category(chr(code))[0] == "M"]
    runs = [[code for _, code in run] for _, run in groupby(enumerate(codes), lambda pair: pair[1] - pair[0])]
    return "".join(f"{chr(run[0])}-{chr(run[-1])}" for run in runs)
