"""Convolution: tap by tap where each channel has its own filter, Winograd where it pays, for larger kernels piece by piece, its
smaller cousin where the dilation leaves two values to a phase, and in registers without columns for nearly everything else; these
hold results or, where a place has too few of them to fill one, what is summed. Gradients of the last are taken number by number
where few of dL/dy are not 0.

BLAS, with columns or for one tap without, keeps products of few rows, and gradients of the weights: those with one tap or with
many channels and filters, if registers are narrow or the sums short.

Shapes as in the reference.
"""

from __future__ import annotations

import math
from typing import Protocol

from minidil.array import Array
from minidil.errors import OptionError
from minidil.kernels.algorithm import chosen
from minidil.kernels.cpu import (
    depthwise,
    direct,
    im2col,
    narrow,
    pieces,
    pointwise,
    sparse,
    two_by_two,
    winograd,
    winograd_plan,
)
from minidil.kernels.geometry import Window

_MANY = 512  # positions of a batch; for fewer, transforming the filters takes Winograd longer than it saves


class Way(Protocol):
    """A way to convolve: what each of the files that are chosen from has."""

    def conv_forward(
        self, x: Array, weight: Array, window: Window, groups: int = 1, bias: Array | None = None
    ) -> Array: ...
    def conv_grad_input(self, grad: Array, weight: Array, window: Window, groups: int = 1) -> Array: ...
    def conv_grad_weight(self, x: Array, grad: Array, window: Window, groups: int = 1) -> Array: ...


def conv_forward(x: Array, weight: Array, window: Window, groups: int = 1, bias: Array | None = None) -> Array:
    """The convolution of x with weight, plus bias."""
    filters, channels, results = weight.shape[0], x.shape[1], len(x) * math.prod(window.out)
    few = narrow.pays(results, filters, channels, window, groups, x.itemsize)
    plain = narrow if few else _plain(window, direct.pays(results, filters, window, groups))
    return _way_for(window, channels, filters, groups, plain, results).conv_forward(x, weight, window, groups, bias)


def conv_grad_input(grad: Array, weight: Array, window: Window, groups: int = 1, forward: bool = False) -> Array:
    """dL/dx; forward: as the forward pass of a transposed convolution."""
    filters, channels, results = weight.shape[0], weight.shape[1] * groups, len(grad) * math.prod(window.size)
    few = narrow.pays(results, channels, filters, window, groups, grad.itemsize)
    plain = narrow if few else _plain(window, direct.pays(results, channels, window, groups))
    way = _way_for(window, channels, filters, groups, plain, results)
    if way is winograd:
        return winograd.conv_grad_input(grad, weight, window, groups, forward)
    if way is pieces:
        return pieces.conv_grad_input(grad, weight, window, groups, forward)
    if not forward and _few(way, plain, grad, weight, weight.shape[1]):
        return sparse.conv_grad_input(grad, weight, window, groups)
    return way.conv_grad_input(grad, weight, window, groups)


def conv_grad_weight(x: Array, grad: Array, window: Window, groups: int = 1) -> Array:
    """dL/dweight."""
    channels, filters, summed = x.shape[1], grad.shape[1], len(x) * math.prod(window.out)
    plain = _plain(window, direct.pays_for_weights(window, channels, filters, groups, summed, x.itemsize))
    way = _way_for(window, channels, filters, groups, plain, summed)
    if _few(way, plain, grad, x, channels // groups):
        return sparse.conv_grad_weight(x, grad, window, groups)
    return way.conv_grad_weight(x, grad, window, groups)


def _few(way: Way, plain: Way, grad: Array, factor: Array, channels: int) -> bool:
    """Whether nothing saves or forces the products, and most of them are 0."""
    return way is plain and chosen() == "auto" and sparse.pays(grad, factor, channels)


def _plain(window: Window, in_registers: bool) -> Way:
    """The way that saves no multiplications."""
    return direct if in_registers else pointwise if pointwise.applies(window) else im2col


def _way_for(
    window: Window, channels: int, filters: int, groups: int, plain: Way = direct, positions: int = _MANY
) -> Way:
    """The way that is forced or, if none is, pays most at so many positions of a batch; `plain` if no other does."""
    algorithm = chosen()
    if algorithm == "auto":
        if depthwise.applies(channels, filters, groups):
            return depthwise
        if two_by_two.applies(window, channels, filters, groups):
            return two_by_two
        if positions < _MANY:
            return plain
        if winograd_plan.pays(window, channels, filters, groups):
            return winograd
        return pieces if pieces.pays(window, channels, filters, groups) else plain
    if algorithm == "winograd" and not winograd_plan.applies(window):
        raise OptionError(
            f"conv: Winograd is forced and needs a 3x3 or Kx3x3 kernel with stride 1, not kernel {window.kernel}, "
            f"stride {window.stride}; use conv_algorithm('auto')"
        )
    return {"winograd": winograd, "direct": direct, "im2col": im2col}[algorithm]
