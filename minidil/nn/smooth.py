"""Smoothed dilated convolution: the phases that a dilated layer keeps apart meet in a layer with very few weights.

A convolution with dilation d works on each of the prod(d) phases of its input, the positions with the same remainders modulo d,
by itself. `SharedConv` mixes neighbouring positions before it, `PhaseMixing` the phases of its result after it. Both start as the
identity, so that a trained dilated layer can be smoothed without changing what it computes.
Source: Wang & Ji 2018, "Smoothed dilated convolutions for improved dense prediction", arXiv:1808.08931: the separable and shared
convolution and the group interaction layer, with the sizes and initial values of the authors' program.
"""

from __future__ import annotations

import math

import numpy as np

import minidil.functional as F
from minidil.errors import OptionError, ShapeError
from minidil.kernels.geometry import Ints, Window, per_axis
from minidil.nn.checks import brief, check_channels_first, check_counts, check_rank
from minidil.nn.conv import conv_class
from minidil.nn.field import Field
from minidil.nn.init import dirac
from minidil.nn.module import Module
from minidil.nn.parameter import Parameter
from minidil.tensor import Tensor


class SharedConv(Module):
    """One filter of 2d - 1 taps per axis for every channel by itself, padded so that the size stays.

    Shapes: x (N, C, *S), alike out, for any C. With 2d - 1 taps it reaches every other phase from both sides.
    Parameter: weight (1, 1, *(2d - 1)), 1 in the middle and 0 elsewhere, so that it starts as the identity.
    Raises: OptionError for a dilation that is not made of ints >= 1; ShapeError if x has other axes.
    """

    def __init__(self, dilation: Ints, ndim: int = 2) -> None:
        super().__init__()
        self.ndim = conv_class(ndim).ndim
        self.dilation = per_axis(dilation, ndim, "dilation", "SharedConv", least=1)
        self.kernel_size = tuple(2 * d - 1 for d in self.dilation)
        self.weight = Parameter(dirac((1, 1, *self.kernel_size)))

    def forward(self, x: Tensor) -> Tensor:
        check_rank("SharedConv", x.shape, self.ndim)
        channels = x.shape[1]
        weight = F.expand(self.weight, (channels, *self.weight.shape[1:]))
        return F.conv(x, weight, padding="same", groups=channels)

    def multiply_adds(self, input_shape: tuple[int, ...], output_shape: tuple[int, ...]) -> int:
        return math.prod(output_shape) * math.prod(self.kernel_size)

    def receptive_field(self, before: Field, input_shape: tuple[int, ...]) -> Field:
        return before.through(Window.of(input_shape[2:], self.kernel_size, padding="same"))

    def extra_repr(self) -> str:
        return f"dilation={brief(self.dilation)}, ndim={self.ndim}"


class PhaseMixing(Module):
    """The group interaction layer: every phase becomes a sum of all phases, the same for every channel and block.

        y[block d + p] = sum_q weight[q, p] x[block d + q] + bias,    p, q in 0 .. d - 1 on every axis.

    Shapes: x (N, channels, *S), alike out. Where d does not divide S the last block is filled with zeros.
    Parameters: weight (P, P) with P = prod(d), the identity; bias (channels,), zeros, or None with bias=False.
    Raises: OptionError for settings that do not fit; ShapeError if x has other axes or channels.
    """

    bias: Parameter | None

    def __init__(self, channels: int, dilation: Ints, ndim: int = 2, bias: bool = True) -> None:
        super().__init__()
        check_counts("PhaseMixing", channels=channels)
        self.ndim = conv_class(ndim).ndim
        self.channels = channels
        self.dilation = per_axis(dilation, ndim, "dilation", "PhaseMixing", least=1)
        self.weight = Parameter(np.eye(math.prod(self.dilation), dtype=np.float32))
        self.bias = Parameter(np.zeros(channels, np.float32)) if bias else None

    def forward(self, x: Tensor) -> Tensor:
        check_rank("PhaseMixing", x.shape, self.ndim)
        check_channels_first("PhaseMixing", x.shape, self.channels)
        if x.shape[1] != self.channels:
            raise ShapeError(f"PhaseMixing: x {x.shape} must have {self.channels} channels, and has {x.shape[1]}")
        # The phases become channels by a convolution that steps by d with one tap each, and positions again by the adjoint of
        # a convolution, whose kernel is row q of the weight: block b of the result is the sum over q of phase q at b times that.
        phases, taps = len(self.weight), (1, *self.dilation)
        filled = [(0, -n % d) for n, d in zip(x.shape[2:], self.dilation, strict=True)]
        picks = np.tile(np.eye(phases, dtype=x.dtype).reshape(phases, *taps), (self.channels, *(1,) * (self.ndim + 1)))
        apart = F.conv(x, picks, stride=self.dilation, padding=filled, groups=self.channels)
        rows = F.expand(self.weight.reshape(1, phases, *taps), (self.channels, phases, *taps))
        rows = rows.reshape(self.channels * phases, *taps)
        return F.conv_transpose(apart, rows, self.bias, stride=self.dilation, padding=filled, groups=self.channels)

    def multiply_adds(self, input_shape: tuple[int, ...], output_shape: tuple[int, ...]) -> int:
        return math.prod(output_shape) * len(self.weight)

    def receptive_field(self, before: Field, input_shape: tuple[int, ...]) -> Field:
        seen = before.through(Window.of((1 << 40,) * self.ndim, self.dilation))
        return Field(seen.size, before.jump)

    def extra_repr(self) -> str:
        return f"{self.channels}, dilation={brief(self.dilation)}, ndim={self.ndim}" + (
            ", bias=False" if self.bias is None else ""
        )


class SmoothedDilation(Module):
    """A dilated convolution, padded so that the size stays, whose phases are made to meet.

    smoothing: "shared" puts a `SharedConv` before it, prod(2d - 1) weights more, however many channels there are;
        "interaction" a `PhaseMixing` after it, prod(d)^2 weights more, with the bias behind it.
    Shapes: x (N, in_channels, *S) -> (N, out_channels, *S).
    ndim: the number of spatial axes, 1, 2 or 3. dilation: an int, or one per axis.
    Parts: conv, the dilated convolution, drawn as `Conv2d` is, and smooth. At first it computes what conv alone computes.
    Raises: OptionError for settings that do not fit together; ShapeError if x does not fit.
    Source: Wang & Ji 2018, arXiv:1808.08931.
    """

    smooth: Module

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Ints = 3,
        dilation: Ints = 2,
        *,
        smoothing: str = "shared",
        bias: bool = True,
        ndim: int = 2,
        rng: np.random.Generator | None = None,
    ) -> None:
        super().__init__()
        if smoothing not in ("shared", "interaction"):
            raise OptionError(
                f'SmoothedDilation: smoothing is "shared", before the convolution, or "interaction", after it, not {smoothing!r}'
            )
        conv = conv_class(ndim)
        self.smoothing = smoothing
        own_bias = bias and smoothing == "shared"
        self.conv = conv(
            in_channels, out_channels, kernel_size, padding="same", dilation=dilation, bias=own_bias, rng=rng
        )
        if smoothing == "shared":
            self.smooth = SharedConv(dilation, ndim)
        else:
            self.smooth = PhaseMixing(out_channels, dilation, ndim, bias)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(self.smooth(x)) if self.smoothing == "shared" else self.smooth(self.conv(x))
