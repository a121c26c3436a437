"""Convolution in pieces: the columns of some output positions, one matrix product, the next positions.

im2col makes a matrix K times as large as the input. Here a thread gathers the columns of so few output positions ("rows": an
output position is a row of the channels-last matrix) that they stay in its cache, multiplies them by the weights with BLAS, and
reuses the buffer. The columns of a batch never exist at once, and no thread waits for another.

A first layer, with the three channels of a colour image, goes this way too. Its columns of 27 numbers are short, but BLAS
multiplies them in a third of the time of a loop over the filters without columns; only the copying has loops of its own,
for three numbers are too few for a loop over channels.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from minidil.array import Array
from minidil.kernels.cpu import memory
from minidil.kernels.cpu.layout import as_channels, as_rows, compiled, walk
from minidil.kernels.geometry import Window
from minidil.kernels.threads import run_sliced

_CACHE_BYTES = 1 << 20  # of columns at a time; a core's level-2 cache is 1 to 2 MiB
_LEAST_ROWS = 256  # matrix products of fewer rows leave BLAS idle


def conv_forward(x: Array, weight: Array, window: Window, groups: int = 1, bias: Array | None = None) -> Array:
    """y[row] = cols[row] W (+ b), a few rows at a time. Shapes as in the reference."""
    source = as_rows(x)
    matrix = _as_columns(weight, groups)
    filters = weight.shape[0]
    y = memory.empty((len(x) * math.prod(window.out), groups, filters // groups), x.dtype)

    def work(start: int, stop: int) -> None:
        for first, last, cols in _columns(source, start, stop, window, groups):
            rows = y[first:last]
            np.matmul(cols, matrix, out=rows.transpose(1, 0, 2))
            if bias is not None:
                rows += bias.reshape(groups, -1)

    run_sliced(work, len(y))
    return as_channels(y.reshape(len(y), filters), len(x), window.out)


def conv_grad_input(grad: Array, weight: Array, window: Window, groups: int = 1) -> Array:
    """dcols = G W^T, then every entry of dcols is added where it came from. A thread owns whole images, so none meets another."""
    upstream = _grouped(grad, groups)
    matrix = _as_columns(weight, groups).transpose(0, 2, 1)
    images, per_group = len(grad), weight.shape[1]
    channels = per_group * groups
    dx = memory.zeros((images * math.prod(window.size), channels), grad.dtype)
    positions, width = math.prod(window.out), window.taps * per_group

    target = dx.reshape(len(dx), groups, per_group)

    def work(start: int, stop: int) -> None:
        step = _rows_at_once(window.taps * channels, grad.dtype)
        cols = memory.empty((min(step, (stop - start) * positions), groups, width), grad.dtype)
        for first, last, places in walk(window, start * positions, stop * positions, step):
            part = cols[: last - first]
            np.matmul(upstream[first:last].transpose(1, 0, 2), matrix, out=part.transpose(1, 0, 2))
            if (channels, groups) == (3, 1):
                _scatter_colours(part.reshape(len(part), window.taps, 3), places, dx)
            else:
                _scatter(part.reshape(len(part), groups, window.taps, per_group), places, target)

    run_sliced(work, images)
    return as_channels(dx, images, window.size)


def conv_grad_weight(x: Array, grad: Array, window: Window, groups: int = 1) -> Array:
    """dW = sum over the rows of cols^T G: one partial sum per thread, added in order, so the bits do not depend on timing."""
    source, upstream = as_rows(x), _grouped(grad, groups)
    channels, filters = x.shape[1] // groups, grad.shape[1]
    shape = (groups, window.taps * channels, filters // groups)

    def work(start: int, stop: int) -> Array:
        total, product = memory.zeros(shape, x.dtype), memory.empty(shape, x.dtype)
        for first, last, cols in _columns(source, start, stop, window, groups):
            np.matmul(cols.transpose(0, 2, 1), upstream[first:last].transpose(1, 0, 2), out=product)
            total += product
        return total

    total = sum(run_sliced(work, len(upstream)))
    taps_last = np.asarray(total).reshape(groups, window.taps, channels, filters // groups).transpose(0, 3, 2, 1)
    return taps_last.reshape(filters, channels, *window.kernel)


def _columns(source: Array, start: int, stop: int, window: Window, groups: int) -> Iterator[tuple[int, int, Array]]:
    """Yield (first, last, columns) for the rows start..stop, columns (groups, last - first, taps * channels of a group)."""
    channels, taps = source.shape[1], window.taps
    step = _rows_at_once(taps * channels, source.dtype)
    cols = memory.empty((min(step, stop - start), groups, taps, channels // groups), source.dtype)
    for first, last, places in walk(window, start, stop, step):
        part = cols[: last - first]
        if (channels, groups) == (3, 1):
            _gather_colours(source, places, part.reshape(len(part), taps, 3))
        else:
            _gather(source.reshape(len(source), groups, channels // groups), places, part)
        yield first, last, part.reshape(len(part), groups, taps * channels // groups).transpose(1, 0, 2)


def _rows_at_once(width: int, dtype: Any) -> int:
    return max(_LEAST_ROWS, _CACHE_BYTES // max(width * np.dtype(dtype).itemsize, 1))


def _as_columns(weight: Array, groups: int) -> Array:
    """(F, C/groups, *K) -> (groups, taps * C/groups, F/groups): the order in which `_gather` lays out a row."""
    filters, channels = weight.shape[:2]
    grouped = weight.reshape(groups, filters // groups, channels, -1)
    return np.ascontiguousarray(grouped.transpose(0, 3, 2, 1)).reshape(groups, -1, filters // groups)


def _grouped(grad: Array, groups: int) -> Array:
    """(N, F, *O) -> (N prod(O), groups, F/groups)."""
    rows = as_rows(grad)
    return rows.reshape(len(rows), groups, grad.shape[1] // groups)


@compiled
def _gather(x: Array, places: Array, cols: Array) -> None:
    """cols[r, :, tap] = the channels of x at places[r, tap], group by group; 0 on the padding."""
    rows, groups, taps, channels = cols.shape
    for r in range(rows):
        for tap in range(taps):
            place = places[r, tap]
            for g in range(groups):
                if place >= 0:
                    for c in range(channels):
                        cols[r, g, tap, c] = x[place, g, c]
                else:
                    for c in range(channels):
                        cols[r, g, tap, c] = 0


@compiled
def _scatter(cols: Array, places: Array, dx: Array) -> None:
    """The adjoint of `_gather`: dx collects what lies in cols, each entry at the place it was gathered from."""
    rows, groups, taps, channels = cols.shape
    for r in range(rows):
        for tap in range(taps):
            place = places[r, tap]
            if place >= 0:
                for g in range(groups):
                    for c in range(channels):
                        dx[place, g, c] += cols[r, g, tap, c]


@compiled
def _gather_colours(x: Array, places: Array, cols: Array) -> None:
    """`_gather` for one group of three channels."""
    rows, taps, _ = cols.shape
    for r in range(rows):
        for tap in range(taps):
            place = places[r, tap]
            if place >= 0:
                cols[r, tap, 0], cols[r, tap, 1], cols[r, tap, 2] = x[place, 0], x[place, 1], x[place, 2]
            else:
                cols[r, tap, 0] = cols[r, tap, 1] = cols[r, tap, 2] = 0


@compiled
def _scatter_colours(cols: Array, places: Array, dx: Array) -> None:
    """`_scatter` for one group of three channels."""
    rows, taps, _ = cols.shape
    for r in range(rows):
        for tap in range(taps):
            place = places[r, tap]
            if place >= 0:
                dx[place, 0] += cols[r, tap, 0]
                dx[place, 1] += cols[r, tap, 1]
                dx[place, 2] += cols[r, tap, 2]
