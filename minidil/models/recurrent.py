"""An LSTM with the shapes of `models.tcn`: the network that sequences were left to before, to compare with."""

from __future__ import annotations

import numpy as np

import minidil.functional as F
from minidil.errors import OptionError
from minidil.models.tcn import ANSWERS
from minidil.nn import LSTM, Linear, Module
from minidil.nn.checks import check_rank
from minidil.tensor import Tensor


class SequenceLSTM(Module):
    """One LSTM over (N, C, L), and a vote at every step or at the last; the parts are lstm and head."""

    def __init__(
        self, num_classes: int, in_channels: int, width: int, answers: str, rng: np.random.Generator | None
    ) -> None:
        super().__init__()
        self.lstm = LSTM(in_channels, width, batch_first=True, rng=rng)
        self.head = Linear(width, num_classes, rng=rng)
        self.answers = answers

    def forward(self, x: Tensor) -> Tensor:
        check_rank("SequenceLSTM", x.shape, 1)
        states, _ = self.lstm(F.transpose(x, (0, 2, 1)))
        if self.answers == "last":
            return self.head(states[:, -1])
        return F.transpose(self.head(states), (0, 2, 1))


def lstm(
    num_classes: int,
    *,
    in_channels: int = 1,
    width: int = 64,
    answers: str = "every",
    rng: np.random.Generator | None = None,
) -> SequenceLSTM:
    """One LSTM of `width` cells, see `nn.LSTM`: logits as those of `models.tcn`.

    Shapes: (N, in_channels, L) -> (N, num_classes, L), or (N, num_classes) with answers="last".
    Raises: OptionError for settings that are not ints >= 1, or another word for answers.
    """
    if answers not in ANSWERS:
        raise OptionError(f"lstm: answers must be one of {', '.join(ANSWERS)}, not {answers!r}")
    return SequenceLSTM(num_classes, in_channels, width, answers, rng)
