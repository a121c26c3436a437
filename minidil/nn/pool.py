"""Pooling over 1, 2 or 3 spatial axes. The classes differ in `ndim` alone."""

from __future__ import annotations

from typing import ClassVar

import minidil.functional as F
from minidil.kernels.geometry import Ints, Padding, Window, per_axis
from minidil.nn.checks import brief, check_rank
from minidil.nn.field import Field
from minidil.nn.module import Module
from minidil.tensor import Tensor


class _Pool(Module):
    """What both kinds of pooling share: the settings, their checks, and how they are shown."""

    ndim: ClassVar[int]

    def __init__(self, kernel_size: Ints, stride: Ints | None, padding: Padding, dilation: Ints) -> None:
        super().__init__()
        step = kernel_size if stride is None else stride
        # Checked by the code that will use the settings, on an input that no kernel overruns.
        window = Window.of((1 << 40,) * self.ndim, kernel_size, step, padding, dilation, op=type(self).__name__)
        self.kernel_size = window.kernel
        self.stride = window.stride
        self.padding = padding
        self.dilation = window.dilation

    def receptive_field(self, before: Field, input_shape: tuple[int, ...]) -> Field:
        layer, size = type(self).__name__, input_shape[2:]
        return before.through(Window.of(size, self.kernel_size, self.stride, self.padding, self.dilation, op=layer))

    def extra_repr(self) -> str:
        shown = [f"kernel_size={brief(self.kernel_size)}"]
        shown += [f"stride={brief(self.stride)}"] if self.stride != self.kernel_size else []
        shown += [f"padding={brief(self.padding)}"] if brief(self.padding) != "0" else []
        shown += [f"dilation={brief(self.dilation)}"] if brief(self.dilation) != "1" else []
        return ", ".join(shown)


class _MaxPool(_Pool):
    """The largest of every window's taps, see `minidil.functional.max_pool`.

    Shapes: x (N, C, *S) -> (N, C, *O) with O = (S + padding - dilation (K - 1) - 1) // stride + 1; stride defaults to K.
    Raises: OptionError for settings that are not what they should be; ShapeError if the window overruns x.
    """

    def __init__(self, kernel_size: Ints, stride: Ints | None = None, padding: Padding = 0, dilation: Ints = 1) -> None:
        super().__init__(kernel_size, stride, padding, dilation)

    def forward(self, x: Tensor) -> Tensor:
        check_rank(type(self).__name__, x.shape, self.ndim)
        return F.max_pool(x, self.kernel_size, self.stride, self.padding, self.dilation)


class _AvgPool(_Pool):
    """The mean of every window's taps, see `minidil.functional.avg_pool`.

    Shapes: as for max pooling.
    count_include_pad: whether padding counts as zeros, or not at all.
    Raises: OptionError for settings that are not what they should be; ShapeError if the window overruns x.
    """

    def __init__(
        self,
        kernel_size: Ints,
        stride: Ints | None = None,
        padding: Padding = 0,
        *,
        dilation: Ints = 1,
        count_include_pad: bool = True,
    ) -> None:
        super().__init__(kernel_size, stride, padding, dilation)
        self.count_include_pad = count_include_pad

    def forward(self, x: Tensor) -> Tensor:
        check_rank(type(self).__name__, x.shape, self.ndim)
        return F.avg_pool(
            x,
            kernel_size=self.kernel_size,
            stride=self.stride,
            padding=self.padding,
            dilation=self.dilation,
            count_include_pad=self.count_include_pad,
        )


class MaxPool1d(_MaxPool):
    __doc__ = _MaxPool.__doc__
    ndim = 1


class MaxPool2d(_MaxPool):
    __doc__ = _MaxPool.__doc__
    ndim = 2


class MaxPool3d(_MaxPool):
    __doc__ = _MaxPool.__doc__
    ndim = 3


class AvgPool1d(_AvgPool):
    __doc__ = _AvgPool.__doc__
    ndim = 1


class AvgPool2d(_AvgPool):
    __doc__ = _AvgPool.__doc__
    ndim = 2


class AvgPool3d(_AvgPool):
    __doc__ = _AvgPool.__doc__
    ndim = 3


class AdaptiveAvgPool(Module):
    """Means over a grid of output_size regions, as even as the input allows, for any number of spatial axes.

    Shapes: x (N, C, *S) -> (N, C, *output_size); an int stands for every axis.
    Raises: OptionError unless output_size is made of ints >= 1; ShapeError if x does not fit.
    """

    ndim: ClassVar[int | None] = None

    def __init__(self, output_size: Ints) -> None:
        super().__init__()
        axes = self.ndim or (1 if isinstance(output_size, int) else len(output_size))
        per_axis(output_size, axes, "output_size", type(self).__name__, least=1)
        self.output_size = output_size

    def forward(self, x: Tensor) -> Tensor:
        if self.ndim:
            check_rank(type(self).__name__, x.shape, self.ndim)
        return F.adaptive_avg_pool(x, output_size=self.output_size)

    def receptive_field(self, before: Field, input_shape: tuple[int, ...]) -> Field:
        size = input_shape[2:]
        regions = per_axis(self.output_size, len(size), "output_size", type(self).__name__, least=1)
        # Region i is floor(i S/O) .. ceil((i+1) S/O) - 1; the widest of them counts, and they lie S/O apart on average.
        widest = [max(-(-(i + 1) * n // o) - i * n // o for i in range(o)) for n, o in zip(size, regions, strict=True)]
        seen = before.over(widest)
        return Field(seen.size, tuple(j * n / o for j, n, o in zip(before.jump, size, regions, strict=True)))

    def extra_repr(self) -> str:
        return f"output_size={brief(self.output_size)}"


class AdaptiveAvgPool1d(AdaptiveAvgPool):
    __doc__ = AdaptiveAvgPool.__doc__
    ndim = 1


class AdaptiveAvgPool2d(AdaptiveAvgPool):
    __doc__ = AdaptiveAvgPool.__doc__
    ndim = 2


class AdaptiveAvgPool3d(AdaptiveAvgPool):
    __doc__ = AdaptiveAvgPool.__doc__
    ndim = 3


class GlobalAvgPool(Module):
    """The mean of every channel over all spatial axes, which stay with size 1.

    Shapes: x (N, C, *S) -> (N, C, 1, ...).
    Source: Lin, Chen & Yan 2014, arXiv:1312.4400, section 3.2.
    """

    def forward(self, x: Tensor) -> Tensor:
        return F.global_avg_pool(x)

    def receptive_field(self, before: Field, input_shape: tuple[int, ...]) -> Field:
        return before.over(input_shape[2:])


class GlobalMaxPool(Module):
    """The largest value of every channel over all spatial axes, which stay with size 1.

    Shapes: x (N, C, *S) -> (N, C, 1, ...).
    """

    def forward(self, x: Tensor) -> Tensor:
        return F.max_pool(x, kernel_size=x.shape[2:])

    def receptive_field(self, before: Field, input_shape: tuple[int, ...]) -> Field:
        return before.over(input_shape[2:])


class Flatten(Module):
    """Join axes: (N, C, *S) -> (N, C prod(S)) by default, see `minidil.functional.flatten`.

    start, end: the first and the last of the joined axes.
    """

    def __init__(self, start: int = 1, end: int = -1) -> None:
        super().__init__()
        self.start = start
        self.end = end

    def forward(self, x: Tensor) -> Tensor:
        return F.flatten(x, start=self.start, end=self.end)

    def receptive_field(self, before: Field, input_shape: tuple[int, ...]) -> Field:
        # What follows looks at all positions at once, if there are any left.
        return before.over(input_shape[2:]) if len(input_shape) > 2 else before

    def extra_repr(self) -> str:
        return "" if (self.start, self.end) == (1, -1) else f"{self.start}, {self.end}"
