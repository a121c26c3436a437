"""Convolution: tap by tap where each channel has its own filter, one matrix product where the kernel has one tap, Winograd where
it pays, its smaller cousin where the dilation leaves two values to a phase, im2col for everything else.

Shapes as in the reference.
"""

from __future__ import annotations

from typing import Protocol

from minidil.array import Array
from minidil.errors import OptionError
from minidil.kernels.algorithm import chosen
from minidil.kernels.cpu import depthwise, im2col, pointwise, two_by_two, winograd, winograd_plan
from minidil.kernels.geometry import Window


class Way(Protocol):
    """A way to convolve: what each of the files that are chosen from has."""

    def conv_forward(
        self, x: Array, weight: Array, window: Window, groups: int = 1, bias: Array | None = None
    ) -> Array: ...
    def conv_grad_input(self, grad: Array, weight: Array, window: Window, groups: int = 1) -> Array: ...
    def conv_grad_weight(self, x: Array, grad: Array, window: Window, groups: int = 1) -> Array: ...


def conv_forward(x: Array, weight: Array, window: Window, groups: int = 1, bias: Array | None = None) -> Array:
    """The convolution of x with weight, plus bias."""
    return _way(window, weight, groups).conv_forward(x, weight, window, groups, bias)


def conv_grad_input(grad: Array, weight: Array, window: Window, groups: int = 1, forward: bool = False) -> Array:
    """dL/dx; forward: as the forward pass of a transposed convolution."""
    way = _way(window, weight, groups)
    if way is winograd:
        return winograd.conv_grad_input(grad, weight, window, groups, forward)
    return way.conv_grad_input(grad, weight, window, groups)


def conv_grad_weight(x: Array, grad: Array, window: Window, groups: int = 1) -> Array:
    """dL/dweight."""
    way = _way_for(window, x.shape[1], grad.shape[1], groups)
    return way.conv_grad_weight(x, grad, window, groups)


def _way(window: Window, weight: Array, groups: int) -> Way:
    return _way_for(window, weight.shape[1] * groups, weight.shape[0], groups)


def _way_for(window: Window, channels: int, filters: int, groups: int) -> Way:
    algorithm = chosen()
    if algorithm == "auto":
        if depthwise.applies(channels, filters, groups):
            return depthwise
        if pointwise.applies(window):
            return pointwise
        if two_by_two.applies(window, channels, filters, groups):
            return two_by_two
        return winograd if winograd_plan.pays(window, channels, filters, groups) else im2col
    if algorithm == "winograd" and not winograd_plan.applies(window):
        raise OptionError(
            f"conv: Winograd is forced and needs a 3x3 or Kx3x3 kernel with stride 1, not kernel {window.kernel}, "
            f"stride {window.stride}; use conv_algorithm('auto')"
        )
    return winograd if algorithm == "winograd" else im2col
