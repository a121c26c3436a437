"""What stands between the words and the tags of a tagger: a recurrent network, dilated convolutions, or nothing."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

import minidil.functional as F
from minidil.array import Array
from minidil.nn import LSTM, Conv1d, Dropout, Linear, Module, ModuleList
from minidil.nn.init import dirac
from minidil.nn.parameter import Parameter
from minidil.tensor import Tensor
from minidil.text import masked


class Recurrent(Module):
    """A bidirectional LSTM: every word sees all of its sentence. (N, T, D) -> (1, N, T, 2 hidden)."""

    def __init__(self, features: int, hidden: int, rng: np.random.Generator | None) -> None:
        super().__init__()
        self.lstm = LSTM(features, hidden, batch_first=True, bidirectional=True, rng=rng)

    def forward(self, x: Tensor, mask: Array) -> Tensor:
        y: Tensor = self.lstm(x, mask=mask)[0]
        return y.unsqueeze(0)


class IteratedDilated(Module):
    """A convolution over three words, then one block of dilated ones again and again, with the same weights in every round.

    With dilations 1, 2, 4 and 1 a round adds 8 words on either side to what a word sees; the parameters are those of one round.
    The convolutions of the block begin as the identity (`nn.init.dirac`), so that deep stacks of them pass on what comes in.
    Shapes: (N, T, D) -> (rounds, N, T, filters) in training, of which the last alone, (1, N, T, filters), in evaluation mode.
    Source: Strubell, Verga, Belanger & McCallum 2017, arXiv:1702.02098, section 4.
    """

    def __init__(
        self,
        features: int,
        filters: int,
        dilations: Sequence[int],
        rounds: int,
        dropout: float,
        rng: np.random.Generator | None,
    ) -> None:
        super().__init__()
        self.first = Conv1d(features, filters, 3, padding="same", rng=rng)
        self.block = ModuleList([_identity(filters, dilation, rng) for dilation in dilations])
        self.rounds = rounds
        self.dropout = Dropout(dropout)

    def forward(self, x: Tensor, mask: Array) -> Tensor:
        h, found = F.relu(self.first(x.transpose(0, 2, 1))), list[Tensor]()
        for _ in range(self.rounds):
            for conv in self.block:
                h = F.relu(conv(masked(h, mask)))
            h = self.dropout(h)
            found.append(h)
        return F.stack(found if self.training else found[-1:]).transpose(0, 1, 3, 2)


class Alone(Module):
    """A hidden layer for every word by itself: the control that sees no neighbour. (N, T, D) -> (1, N, T, hidden)."""

    def __init__(self, features: int, hidden: int, rng: np.random.Generator | None) -> None:
        super().__init__()
        self.hidden = Linear(features, hidden, rng=rng)

    def forward(self, x: Tensor, mask: Array) -> Tensor:
        return F.relu(self.hidden(x)).unsqueeze(0)


def _identity(channels: int, dilation: int, rng: np.random.Generator | None) -> Conv1d:
    conv = Conv1d(channels, channels, 3, padding="same", dilation=dilation, rng=rng)
    conv.weight = Parameter(dirac(conv.weight.shape))
    return conv
