"""Normalisation within each sample: over groups of channels, or over each channel by itself."""

from __future__ import annotations

import math
from typing import ClassVar

import numpy as np

import minidil.functional as F
from minidil.errors import OptionError, ShapeError
from minidil.nn.checks import check_counts, check_range, check_rank
from minidil.nn.module import Module
from minidil.nn.parameter import Parameter
from minidil.tensor import Tensor


class _GroupNorm(Module):
    """What both share. A group of a sample is normalised as `functional.layer_norm` does with all its numbers in one row."""

    weight: Parameter | None
    bias: Parameter | None

    def __init__(self, groups: int, channels: int, eps: float, affine: bool) -> None:
        super().__init__()
        check_range(type(self).__name__, "eps", eps, 0, math.inf)
        self.eps = eps
        self.weight = Parameter(np.ones(channels, np.float32)) if affine else None
        self.bias = Parameter(np.zeros(channels, np.float32)) if affine else None
        self._groups = groups
        self._channels = channels

    def forward(self, x: Tensor) -> Tensor:
        x = Tensor(x) if isinstance(x, np.ndarray) else x
        if x.ndim < 2 or x.shape[1] != self._channels:
            raise ShapeError(f"{type(self).__name__}: x must be (N, {self._channels}, *S), not {x.shape}")
        row = math.prod(x.shape[1:]) // self._groups
        if row == 0:
            raise ShapeError(f"{type(self).__name__}: x {x.shape} has no number to normalise")
        rows = x.reshape(x.shape[0], self._groups, row)
        h = F.layer_norm(rows, normalized_shape=row, eps=self.eps).reshape(x.shape)
        if self.weight is None or self.bias is None:
            return h
        channel = (self._channels, *(1,) * (x.ndim - 2))
        return h * self.weight.reshape(channel) + self.bias.reshape(channel)

    def extra_repr(self) -> str:
        shown = [*self._sizes()]
        shown += [f"eps={self.eps}"] if self.eps != 1e-5 else []
        return ", ".join(shown + self._affine())

    def _sizes(self) -> list[str]:
        return [str(self._groups), str(self._channels)]

    def _affine(self) -> list[str]:
        return ["affine=False"] if self.weight is None else []


class GroupNorm(_GroupNorm):
    """Normalise each of num_groups groups of channels of every sample to mean 0 and variance 1, then scale and shift.

    It uses no other sample, so it is the same in training and evaluation and works with a batch of one.
    Shapes: x (N, num_channels, *S), alike out.
    Parameters: weight, ones, and bias, zeros, both (num_channels,); None with affine=False.
    Raises: OptionError for settings out of range or groups that do not divide the channels; ShapeError for other channels.
    Source: Wu & He 2018, arXiv:1803.08494; as in PyTorch, with its names.
    """

    def __init__(self, num_groups: int, num_channels: int, eps: float = 1e-5, affine: bool = True) -> None:
        check_counts("GroupNorm", num_groups=num_groups, num_channels=num_channels)
        if num_channels % num_groups:
            raise OptionError(f"GroupNorm: num_channels={num_channels} does not divide into num_groups={num_groups}")
        super().__init__(num_groups, num_channels, eps, affine)
        self.num_groups = num_groups
        self.num_channels = num_channels


class InstanceNorm(_GroupNorm):
    """Normalise every channel of every sample to mean 0 and variance 1 over its spatial axes; scale and shift if affine.

    Shapes: x (N, num_features, *S), alike out, with any number of spatial axes.
    Parameters: weight, ones, and bias, zeros, both (num_features,), with affine=True; None by default.
    Raises: OptionError for settings out of range; ShapeError if x has other channels, or one value per channel, which
        would become 0.
    Source: Ulyanov, Vedaldi & Lempitsky 2016, arXiv:1607.08022; as in PyTorch without tracked statistics, with its names.
    """

    ndims: ClassVar[tuple[int, ...]] = (1, 2, 3)

    def __init__(self, num_features: int, eps: float = 1e-5, *, affine: bool = False) -> None:
        check_counts(type(self).__name__, num_features=num_features)
        super().__init__(num_features, num_features, eps, affine)
        self.num_features = num_features

    def forward(self, x: Tensor) -> Tensor:
        layer = type(self).__name__
        if len(self.ndims) == 1:
            check_rank(layer, x.shape, self.ndims[0])
        if x.ndim - 2 not in self.ndims:
            raise ShapeError(f"{layer}: x must be (N, {self.num_features}, *S) with 1 to 3 spatial axes, not {x.shape}")
        if math.prod(x.shape[2:]) == 1:
            raise ShapeError(f"{layer}: x {x.shape} has 1 value per channel; at least 2 are needed")
        return super().forward(x)

    def _sizes(self) -> list[str]:
        return [str(self.num_features)]

    def _affine(self) -> list[str]:
        return ["affine=True"] if self.weight is not None else []


class InstanceNorm1d(InstanceNorm):
    """InstanceNorm of (N, C, L)."""

    ndims = (1,)


class InstanceNorm2d(InstanceNorm):
    """InstanceNorm of (N, C, H, W)."""

    ndims = (2,)


class InstanceNorm3d(InstanceNorm):
    """InstanceNorm of (N, C, D, H, W)."""

    ndims = (3,)
