"""Convolution whose taps learn where to stand."""

from __future__ import annotations

import math

import numpy as np

import minidil.functional as F
from minidil.kernels.geometry import Ints, Padding, per_axis
from minidil.nn.checks import check_channels_first, check_counts, check_rank
from minidil.nn.conv import Windowed
from minidil.nn.field import Field
from minidil.nn.init import he_normal
from minidil.nn.parameter import Parameter
from minidil.random import default_rng
from minidil.tensor import Tensor


class _Dcls(Windowed):
    """Dilated convolution with learnable spacings: kernel_count taps of each filter and channel, anywhere in a larger kernel.

    Where a dilated convolution has d, this has positions, which learn with the weights, see `minidil.functional.place_taps`. The
    kernel of size dilated_kernel_size is then a dense one: it costs what that costs.
    Shapes: x (N, in_channels, *S) -> (N, out_channels, *O), as a convolution with a kernel of dilated_kernel_size.
    Parameters: weight (out_channels, in_channels/groups, kernel_count), drawn by `he_normal` from rng; positions (axes,
        out_channels, in_channels/groups, kernel_count), measured from the middle, drawn evenly over the kernel; bias
        (out_channels,), zeros, or None.
    The rate of the positions is for the optimizer's groups: the authors take five times that of the weights, and no decay.
    Raises: OptionError for settings that do not fit together; ShapeError if x does not fit.
    Source: Hassani et al. 2021, arXiv:2112.03740.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_count: int,
        dilated_kernel_size: Ints,
        stride: Ints = 1,
        padding: Padding = 0,
        groups: int = 1,
        bias: bool = True,
        *,
        rng: np.random.Generator | None = None,
    ) -> None:
        sizes = per_axis(dilated_kernel_size, self.ndim, "dilated_kernel_size", type(self).__name__, least=1)
        super().__init__(in_channels, out_channels, sizes, stride, padding, 1, groups)
        check_counts(type(self).__name__, kernel_count=kernel_count)
        self.kernel_count = kernel_count
        rng = rng or default_rng()
        shape = (out_channels, in_channels // groups, kernel_count)
        self.weight = Parameter(he_normal(shape, rng=rng))
        reach = [(n - 1) / 2 for n in sizes]
        self.positions = Parameter(np.stack([rng.uniform(-r, r, shape) for r in reach]).astype(np.float32))
        self.bias = Parameter(np.zeros(out_channels, np.float32)) if bias else None

    def kernel(self) -> Tensor:
        """The dense kernel (out_channels, in_channels/groups, *dilated_kernel_size) of now."""
        return F.place_taps(self.weight, self.positions, size=self.kernel_size)

    def forward(self, x: Tensor) -> Tensor:
        check_rank(type(self).__name__, x.shape, self.ndim)
        check_channels_first(type(self).__name__, x.shape, self.in_channels)
        return F.conv(x, self.kernel(), self.bias, self.stride, self.padding, 1, self.groups)

    def multiply_adds(self, input_shape: tuple[int, ...], output_shape: tuple[int, ...]) -> int:
        return math.prod(output_shape) * self.weight.shape[1] * math.prod(self.kernel_size)

    def receptive_field(self, before: Field, input_shape: tuple[int, ...]) -> Field:
        return before.through(self.window(input_shape[2:]))

    def extra_repr(self) -> str:
        return f"kernel_count={self.kernel_count}, {super().extra_repr()}"


class Dcls1d(_Dcls):
    __doc__ = _Dcls.__doc__
    ndim = 1


class Dcls2d(_Dcls):
    __doc__ = _Dcls.__doc__
    ndim = 2


class Dcls3d(_Dcls):
    __doc__ = _Dcls.__doc__
    ndim = 3
