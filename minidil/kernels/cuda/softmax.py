"""Softmax and its logarithm along an axis, each in one launch: largest, sum of exponentials, result.

    softmax:     y_i = e^(x_i - m) / s        with m = max_j x_j and s = sum_j e^(x_j - m);
    log_softmax: y_i = x_i - m - log s.

Subtracting m changes nothing and keeps the powers from overflowing. Along the last axis a warp takes a row and its lanes exchange
m and s by shuffles; along another axis a thread takes a column, next to its neighbours' columns, and needs nobody. The
gradients are launches of other kernels.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from minidil.kernels.cuda.array import empty
from minidil.kernels.cuda.device import (
    WARP,
    WARPS,
    Array,
    ceil_div,
    inline,
    run,
    run_each,
    thread_index,
    types,
    warp_max,
    warp_sum,
)
from minidil.kernels.cuda.elementwise import exp, multiply, subtract
from minidil.kernels.cuda.launch import Kernel, kernel
from minidil.kernels.cuda.reduce import sum
from minidil.kernels.cuda.seam import cuda, float32, uint32

LOWEST = -math.inf


def _kernels(finish: Callable[[float, float], float], name: str) -> tuple[Kernel, Kernel]:
    f = inline(finish)

    def rows(x: Array, y: Array, count: int, length: int) -> None:
        lane = uint32(cuda.threadIdx.x)
        row = uint32(uint32(cuda.blockIdx.x) * uint32(WARPS) + uint32(cuda.threadIdx.y))
        if row < count:
            first, last = uint32(row * length + lane), uint32(row * length + length)
            largest = float32(LOWEST)
            for i in range(first, last, uint32(WARP)):
                largest = max(largest, x[i])
            largest = warp_max(largest)
            total = float32(0)
            for i in range(first, last, uint32(WARP)):
                total += math.exp(x[i] - largest)
            total = warp_sum(total)
            for i in range(first, last, uint32(WARP)):
                y[i] = f(x[i] - largest, total)

    def columns(x: Array, y: Array, count: int, length: int, inner: int) -> None:
        column = thread_index()
        if column < count:
            first = uint32(uint32(column // inner) * uint32(length * inner) + column % inner)
            last = uint32(first + length * inner)
            largest = float32(LOWEST)
            for i in range(first, last, inner):
                largest = max(largest, x[i])
            total = float32(0)
            for i in range(first, last, inner):
                total += math.exp(x[i] - largest)
            for i in range(first, last, inner):
                y[i] = f(x[i] - largest, total)

    rows.__name__, columns.__name__ = f"{name}_rows", f"{name}_columns"
    return kernel(types("ffuu"))(rows), kernel(types("ffuuu"))(columns)


def _share(shifted: float, total: float) -> float:
    return math.exp(shifted) / total


def _log_share(shifted: float, total: float) -> float:
    return shifted - math.log(total)


_SOFTMAX, _LOG_SOFTMAX = _kernels(_share, "softmax"), _kernels(_log_share, "log_softmax")


def softmax(x: Array, axis: int) -> Array:
    """e^x / sum e^x along an axis."""
    return _along(_SOFTMAX, x, axis)


def log_softmax(x: Array, axis: int) -> Array:
    """x - log sum e^x along an axis."""
    return _along(_LOG_SOFTMAX, x, axis)


def softmax_grad(grad: Array, y: Array, axis: int) -> Array:
    """y (grad - sum grad y), with the sum along the axis."""
    return multiply(y, subtract(grad, sum(multiply(grad, y), axis=axis, keepdims=True)))


def log_softmax_grad(grad: Array, y: Array, axis: int) -> Array:
    """grad - e^y sum grad, with the sum along the axis."""
    return subtract(grad, multiply(exp(y), sum(grad, axis=axis, keepdims=True)))


def _along(kernels: tuple[Kernel, Kernel], x: Array, axis: int) -> Array:
    rows, columns = kernels
    along = axis % x.ndim
    length, inner = x.shape[along], math.prod(x.shape[along + 1 :])
    y = empty(x.shape, x.dtype)
    count = x.size // length if length else 0
    if inner == 1:
        run(rows, ceil_div(count, WARPS), (WARP, WARPS), x, y, np.uint32(count), np.uint32(length))
    else:
        run_each(columns, count, x, y, *map(np.uint32, (count, length, inner)))
    return y
