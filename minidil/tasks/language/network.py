"""What a sentence says, from a language model: an encoder, and a head on the vectors of its pieces."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

import minidil.functional as F
from minidil.array import Array
from minidil.errors import OptionError
from minidil.models.bert import Bert
from minidil.nn import Conv1d, Dropout, Linear, Module, ModuleList
from minidil.nn.checks import check_counts
from minidil.tensor import Tensor
from minidil.text import masked, max_over_time, mean_over_time


class SentenceClassifier(Module):
    """Logits of classes from the numbers of a sentence's pieces: head(bert(ids), where pieces count).

    Shapes: ids (N, T) of integers, 0 at padding -> (N, K). Instead of ids it takes what its first `read` layers made of them,
        (N, T, H) of floats, all H of them 0 at padding, and goes on from there: layers that stand still need to read a sentence
        only once, see `language.states`.
    Raises: OptionError if the encoder does not have so many layers.
    """

    casts = False

    def __init__(self, bert: Bert, head: Module, read: int = 0) -> None:
        super().__init__()
        layers = len(bert.layers)
        if not 0 <= read <= layers:
            raise OptionError(
                f"SentenceClassifier: read must lie in 0..{layers}, the layers of the encoder, not {read}"
            )
        self.bert = bert
        self.head = head
        self.read = read

    def forward(self, x: Tensor) -> Tensor:
        if x.ndim == 2:
            states, counts = self.bert.embedded(x)
            return self.head(self.bert.through(states, counts), counts)
        counts = (x.numpy() != 0).any(axis=2)
        return self.head(self.bert.through(x, counts, self.read), counts)


class MeanHead(Module):
    """A linear map of the mean of the vectors that count. Shapes: (N, T, features), (N, T) -> (N, num_classes)."""

    def __init__(
        self, features: int, num_classes: int, dropout: float = 0.0, *, rng: np.random.Generator | None = None
    ) -> None:
        super().__init__()
        self.dropout = Dropout(dropout, rng=rng)
        self.linear = Linear(features, num_classes, rng=rng)

    def forward(self, states: Tensor, counts: Array) -> Tensor:
        return self.linear(self.dropout(mean_over_time(states.transpose(0, 2, 1), counts)))


class ConvHead(Module):
    """Convolutions over the pieces, d of each in `dilations`, the largest of every channel over time, and a linear map.

        x = relu(conv(x)) for the first, x + relu(conv(x)) for the others, each 3 wide and centred

    Shapes: (N, T, features), (N, T) -> (N, num_classes). What stands at padding is 0 before every convolution, so that the answer
        does not depend on how much of it there is. A channel sees 1 + 2 sum(dilations) pieces.
    Raises: OptionError unless all sizes are ints >= 1.
    """

    def __init__(
        self,
        features: int,
        num_classes: int,
        channels: int = 64,
        dilations: Sequence[int] = (1, 2, 4),
        dropout: float = 0.0,
        *,
        rng: np.random.Generator | None = None,
    ) -> None:
        super().__init__()
        check_counts("ConvHead", channels=channels, **{f"dilations[{at}]": d for at, d in enumerate(dilations)})
        widths = [features, *[channels] * len(dilations)]
        self.convs = ModuleList(
            Conv1d(width, channels, 3, padding="same", dilation=dilation, rng=rng)
            for width, dilation in zip(widths, dilations, strict=False)
        )
        self.dropout = Dropout(dropout, rng=rng)
        self.linear = Linear(channels, num_classes, rng=rng)

    def forward(self, states: Tensor, counts: Array) -> Tensor:
        x = self.dropout(states.transpose(0, 2, 1))
        for number, conv in enumerate(self.convs.children()):
            y = F.relu(conv(masked(x, counts)))
            x = F.add(x, y) if number else y
        return self.linear(self.dropout(max_over_time(x, counts)))
