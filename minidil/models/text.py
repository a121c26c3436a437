"""Networks that give a class to a sentence, of convolutions over its words or recurrent. Padding never reaches an answer."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

import minidil.functional as F
from minidil.array import Array
from minidil.errors import OptionError
from minidil.nn import LSTM, Conv1d, Dropout, Embedding, Linear, Module, ModuleList, Parameter
from minidil.nn.checks import check_counts
from minidil.random import default_rng
from minidil.tensor import Tensor
from minidil.text import PADDING, masked, max_over_time, present

_LARGEST = 0.25  # of the elements of a new word vector, as in Kim's code


class _Body(Module):
    """words (N, vector, T), mask (N, T) -> (N, features). Subclasses say how many that are."""

    features: int


class SentenceNet(Module):
    """embedding, the word vectors; body, which makes features of a sentence of them; dropout and head, its class.

    Shapes: ids (N, T) of integers, 0 being padding -> logits (N, num_classes).
    """

    casts = False

    def __init__(
        self, words: int, vector: int, body: _Body, num_classes: int, dropout: float, rng: np.random.Generator | None
    ) -> None:
        super().__init__()
        self.embedding = Embedding(words, vector, PADDING, sparse=True, rng=rng)
        generator = default_rng() if rng is None else rng
        table = generator.uniform(-_LARGEST, _LARGEST, (words, vector)).astype(np.float32)
        table[PADDING] = 0
        self.embedding.weight = Parameter(table)
        self.body = body
        self.dropout = Dropout(dropout)
        self.head = Linear(body.features, num_classes, rng=rng)

    def forward(self, ids: Tensor) -> Tensor:
        words = self.embedding(ids).transpose(0, 2, 1)  # (N, vector, T); 0 where there is no word
        return self.head(self.dropout(self.body(words, present(ids))))


class Windows(_Body):
    """Kim's: filters over windows of several sizes, and the largest answer of each in the sentence, if it is positive."""

    def __init__(self, vector: int, width: int, kernel_sizes: Sequence[int], rng: np.random.Generator | None) -> None:
        super().__init__()
        self.convs = ModuleList(Conv1d(vector, width, size, padding="same", rng=rng) for size in kernel_sizes)
        self.features = width * len(kernel_sizes)

    def forward(self, words: Tensor, mask: Array) -> Tensor:
        # max(relu(x)) = relu(max(x)), and the second is of far fewer numbers.
        return F.relu(F.concatenate([max_over_time(conv(words), mask) for conv in self.convs], axis=1))


class DilatedStack(_Body):
    """x <- x + relu(conv(x)), with one dilation after another; the largest of every channel after each of them."""

    def __init__(self, vector: int, dilations: Sequence[int], rng: np.random.Generator | None) -> None:
        super().__init__()
        self.convs = ModuleList(Conv1d(vector, vector, 3, padding="same", dilation=d, rng=rng) for d in dilations)
        self.features = vector * len(dilations)

    def forward(self, words: Tensor, mask: Array) -> Tensor:
        found = []
        for conv in self.convs:
            # What a window finds behind the sentence must not come back into it with the next one.
            words = masked(words + F.relu(conv(words)), mask)
            found.append(max_over_time(words, mask))
        return F.concatenate(found, axis=1)


class BothWays(_Body):
    """An LSTM in both directions, and the largest of each of its outputs."""

    def __init__(self, vector: int, hidden: int, rng: np.random.Generator | None) -> None:
        super().__init__()
        self.lstm = LSTM(vector, hidden, batch_first=True, bidirectional=True, rng=rng)
        self.features = 2 * hidden

    def forward(self, words: Tensor, mask: Array) -> Tensor:
        output, _ = self.lstm(words.transpose(0, 2, 1), mask=mask)
        return max_over_time(output.transpose(0, 2, 1), mask)


def kim_cnn(
    words: int,
    num_classes: int = 2,
    *,
    vector: int = 100,
    width: int = 100,
    kernel_sizes: Sequence[int] = (3, 4, 5),
    dropout: float = 0.5,
    rng: np.random.Generator | None = None,
) -> SentenceNet:
    """Kim's network: `width` filters over windows of each of these sizes, the largest answer of each, a linear layer.

    As the paper's CNN-rand: word vectors begin anew, uniform on +-0.25. A window has a word in its middle and may reach over the
    end of a sentence, where everything is 0. The paper's limit for the norm of the last weights is left out.

    words: rows of the table, len(vocabulary).
    Shapes: ids (N, T) of integers, 0 being padding -> logits (N, num_classes).
    Raises: OptionError for settings that are not ints >= 1, or no kernel size.
    Source: Kim 2014, arXiv:1408.5882.
    """
    if not kernel_sizes:
        raise OptionError("kim_cnn: needs a kernel size at least, as in (3, 4, 5)")
    check_counts("kim_cnn", words=words, num_classes=num_classes, vector=vector, width=width)
    return SentenceNet(words, vector, Windows(vector, width, kernel_sizes, rng), num_classes, dropout, rng)


def dilated_cnn(
    words: int,
    num_classes: int = 2,
    *,
    vector: int = 100,
    dilations: Sequence[int] = (1, 2, 4),
    dropout: float = 0.5,
    rng: np.random.Generator | None = None,
) -> SentenceNet:
    """Residual convolutions over three words each, of growing dilation, the largest of every channel after each of them.

    The default sees 1 + 2 (1 + 2 + 4) = 15 words. With dilations=(1, 1, 1) it is its twin without dilation, which has as many
    parameters and sees 7.

    words: rows of the table, len(vocabulary).
    Shapes: ids (N, T) of integers, 0 being padding -> logits (N, num_classes).
    Raises: OptionError for settings that are not ints >= 1, or no dilation.
    Source: after the blocks of Strubell et al. 2017, arXiv:1702.02098.
    """
    if not dilations:
        raise OptionError("dilated_cnn: needs a dilation at least, as in (1, 2, 4)")
    check_counts("dilated_cnn", words=words, num_classes=num_classes, vector=vector)
    return SentenceNet(words, vector, DilatedStack(vector, dilations, rng), num_classes, dropout, rng)


def bilstm(
    words: int,
    num_classes: int = 2,
    *,
    vector: int = 100,
    width: int = 64,
    dropout: float = 0.5,
    rng: np.random.Generator | None = None,
) -> SentenceNet:
    """An LSTM of `width` units in each direction over the words, and the largest of each of its outputs.

    words: rows of the table, len(vocabulary).
    Shapes: ids (N, T) of integers, 0 being padding -> logits (N, num_classes).
    Raises: OptionError for settings that are not ints >= 1.
    Source: Schuster & Paliwal 1997, "Bidirectional recurrent neural networks"; the maximum over time, Conneau et al. 2017,
        arXiv:1705.02364.
    """
    check_counts("bilstm", words=words, num_classes=num_classes, vector=vector, width=width)
    return SentenceNet(words, vector, BothWays(vector, width, rng), num_classes, dropout, rng)
