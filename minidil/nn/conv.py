"""Convolutions and transposed convolutions over 1, 2 or 3 spatial axes. The classes differ in `ndim` alone."""

from __future__ import annotations

import math
from typing import ClassVar

import numpy as np

import minidil.functional as F
from minidil.errors import OptionError
from minidil.kernels.geometry import Ints, Padding, Window, per_axis
from minidil.nn.checks import brief, check_channels_first, check_counts, check_rank
from minidil.nn.field import Field
from minidil.nn.init import he_normal
from minidil.nn.module import Module
from minidil.nn.parameter import Parameter
from minidil.tensor import Tensor

# Settings are checked by the code that will use them, on an input that no kernel overruns.
_AMPLE = 1 << 40


class Windowed(Module):
    """What both directions share: the settings, their checks, and how they are shown."""

    ndim: ClassVar[int]
    weight: Parameter
    bias: Parameter | None

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Ints,
        stride: Ints,
        padding: Padding,
        dilation: Ints,
        groups: int,
    ) -> None:
        super().__init__()
        layer = type(self).__name__
        check_counts(layer, in_channels=in_channels, out_channels=out_channels, groups=groups)
        for name, channels in (("in_channels", in_channels), ("out_channels", out_channels)):
            if channels % groups:
                raise OptionError(f"{layer}: {name}={channels} does not divide into groups={groups}")
        window = Window.of((_AMPLE,) * self.ndim, kernel_size, stride, padding, dilation, op=layer)
        self.in_channels = in_channels
        self.out_channels = out_channels
        self.kernel_size = window.kernel
        self.stride = window.stride
        self.padding = padding
        self.dilation = window.dilation
        self.groups = groups

    def window(self, size: tuple[int, ...]) -> Window:
        """The window of this layer over an input with spatial axes `size`."""
        return Window.of(size, self.kernel_size, self.stride, self.padding, self.dilation, op=type(self).__name__)

    def extra_repr(self) -> str:
        shown = [f"{self.in_channels}, {self.out_channels}, kernel_size={brief(self.kernel_size)}"]
        shown += [
            f"{name}={brief(getattr(self, name))}"
            for name, usual in (("stride", 1), ("padding", 0), ("dilation", 1), ("groups", 1))
            if brief(getattr(self, name)) != repr(usual)
        ]
        return ", ".join(shown + (["bias=False"] if self.bias is None else []))


class _Conv(Windowed):
    """Slide out_channels dilated filters over x, see `minidil.functional.conv`.

    Shapes: x (N, in_channels, *S) -> (N, out_channels, *O) with O = (S + padding - dilation (K - 1) - 1) // stride + 1.
    padding: an int, one per axis, one (before, after) pair per axis, "same", "valid" or "causal".
    Parameters: weight (out_channels, in_channels/groups, *kernel_size), drawn by `he_normal` from rng; bias (out_channels,),
        zeros, or None with bias=False.
    Raises: OptionError for settings that do not fit together; ShapeError if x does not fit.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Ints,
        stride: Ints = 1,
        padding: Padding = 0,
        dilation: Ints = 1,
        groups: int = 1,
        bias: bool = True,
        *,
        rng: np.random.Generator | None = None,
    ) -> None:
        super().__init__(in_channels, out_channels, kernel_size, stride, padding, dilation, groups)
        self.weight = Parameter(he_normal((out_channels, in_channels // groups, *self.kernel_size), rng=rng))
        self.bias = Parameter(np.zeros(out_channels, np.float32)) if bias else None

    def forward(self, x: Tensor) -> Tensor:
        check_rank(type(self).__name__, x.shape, self.ndim)
        check_channels_first(type(self).__name__, x.shape, self.in_channels)
        return F.conv(x, self.weight, self.bias, self.stride, self.padding, self.dilation, self.groups)

    def multiply_adds(self, input_shape: tuple[int, ...], output_shape: tuple[int, ...]) -> int:
        return math.prod(output_shape) * math.prod(self.weight.shape[1:])

    def receptive_field(self, before: Field, input_shape: tuple[int, ...]) -> Field:
        return before.through(self.window(input_shape[2:]))


class _ConvTranspose(Windowed):
    """The adjoint of a convolution, which enlarges by its stride, see `minidil.functional.conv_transpose`.

    Shapes: x (N, in_channels, *O) -> (N, out_channels, *S) with
        S = (O - 1) stride - 2 padding + dilation (K - 1) + 1 + output_padding.
    Parameters: weight (in_channels, out_channels/groups, *kernel_size), drawn by `he_normal` with the mean number of
        products per output, in_channels/groups prod(K)/prod(stride); bias (out_channels,), zeros, or None.
    Raises: OptionError for settings that do not fit together; ShapeError if x does not fit.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Ints,
        stride: Ints = 1,
        padding: Padding = 0,
        output_padding: Ints = 0,
        groups: int = 1,
        bias: bool = True,
        dilation: Ints = 1,
        *,
        rng: np.random.Generator | None = None,
    ) -> None:
        layer = type(self).__name__
        if padding in ("same", "causal"):
            raise OptionError(f"{layer}: padding {padding!r} depends on the size that is wanted; give it in numbers")
        super().__init__(in_channels, out_channels, kernel_size, stride, padding, dilation, groups)
        self.output_padding = per_axis(output_padding, self.ndim, "output_padding", layer, least=0)
        for extra, step, d in zip(self.output_padding, self.stride, self.dilation, strict=True):
            if extra >= max(step, d):
                raise OptionError(
                    f"{layer}: output_padding={brief(self.output_padding)} must be less than stride={step} or dilation={d}"
                )
        products = in_channels // groups * math.prod(self.kernel_size) / math.prod(self.stride)
        self.weight = Parameter(
            he_normal((in_channels, out_channels // groups, *self.kernel_size), fan=products, rng=rng)
        )
        self.bias = Parameter(np.zeros(out_channels, np.float32)) if bias else None

    def forward(self, x: Tensor) -> Tensor:
        check_rank(type(self).__name__, x.shape, self.ndim)
        return F.conv_transpose(
            x,
            self.weight,
            self.bias,
            stride=self.stride,
            padding=self.padding,
            output_padding=self.output_padding,
            dilation=self.dilation,
            groups=self.groups,
        )

    def multiply_adds(self, input_shape: tuple[int, ...], output_shape: tuple[int, ...]) -> int:
        return math.prod(input_shape) * math.prod(self.weight.shape[1:])

    def receptive_field(self, before: Field, input_shape: tuple[int, ...]) -> Field:
        return before.spread(Window.of((_AMPLE,) * self.ndim, self.kernel_size, self.stride, 0, self.dilation))

    def extra_repr(self) -> str:
        extra = f", output_padding={brief(self.output_padding)}" if any(self.output_padding) else ""
        return super().extra_repr() + extra


class Conv1d(_Conv):
    __doc__ = _Conv.__doc__
    ndim = 1


class Conv2d(_Conv):
    __doc__ = _Conv.__doc__
    ndim = 2


class Conv3d(_Conv):
    __doc__ = _Conv.__doc__
    ndim = 3


class ConvTranspose1d(_ConvTranspose):
    __doc__ = _ConvTranspose.__doc__
    ndim = 1


class ConvTranspose2d(_ConvTranspose):
    __doc__ = _ConvTranspose.__doc__
    ndim = 2


class ConvTranspose3d(_ConvTranspose):
    __doc__ = _ConvTranspose.__doc__
    ndim = 3


def conv_class(ndim: int) -> type[_Conv]:
    """The convolution over `ndim` spatial axes."""
    classes: dict[int, type[_Conv]] = {1: Conv1d, 2: Conv2d, 3: Conv3d}
    if ndim not in classes:
        raise OptionError(f"conv_class: there are convolutions over 1, 2 or 3 spatial axes, not {ndim!r}")
    return classes[ndim]
