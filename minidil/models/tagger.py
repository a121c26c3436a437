"""Taggers: networks that give every word of a sentence the scores of its tags.

    ids (N, T, 2 + L) -> a vector for each word -> the body, which mixes neighbours -> emissions (N, T, K) -> CRF or argmax

Padding. A word whose number is 0 is none. Where there is none, every layer gives 0 and no gradient passes, so that more padding
changes nothing, and a convolution sees there the zeros that stand around a sentence anyway.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

import minidil.functional as F
from minidil.array import Array
from minidil.errors import ShapeError
from minidil.models.tagger_bodies import Alone, IteratedDilated, Recurrent
from minidil.nn import CRF, Conv1d, Dropout, Embedding, Linear, Module
from minidil.nn.checks import check_counts
from minidil.tensor import Tensor
from minidil.text import masked, max_over_time, present

Sizes: TypeAlias = tuple[int, int, int]  # how many numbers there are of words, of shapes and of letters, 0 being none
_CHARACTER, _SHAPE = 25, 10  # numbers that stand for a character, and for a shape


class WordFeatures(Module):
    """A vector for every word: of its number, its shape, and its letters, (N, T, 2 + L) -> (N, T, features).

    The letters go through a convolution over three of them, of which the largest of each filter is kept; of words that occur
    several times in a batch that is done once.
    vectors: rows (words, D) that are given and not trained, such as of vectors that were learnt from much more text; a trained
        linear layer takes them to `width`. None: rows of `width` that are trained.
    Source: letters by convolution, dos Santos & Zadrozny 2014; Ma & Hovy 2016, arXiv:1603.01354.
    """

    casts = False

    def __init__(
        self,
        sizes: Sizes,
        width: int,
        filters: int,
        vectors: npt.NDArray[np.float32] | None,
        rng: np.random.Generator | None,
    ) -> None:
        super().__init__()
        words, shapes, characters = sizes
        if vectors is not None and (vectors.ndim != 2 or len(vectors) != words):
            raise ShapeError(f"WordFeatures: vectors must be ({words}, D), a row for every word, not {vectors.shape}")
        self.vectors = vectors  # no part of the state: whoever builds the network again gives them again
        self.words = (
            Embedding(words, width, 0, sparse=True, rng=rng)
            if vectors is None
            else Linear(vectors.shape[1], width, bias=False, rng=rng)
        )
        self.shapes = Embedding(shapes, _SHAPE, 0, rng=rng)
        self.characters = Embedding(characters, _CHARACTER, 0, rng=rng)
        self.spelling = Conv1d(_CHARACTER, filters, 3, padding=1, rng=rng)
        self.features = width + _SHAPE + filters

    def forward(self, ids: Tensor) -> Tensor:
        numbers = ids.numpy()
        words = numbers[..., 0] if self.vectors is None else self.vectors[numbers[..., 0]]
        parts = [self.words(Tensor(words)), self.shapes(numbers[..., 1]), self._spelt(numbers[..., 2:])]
        return F.concatenate(parts, axis=2)

    def _spelt(self, letters: Array) -> Tensor:
        distinct, place = np.unique(letters.reshape(-1, letters.shape[2]), axis=0, return_inverse=True)
        mask = present(distinct)
        found = max_over_time(self.spelling(masked(self.characters(distinct).transpose(0, 2, 1), mask)), mask)
        return found[place.reshape(letters.shape[:2])]


class Tagger(Module):
    """words: of the ids, a vector each. body: from (N, T, D) and the mask to (rounds, N, T, H). head: to scores.

    Shapes: ids (N, T, 2 + L) of integers: the number of a word, of its shape, and of its letters, 0 being none -> emissions
        (N, T, K); in training (rounds, N, T, K), if the body has several rounds, so that each can be asked for the tags.
    crf: None if every tag is chosen by itself.
    dropout: of the vectors of words and of what the body gives.
    """

    casts = False

    def __init__(self, words: WordFeatures, body: Module, head: Linear, crf: CRF | None, dropout: float) -> None:
        super().__init__()
        self.words = words
        self.body = body
        self.head = head
        self.crf = crf
        self.dropout = Dropout(dropout)

    def forward(self, ids: Tensor) -> Tensor:
        mask = present(ids.numpy()[..., 0])
        rounds = self.body(self.dropout(self.words(ids)), mask)
        emissions = self.head(self.dropout(rounds))
        return emissions if len(emissions) > 1 else emissions[0]

    def decode(self, emissions: Array, mask: Array) -> list[list[int]]:
        """The tags of every sentence, one for each word: the best path of the CRF, or each the best by itself."""
        if self.crf is not None:
            return self.crf.decode(Tensor(emissions), mask)
        best = np.asarray(emissions).argmax(axis=2)
        return [row[data].tolist() for row, data in zip(best, np.asarray(mask), strict=True)]


def bilstm_crf(
    num_tags: int,
    sizes: Sizes,
    *,
    width: int = 100,
    filters: int = 50,
    hidden: int = 100,
    dropout: float = 0.5,
    vectors: npt.NDArray[np.float32] | None = None,
    rng: np.random.Generator | None = None,
) -> Tagger:
    """A bidirectional LSTM under a CRF, over words and their letters.

    Source: Lample et al. 2016, arXiv:1603.01360, whose letters go through an LSTM as well; through a convolution, as in Ma & Hovy
        2016, arXiv:1603.01354.
    """
    check_counts("bilstm_crf", width=width, filters=filters, hidden=hidden)
    words = WordFeatures(sizes, width, filters, vectors, rng)
    body = Recurrent(words.features, hidden, rng)
    return Tagger(words, body, Linear(2 * hidden, num_tags, rng=rng), CRF(num_tags, True, rng=rng), dropout)


def idcnn(
    num_tags: int,
    sizes: Sizes,
    *,
    width: int = 100,
    filters: int = 50,
    hidden: int = 120,
    dilations: Sequence[int] = (1, 2, 4, 1),
    rounds: int = 3,
    dropout: float = 0.3,
    block_dropout: float = 0.15,
    crf: bool = False,
    vectors: npt.NDArray[np.float32] | None = None,
    rng: np.random.Generator | None = None,
) -> Tagger:
    """Iterated dilated convolutions, each tag chosen by itself or by a CRF; asked for the tags after every round.

    Source: Strubell, Verga, Belanger & McCallum 2017, arXiv:1702.02098.
    """
    check_counts("idcnn", width=width, filters=filters, hidden=hidden, rounds=rounds)
    check_counts("idcnn", **{f"dilations[{number}]": each for number, each in enumerate(dilations)})
    words = WordFeatures(sizes, width, filters, vectors, rng)
    body = IteratedDilated(words.features, hidden, dilations, rounds, block_dropout, rng)
    chain = CRF(num_tags, True, rng=rng) if crf else None
    return Tagger(words, body, Linear(hidden, num_tags, rng=rng), chain, dropout)


def no_context(
    num_tags: int,
    sizes: Sizes,
    *,
    width: int = 100,
    filters: int = 50,
    hidden: int = 120,
    dropout: float = 0.5,
    vectors: npt.NDArray[np.float32] | None = None,
    rng: np.random.Generator | None = None,
) -> Tagger:
    """The control: each word by itself, of which whatever context adds has to be the better."""
    check_counts("no_context", width=width, filters=filters, hidden=hidden)
    words = WordFeatures(sizes, width, filters, vectors, rng)
    return Tagger(words, Alone(words.features, hidden, rng), Linear(hidden, num_tags, rng=rng), None, dropout)


TAGGERS: dict[str, Callable[..., Tagger]] = {
    "bilstm_crf": bilstm_crf,
    "idcnn": idcnn,
    "idcnn_crf": partial(idcnn, crf=True),
    "no_context": no_context,
}
