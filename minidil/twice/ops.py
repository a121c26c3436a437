"""Kernels that no op stands for alone, as functions of tensors: each with the gradient that it needs to be differentiated.

The three of a convolution are linear in both of their operands, and each is the gradient of the two others: with G = dL/dy,
    dL/dx = conv_grad_input(G, w),  dL/dw = conv_grad_weight(x, G),
and, since <conv(x, w), G> = <x, conv_grad_input(G, w)> = <w, conv_grad_weight(x, G)> is one trilinear form of x, w and G, the
gradient of each in one of its operands is the member of the family that lacks that operand.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from minidil.array import Array
from minidil.calls.lift import lift
from minidil.kernels.backend import active
from minidil.kernels.geometry import Window
from minidil.kernels.mixing import Mixing
from minidil.ops.common import Vjps


@lift
def conv_forward(x: Array, weight: Array, *, window: Window, groups: int) -> tuple[Array, Vjps]:
    """conv(x, w)."""
    k = active()
    return k.conv_forward(x, weight, window, groups), (
        lambda grad: k.conv_grad_input(grad, weight, window, groups),
        lambda grad: k.conv_grad_weight(x, grad, window, groups),
    )


@lift
def conv_grad_input(grad: Array, weight: Array, *, window: Window, groups: int, forward: bool) -> tuple[Array, Vjps]:
    """The adjoint of conv in x, of grad: linear in grad and in w."""
    k = active()
    return k.conv_grad_input(grad, weight, window, groups, forward), (
        lambda other: k.conv_forward(other, weight, window, groups),
        lambda other: k.conv_grad_weight(other, grad, window, groups),
    )


@lift
def conv_grad_weight(x: Array, grad: Array, *, window: Window, groups: int) -> tuple[Array, Vjps]:
    """The adjoint of conv in w, of grad: linear in x and in grad."""
    k = active()
    return k.conv_grad_weight(x, grad, window, groups), (
        lambda other: k.conv_grad_input(grad, other, window, groups),
        lambda other: k.conv_forward(x, other, window, groups),
    )


@lift
def window_sum(x: Array, *, window: Window) -> tuple[Array, Vjps]:
    """The sum of every window."""
    k = active()
    return k.window_sum(x, window), (lambda grad: k.window_spread(grad, window),)


@lift
def window_spread(grad: Array, *, window: Window) -> tuple[Array, Vjps]:
    """Its adjoint."""
    k = active()
    return k.window_spread(grad, window), (lambda other: k.window_sum(other, window),)


@lift
def resample(x: Array, *, mixings: Sequence[Mixing]) -> tuple[Array, Vjps]:
    """The product with a sparse matrix along each axis, and with the transposed ones."""
    k = active()
    return k.resample(x, mixings), (lambda grad: k.resample(grad, [mixing.adjoint for mixing in mixings]),)


@lift
def scatter_add(grad: Array, *, index: Any, shape: Sequence[int]) -> tuple[Array, Vjps]:
    """The adjoint of take, which is its own adjoint's adjoint."""
    k = active()
    return k.scatter_add(grad, index, shape), (lambda other: k.take(other, index),)


@lift
def log1p(x: Array) -> tuple[Array, Vjps]:
    """log(1 + x), whose slope is 1 / (1 + x)."""
    k = active()
    return k.log1p(x), (lambda grad: k.divide(grad, k.add(x, 1)),)


@lift
def erf(x: Array) -> tuple[Array, Vjps]:
    """The error function, whose slope is 2 e^(-x^2) / sqrt(pi)."""
    k = active()
    return k.erf(x), (
        lambda grad: k.multiply(grad, k.multiply(k.exp(k.negative(k.multiply(x, x))), 2 / math.sqrt(math.pi))),
    )


def places_of(winner: Array, window: Window) -> Array:
    """Where in its channel, (N, C, prod(S)), the winning taps of max pooling lie: int64 of the shape of `winner` (N, C, *O)."""
    taps = np.unravel_index(np.asarray(winner), window.kernel)
    outputs = np.indices(window.out)
    at = [
        o * stride + tap * dilation - before
        for o, tap, stride, dilation, (before, _) in zip(
            outputs, taps, window.stride, window.dilation, window.padding, strict=True
        )
    ]
    return np.ravel_multi_index(at, window.size)
