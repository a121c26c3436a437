"""Sentences as the numbers that a tagger takes: of every word its number, its shape, and its letters."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

from minidil.data.tagged import TaggedDataset, tag_names
from minidil.text import Vocabulary

Ids = npt.NDArray[np.int64]

LETTERS = 16  # of a word: the first half of them from its beginning and the others from its end, if it has more
# The first that fits a word is its shape; 0 is no word, and the last any other one.
SHAPES = {
    "@name": re.compile(r"@\w+"),
    "#topic": re.compile(r"#\w+"),
    "address": re.compile(r"(https?:|www\.)\S+"),
    "number": re.compile(r"[\d.,:/%$£€+-]*\d[\d.,:/%$£€+-]*"),
    "lower": re.compile(r"[^\W\d_A-Z]+"),
    "Title": re.compile(r"[A-Z][^\W\d_A-Z]+"),
    "I": re.compile(r"[A-Z]"),
    "UPPER": re.compile(r"[A-Z]{2,}"),
    "CamelCase": re.compile(r"[^\W\d_]*[A-Z][^\W\d_]*"),
    "lower'd": re.compile(r"[^\WA-Z]*[^\W\d_A-Z][^A-Z]*"),
    "Title'd": re.compile(r"\w*[A-Z].*"),
    "signs": re.compile(r"\W+"),
    "other": re.compile(r".*", re.DOTALL),
}


@dataclass(frozen=True)
class Features:
    """How sentences become numbers: the words and letters that are known, and the types of entities."""

    words: Vocabulary
    letters: Vocabulary
    types: tuple[str, ...]

    @classmethod
    def of(cls, dataset: TaggedDataset, words: Vocabulary | None = None, min_count: int = 2) -> Self:
        """Those of a training set: its letters, and the words, in small letters, that it has `min_count` times at least.

        Rarer words teach what to do with an unknown one. words: in their place, such as those that there are vectors for.
        """
        lower = [[token.lower() for token in tokens] for tokens in dataset.tokens]
        known = Vocabulary.of(lower, min_count=min_count) if words is None else words
        return cls(
            known, Vocabulary.of(token for tokens in dataset.tokens for token in map(list, tokens)), dataset.types
        )

    @property
    def sizes(self) -> tuple[int, int, int]:
        """How many numbers there are of words, shapes and letters, for `models.TAGGERS`."""
        return len(self.words), 1 + len(SHAPES), len(self.letters)

    @property
    def classes(self) -> tuple[str, ...]:
        """The tags by their numbers."""
        return tag_names(self.types)

    def encode(self, tokens: Sequence[str]) -> Ids:
        """A sentence, int64 (T, 2 + LETTERS): the number of the word, of its shape, and of its letters, filled up with 0."""
        ids = np.zeros((len(tokens), 2 + LETTERS), np.int64)
        ids[:, 0] = self.words.encode([token.lower() for token in tokens])
        ids[:, 1] = [shape_of(token) for token in tokens]
        for row, token in zip(ids, tokens, strict=True):
            kept = token if len(token) <= LETTERS else token[: LETTERS // 2] + token[-LETTERS // 2 :]
            row[2 : 2 + len(kept)] = self.letters.encode(list(kept))
        return ids

    def items(self, dataset: TaggedDataset) -> list[tuple[Ids, Ids]]:
        """(ids, the numbers of the tags) of every sentence, for `text.BucketLoader`."""
        numbers = {tag: number for number, tag in enumerate(self.classes)}
        return [(self.encode(tokens), np.array([numbers[tag] for tag in tags], np.int64)) for tokens, tags in dataset]


def shape_of(token: str) -> int:
    """The number of the first of SHAPES that the word has, from 1."""
    return next(number for number, pattern in enumerate(SHAPES.values(), 1) if pattern.fullmatch(token))
