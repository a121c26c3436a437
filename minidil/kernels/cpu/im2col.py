"""Convolution in pieces: the columns of some output positions, one matrix product, the next positions.

im2col makes a matrix K times as large as the input. Here a thread gathers the columns of so few output positions ("rows": an
output position is a row of the channels-last matrix) that they stay in its cache, multiplies them by the weights with BLAS, and
reuses the buffer. The columns of a batch never exist at once, and no thread waits for another.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from minidil.kernels.cpu import memory
from minidil.kernels.cpu.layout import Triple, Volume, channels_last, channels_second, compiled, volume
from minidil.kernels.geometry import Window
from minidil.kernels.threads import run_sliced

Array = NDArray[Any]

_CACHE_BYTES = 1 << 20  # of columns at a time; a core's level-2 cache is 1 to 2 MiB
_LEAST_ROWS = 256  # matrix products of fewer rows leave BLAS idle


def conv_forward(x: Array, weight: Array, window: Window, groups: int = 1, bias: Array | None = None) -> Array:
    """y[row] = cols[row] W (+ b), a few rows at a time. Shapes as in the reference."""
    v = volume(window)
    source = channels_last(x)
    matrix = _as_columns(weight, groups)
    n, filters = x.shape[0], weight.shape[0]
    y = memory.empty((n * math.prod(v.out), groups, filters // groups), x.dtype)

    def work(start: int, stop: int) -> None:
        for first, last, cols in _columns(source, start, stop, v, groups, y):
            rows = y[first:last]
            np.matmul(cols, matrix, out=rows.transpose(1, 0, 2))
            if bias is not None:
                rows += bias.reshape(groups, -1)

    run_sliced(work, len(y))
    return channels_second(y.reshape(n, *v.out, filters), window.out)


def conv_grad_input(grad: Array, weight: Array, window: Window, groups: int = 1) -> Array:
    """dcols = G W^T, then every entry of dcols is added where it came from. A thread owns whole images, so none meets another."""
    v = volume(window)
    rows = _as_rows(grad, groups)
    matrix = _as_columns(weight, groups).transpose(0, 2, 1)
    n, channels = grad.shape[0], weight.shape[1] * groups
    dx = memory.zeros((n, *v.size, channels), grad.dtype)
    positions = math.prod(v.out)

    def work(start: int, stop: int) -> None:
        step = _rows_at_once(window.taps * channels, grad.dtype)
        cols = memory.empty(
            (min(step, (stop - start) * positions), groups, window.taps, channels // groups), grad.dtype
        )
        flat = cols.reshape(len(cols), groups, len(matrix[0, 0])).transpose(1, 0, 2)
        for first in range(start * positions, stop * positions, step):
            last = min(first + step, stop * positions)
            np.matmul(rows[first:last].transpose(1, 0, 2), matrix, out=flat[:, : last - first])
            _scatter(cols[: last - first], dx, first, v.kernel, v.stride, v.before, v.dilation, v.out)

    run_sliced(work, n)
    return channels_second(dx, window.size)


def conv_grad_weight(x: Array, grad: Array, window: Window, groups: int = 1) -> Array:
    """dW = sum over the rows of cols^T G: one partial sum per thread, added in order, so the bits do not depend on timing."""
    v = volume(window)
    source, rows = channels_last(x), _as_rows(grad, groups)
    channels, filters = x.shape[1] // groups, grad.shape[1]
    shape = (groups, window.taps * channels, filters // groups)

    def work(start: int, stop: int) -> Array:
        total, product = memory.zeros(shape, x.dtype), memory.empty(shape, x.dtype)
        for first, last, cols in _columns(source, start, stop, v, groups, rows):
            np.matmul(cols.transpose(0, 2, 1), rows[first:last].transpose(1, 0, 2), out=product)
            total += product
        return total

    total = sum(run_sliced(work, len(rows)))
    taps_last = np.asarray(total).reshape(groups, window.taps, channels, filters // groups).transpose(0, 3, 2, 1)
    return taps_last.reshape(filters, channels, *window.kernel)


def _columns(source: Array, start: int, stop: int, v: Volume, groups: int, like: Array) -> Any:
    """Yield (first, last, columns) for the rows start..stop, columns (groups, last - first, taps * channels of a group)."""
    channels, taps = source.shape[-1], math.prod(v.kernel)
    if taps == 1 and v.size == v.out and v.stride == (1, 1, 1):  # a 1x1 convolution: the input is its own columns
        flat = source.reshape(-1, groups, channels // groups)
        yield start, stop, flat[start:stop].transpose(1, 0, 2)
        return
    step = _rows_at_once(taps * channels, like.dtype)
    cols = memory.empty((min(step, stop - start), groups, taps, channels // groups), like.dtype)
    flat = cols.reshape(len(cols), groups, taps * channels // groups).transpose(1, 0, 2)
    for first in range(start, stop, step):
        last = min(first + step, stop)
        _gather(source, cols[: last - first], first, v.kernel, v.stride, v.before, v.dilation, v.out)
        yield first, last, flat[:, : last - first]


def _rows_at_once(width: int, dtype: Any) -> int:
    return max(_LEAST_ROWS, _CACHE_BYTES // max(width * np.dtype(dtype).itemsize, 1))


def _as_columns(weight: Array, groups: int) -> Array:
    """(F, C/groups, *K) -> (groups, taps * C/groups, F/groups): the order in which `_gather` lays out a row."""
    filters, channels = weight.shape[:2]
    grouped = weight.reshape(groups, filters // groups, channels, -1)
    return np.ascontiguousarray(grouped.transpose(0, 3, 2, 1)).reshape(groups, -1, filters // groups)


def _as_rows(grad: Array, groups: int) -> Array:
    """(N, F, *O) -> (N prod(O), groups, F/groups)."""
    return channels_last(grad).reshape(-1, groups, grad.shape[1] // groups)


@compiled
def _gather(
    x: Array, cols: Array, first: int, kernel: Triple, stride: Triple, before: Triple, dilation: Triple, out: Triple
) -> None:
    """cols[r] = the window of output position first + r, taps in row-major order; 0 where a tap falls on the padding."""
    _, depth, height, width, _ = x.shape
    rows, groups, _, channels = cols.shape
    for r in range(rows):
        position = first + r
        ow, rest = position % out[2], position // out[2]
        oh, rest = rest % out[1], rest // out[1]
        od, n = rest % out[0], rest // out[0]
        tap = 0
        for i in range(kernel[0]):
            d = od * stride[0] + i * dilation[0] - before[0]
            for j in range(kernel[1]):
                h = oh * stride[1] + j * dilation[1] - before[1]
                inside = 0 <= d < depth and 0 <= h < height
                for k in range(kernel[2]):
                    w = ow * stride[2] + k * dilation[2] - before[2]
                    if inside and 0 <= w < width:
                        for g in range(groups):
                            for c in range(channels):
                                cols[r, g, tap, c] = x[n, d, h, w, g * channels + c]
                    else:
                        for g in range(groups):
                            for c in range(channels):
                                cols[r, g, tap, c] = 0
                    tap += 1


@compiled
def _scatter(
    cols: Array, dx: Array, first: int, kernel: Triple, stride: Triple, before: Triple, dilation: Triple, out: Triple
) -> None:
    """The adjoint of `_gather`: dx collects what lies in cols[r], each entry at the place it was gathered from."""
    _, depth, height, width, _ = dx.shape
    rows, groups, _, channels = cols.shape
    for r in range(rows):
        position = first + r
        ow, rest = position % out[2], position // out[2]
        oh, rest = rest % out[1], rest // out[1]
        od, n = rest % out[0], rest // out[0]
        tap = 0
        for i in range(kernel[0]):
            d = od * stride[0] + i * dilation[0] - before[0]
            for j in range(kernel[1]):
                h = oh * stride[1] + j * dilation[1] - before[1]
                inside = 0 <= d < depth and 0 <= h < height
                for k in range(kernel[2]):
                    w = ow * stride[2] + k * dilation[2] - before[2]
                    if inside and 0 <= w < width:
                        for g in range(groups):
                            for c in range(channels):
                                dx[n, d, h, w, g * channels + c] += cols[r, g, tap, c]
                    tap += 1
