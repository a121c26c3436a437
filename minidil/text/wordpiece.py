"""WordPiece: text as BERT reads it (uncased), in pieces of words that a fixed vocabulary holds.

    text -> characters that are kept -> lower case without accents -> words and punctuation -> the longest pieces that there are

    "Naïve re-reading!" -> naive re - reading ! -> ["naive", "re", "-", "reading", "!"]
    "unwatchable"                               -> ["un", "##watch", "##able"], where ## is a piece that goes on a word

Any text has pieces: what the vocabulary cannot spell is [UNK]. So a vocabulary of 30,522 is enough for all of English, where one
of whole words would not know most of the names of tomorrow.
"""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Self

from minidil.errors import DataError, OptionError

PAD, UNKNOWN, START, END = "[PAD]", "[UNK]", "[CLS]", "[SEP]"

# Ideographs, each a word of its own, since the languages that are written with them put no spaces: the blocks of Han characters
# of Unicode. Hangul and kana are not among them.
_IDEOGRAPHS = (
    (0x4E00, 0x9FFF), (0x3400, 0x4DBF), (0x20000, 0x2A6DF), (0x2A700, 0x2B73F), (0x2B740, 0x2B81F), (0x2B820, 0x2CEAF),
    (0xF900, 0xFAFF), (0x2F800, 0x2FA1F),
)  # fmt: skip


class WordPiece:
    """Texts to numbers of a vocabulary, as the uncased models of BERT were trained on.

    vocabulary: the pieces in the order of their numbers, [PAD], [UNK], [CLS] and [SEP] among them.
    longest: letters of a word; one with more is [UNK] as a whole.
    "[SEP]" in a text is read as it is written, [ sep ], and never as the mark, which only `encode` sets.
    Raises: OptionError if a piece is there twice, or one of the four marks is missing.
    Source: Wu et al. 2016, arXiv:1609.08144, section 4.1; as Devlin et al. 2018, arXiv:1810.04805, use it.
    """

    def __init__(self, vocabulary: Sequence[str], longest: int = 100) -> None:
        self.vocabulary = tuple(vocabulary)
        self.ids = {piece: number for number, piece in enumerate(self.vocabulary)}
        self.longest = longest
        if len(self.ids) != len(self.vocabulary):
            twice = next(piece for number, piece in enumerate(self.vocabulary) if self.ids[piece] != number)
            raise OptionError(f"WordPiece: the vocabulary has {twice!r} twice")
        if missing := [mark for mark in (PAD, UNKNOWN, START, END) if mark not in self.ids]:
            raise OptionError(
                f"WordPiece: the vocabulary of {len(self.vocabulary):,} pieces lacks {', '.join(missing)}, which are needed"
            )

    @classmethod
    def read(cls, path: str | os.PathLike[str]) -> Self:
        """The vocabulary of a vocab.txt: a piece a line, in UTF-8. Raises: DataError, naming the line; OSError."""
        path = Path(path)
        try:
            lines = path.read_text("utf-8").split("\n")
        except UnicodeDecodeError as error:
            line = path.read_bytes()[: error.start].count(b"\n") + 1
            raise DataError(f"{path}: line {line} is not UTF-8 (byte {error.start:,})") from None
        pieces = [line.removesuffix("\r") for line in lines]
        while pieces and not pieces[-1]:
            pieces.pop()
        first: dict[str, int] = {}
        for number, piece in enumerate(pieces, start=1):
            if first.setdefault(piece, number) != number:
                raise DataError(f"{path}: line {number} has {piece!r} again, which is in line {first[piece]}")
        try:
            return cls(pieces)
        except OptionError as error:
            raise DataError(f"{path}: {error}") from None

    def __len__(self) -> int:
        return len(self.vocabulary)

    def pieces(self, text: str) -> list[str]:
        """The pieces of a text, without marks."""
        return [piece for word in words(text) for piece in self._of_word(word)]

    def encode(self, text: str, longest: int = 512) -> list[int]:
        """The numbers of [CLS], of the pieces, and of [SEP]: at most `longest`, of which the last pieces are left out.

        Raises: OptionError unless longest >= 2, the marks alone.
        """
        if longest < 2:
            raise OptionError(f"WordPiece.encode: longest must be at least 2, for {START} and {END}, not {longest}")
        inner = [self.ids[piece] for piece in self.pieces(text)[: longest - 2]]
        return [self.ids[START], *inner, self.ids[END]]

    def _of_word(self, word: str) -> list[str]:
        """Greedily from the left, the longest piece that the vocabulary has; all of the word or none of it."""
        if len(word) > self.longest:
            return [UNKNOWN]
        found: list[str] = []
        start = 0
        while start < len(word):
            mark = "##" if start else ""
            ends = range(len(word), start, -1)
            end = next((end for end in ends if mark + word[start:end] in self.ids), None)
            if end is None:
                return [UNKNOWN]
            found.append(mark + word[start:end])
            start = end
        return found


def words(text: str) -> list[str]:
    """Lower-case words without accents; every mark of punctuation, and every ideograph, is a word."""
    spaced = "".join(map(_spaced, text))
    # NFD writes an accented letter as the letter and its accents, which are the nonspacing marks (Mn).
    bare = "".join(c for c in unicodedata.normalize("NFD", spaced) if unicodedata.category(c) != "Mn")
    lower = "".join(map(str.lower, bare))  # letter by letter: a final sigma is like any other
    return [part for word in lower.split() for part in _split(word)]


def _spaced(c: str) -> str:
    """A character as it is, with spaces around it, a space, or nothing."""
    if c in "\t\n\r":
        return " "
    if c == "\ufffd" or unicodedata.category(c) in ("Cc", "Cf", "Co", "Cs"):  # control, format, private, half of a pair
        return ""
    return f" {c} " if any(first <= ord(c) <= last for first, last in _IDEOGRAPHS) else c


def _split(word: str) -> Iterator[str]:
    """A word without spaces, cut before and after every mark of punctuation."""
    start = 0
    for place, c in enumerate(word):
        if _is_punctuation(c):
            if start < place:
                yield word[start:place]
            yield c
            start = place + 1
    if start < len(word):
        yield word[start:]


def _is_punctuation(c: str) -> bool:
    """Unicode's punctuation, and of ASCII all that is no letter, digit or space, which makes $, + and ~ such marks, too."""
    return (c.isascii() and not c.isalnum()) or unicodedata.category(c)[0] == "P"
