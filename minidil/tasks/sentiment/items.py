"""Texts as the networks take them."""

import numpy as np
import numpy.typing as npt

from minidil import text
from minidil.data import TextDataset

_MIN_COUNT = 2  # a word that occurs once tells nothing of its class that holds for another sentence


def vocabulary(learn: TextDataset) -> text.Vocabulary:
    """The words that occur at least twice in the texts to learn from; the others are unknown, which so is met in training."""
    return text.Vocabulary.of(map(text.words, learn.texts), min_count=_MIN_COUNT)


def encoded(dataset: TextDataset, known: text.Vocabulary) -> list[tuple[npt.NDArray[np.int64], int]]:
    """Items (numbers of the words, label) for a `text.BucketLoader`."""
    return [(known.encode(text.words(sentence)), label) for sentence, label in dataset]
