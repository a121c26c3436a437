"""One block that looks at the same map at several dilations, with the same weights."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

import minidil.functional as F
from minidil.errors import OptionError
from minidil.nn import ResidualBlock
from minidil.nn.checks import check_counts
from minidil.tensor import Tensor


class TridentBlock(ResidualBlock):
    """A residual block at several dilations side by side; what is learnt of a small thing holds for a large one.

    Training, it gives the answer of every branch, so that all of them teach the weights they share. Otherwise it gives that of
    the middle one alone, dilations[B // 2] of B: it is then a ResidualBlock of this dilation, at its cost, under its names.

    Shapes: x (N, channels, H, W) -> (B N, channels, H, W) in training, the first branch's N first; else (N, channels, H, W).
    Batch norm takes its statistics over the B N, and keeps one running mean and variance for all of them.
    Raises: OptionError for settings that are not ints >= 1, or no dilation.
    Source: Li et al. 2019, arXiv:1901.01892, in small: its middle branch approximates all three. There each branch is shown
        objects of some sizes only; here it is shown all.
    """

    def __init__(self, channels: int, dilations: Sequence[int], *, rng: np.random.Generator | None = None) -> None:
        super().__init__(channels, channels, rng=rng)
        if not dilations:
            raise OptionError("TridentBlock: needs a dilation for each of its branches, as in (1, 2, 3)")
        check_counts("TridentBlock", **{f"dilations[{number}]": each for number, each in enumerate(dilations)})
        self.dilations = tuple(dilations)

    def forward(self, x: Tensor) -> Tensor:
        dilations = self.dilations if self.training else (self.dilations[len(self.dilations) // 2],)

        def convolved(x: Tensor, weight: Tensor) -> Tensor:
            parts = F.chunk(x, len(dilations))
            answers = [F.conv(part, weight, padding=d, dilation=d) for part, d in zip(parts, dilations, strict=True)]
            return F.concatenate(answers)

        x = F.concatenate([x] * len(dilations))
        y = self.relu(self.bn1(convolved(x, self.conv1.weight)))
        y = self.bn2(convolved(y, self.conv2.weight))
        return self.relu(F.add(y, x))
