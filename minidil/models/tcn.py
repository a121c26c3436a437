"""A temporal convolutional network: causal dilated convolutions in residual blocks, an answer at every step or at the last."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

import minidil.functional as F
from minidil.errors import OptionError
from minidil.nn import Conv1d, Dropout1d, Module, ReLU, Residual, Sequential, WeightNormConv1d
from minidil.nn.checks import check_counts, check_rank
from minidil.tensor import Tensor

ANSWERS = ("every", "last")


class LastStep(Module):
    """x (N, C, L) -> (N, C): what stands at the last step, which has seen all that came before."""

    def forward(self, x: Tensor) -> Tensor:
        check_rank("LastStep", x.shape, 1)
        return x[:, :, -1]


def tcn(
    num_classes: int,
    *,
    in_channels: int = 1,
    width: int = 25,
    kernel_size: int = 7,
    dilations: Sequence[int] = (1, 2, 4, 8, 16, 32),
    dropout: float = 0.0,
    weight_norm: bool = True,
    answers: str = "every",
    rng: np.random.Generator | None = None,
) -> Sequential:
    """One residual block for each dilation d: twice a causal convolution, ReLU and spatial dropout; then the sum, and ReLU.

    Step t sees steps t - 2 (kernel_size - 1) sum(dilations) .. t and none after. `deploy.stream` runs what answers every step.
    Shapes: (N, in_channels, L) -> logits (N, num_classes, L), or (N, num_classes) with answers="last".
    dropout: of whole channels. weight_norm: whether weights are trained by length and direction, see `nn.WeightNormConv1d`.
    Raises: OptionError for settings that are not ints >= 1, no dilation, or another word for answers.
    Source: Bai, Kolter & Koltun 2018, arXiv:1803.01271, figure 1.
    """
    check_settings("tcn", dilations, width=width, kernel_size=kernel_size)
    if answers not in ANSWERS:
        raise OptionError(f"tcn: answers must be one of {', '.join(ANSWERS)}, not {answers!r}")
    conv = WeightNormConv1d if weight_norm else Conv1d
    model, before = Sequential(), in_channels
    for d in dilations:
        body = Sequential()
        for channels in (before, width):
            body.append(conv(channels, width, kernel_size, padding="causal", dilation=d, rng=rng))
            body.extend([ReLU(), *([Dropout1d(dropout, rng=rng)] if dropout else [])])
        model.append(Residual(body, None if before == width else Conv1d(before, width, 1, rng=rng)))
        model.append(ReLU())
        before = width
    model.append(Conv1d(width, num_classes, 1, rng=rng))
    return model.append(LastStep()) if answers == "last" else model


def last_answer(model: Sequential, x: Tensor) -> Tensor:
    """What a `tcn` with answers="last" says of x, and its gradients, computed from the steps alone that the answer depends on.

    With blocks of dilations d_1 .. d_B the last step reads, of what block b gets, each s_b-th step counted from the end, where
    s_b = gcd(d_b .. d_B), and none before the field of the blocks from b on. These rows are taken out before the block, whose
    convolutions then have the dilation d_b / s_b: where dilations double, 1. Of L steps with dilations 1, 2, 4, .. the blocks
    compute L, L/2, L/4, .. rows, in all less than 2 L and not B L. `deploy.dense` makes the same trade the other way round.
    Shapes: (N, in_channels, L) -> logits (N, num_classes). Hooks of the convolutions themselves are not called.
    Raises: OptionError for a network that answers every step.
    """
    if not len(model) or not isinstance(model[-1], LastStep):
        ends = type(model[-1]).__name__ if len(model) else "nothing"
        raise OptionError(f"last_answer: needs a network of models.tcn(answers='last'), not one that ends with {ends}")
    blocks = [(each, *_window(each)) for each in model if isinstance(each, Residual)]
    apart = 1  # steps between two rows of x
    for number, (block, _, dilation) in enumerate(blocks):
        wanted = math.gcd(*(d for _, _, d in blocks[number:]))
        sees = 1 + sum(2 * (taps - 1) * d for _, taps, d in blocks[number:])
        every, last = wanted // apart, x.shape[2] - 1
        x = x[:, :, last - every * min((sees - 1) // wanted, last // every) :: every]
        apart = wanted
        y = x
        for module in block.body.own_children().values():
            if isinstance(module, Conv1d):
                y = F.conv(y, module.weight, module.bias, padding="causal", dilation=dilation // apart)
            else:
                y = module(y)
        x = F.relu(F.add(y, x if block.shortcut is None else block.shortcut(x)))
    return model[-1](model[-2](x[:, :, -1:]))


def _window(block: Residual) -> tuple[int, int]:
    """The taps and the dilation of a block's convolutions."""
    conv = next(each for each in block.body.modules() if isinstance(each, Conv1d))
    return conv.kernel_size[0], conv.dilation[0]


def check_settings(op: str, dilations: Sequence[int], **counts: object) -> None:
    """Raise an OptionError unless all are ints >= 1 and there is a dilation."""
    check_counts(op, **counts, **{f"dilations[{number}]": dilation for number, dilation in enumerate(dilations)})
    if not dilations:
        raise OptionError(f"{op}: needs a dilation or more, such as (1, 2, 4), not {dilations!r}")
