"""Normalisation of every row by itself: a row is read from memory once and stays in the cache while it is computed with.

Sums over a row are taken in its own type over _BLOCK numbers, which the compiler adds up in vectors, and in float64 from block to
block; those over the rows likewise, by blocks of rows. A block is a slice that is counted from 0: where a loop begins elsewhere,
the compiler allows for numbers that count from the end, and fetches them one by one.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from minidil.array import Array
from minidil.kernels.cpu import memory
from minidil.kernels.cpu.flat import LEAST_ELEMENTS
from minidil.kernels.cpu.layout import as_rows, compiled, compiled_sum, writable
from minidil.kernels.threads import run_sliced

_BLOCK = 1024  # numbers of a row
_ROWS = 64  # of which a column is added up


def row_normalise(x: Array, weight: Array | None, bias: Array | None, eps: float) -> tuple[Array, Array, Array]:
    """y = weight h + bias, and the mean and 1 / sqrt(variance + eps) of every row."""
    rows = as_rows(x)
    y, mean, inverse = (memory.empty(shape, x.dtype) for shape in (rows.shape, rows.shape[:1], rows.shape[:1]))
    whole = _filled(weight, 1, rows), _filled(bias, 0, rows), x.dtype.type(eps)
    _run(lambda x, y, mean, inverse: _normalise(x, *whole, y, mean, inverse), (rows, y, mean, inverse))
    return y, mean, inverse


def row_normalise_grad(
    grad: Array, x: Array, weight: Array | None, mean: Array, inverse: Array
) -> tuple[Array, Array, Array]:
    """r (H - mean(H) - h mean(H h)), with the means of each row; and for every column the sums of G h and of G."""
    rows = as_rows(x)
    dx, factors = memory.empty(rows.shape, x.dtype), _filled(weight, 1, rows)
    arrays = as_rows(grad), rows, writable(mean), writable(inverse), dx
    product, total = np.asarray(sum(_run(lambda *arrays: _slopes(factors, *arrays), arrays))).astype(x.dtype)
    return dx, product, total


def _run(kernel: Callable[..., Any], arrays: Sequence[Array]) -> list[Any]:
    """What kernel(*arrays) gives, for the rows of the arrays, shared out among the threads."""
    if arrays[0].size < LEAST_ELEMENTS:
        return [kernel(*arrays)]
    return run_sliced(lambda start, stop: kernel(*(array[start:stop] for array in arrays)), len(arrays[0]))


def _filled(vector: Array | None, value: float, rows: Array) -> Array:
    """The vector as it is read by a kernel; one of such values if there is none."""
    return np.full(rows.shape[1], value, rows.dtype) if vector is None else writable(np.ascontiguousarray(vector))


@compiled
def _normalise(x: Array, weight: Array, bias: Array, eps: float, y: Array, means: Array, inverses: Array) -> None:
    rows, length = x.shape
    one = x.dtype.type(1)
    for r in range(rows):
        mean = x.dtype.type(_sum(x[r]) / length)
        inverse = one / math.sqrt(x.dtype.type(_sum_of_squares(x[r], mean) / length) + eps)
        for i in range(length):
            y[r, i] = (x[r, i] - mean) * inverse * weight[i] + bias[i]
        means[r], inverses[r] = mean, inverse


@compiled
def _slopes(weight: Array, grad: Array, x: Array, means: Array, inverses: Array, dx: Array) -> Array:
    rows, length = x.shape
    sums, part = np.zeros((2, length)), np.zeros((2, length), x.dtype)
    for r in range(rows):
        mean, inverse = means[r], inverses[r]
        total, product = _sums_of_slopes(grad[r], weight, x[r], mean, inverse)
        shift, pull = x.dtype.type(total / length), x.dtype.type(product / length)
        for i in range(length):
            dx[r, i] = inverse * (grad[r, i] * weight[i] - shift - (x[r, i] - mean) * inverse * pull)
        for i in range(length):
            part[0, i] += grad[r, i] * ((x[r, i] - mean) * inverse)
            part[1, i] += grad[r, i]
        if r % _ROWS == _ROWS - 1 or r == rows - 1:
            sums += part
            part[:] = 0
    return sums


@compiled_sum
def _sum(x: Array) -> float:
    total = 0.0
    for first in range(0, len(x), _BLOCK):
        block, part = x[first : first + _BLOCK], x.dtype.type(0)
        for i in range(len(block)):
            part += block[i]
        total += part
    return total


@compiled_sum
def _sum_of_squares(x: Array, mean: float) -> float:
    """Of the distances to the mean."""
    total = 0.0
    for first in range(0, len(x), _BLOCK):
        block, part = x[first : first + _BLOCK], x.dtype.type(0)
        for i in range(len(block)):
            part += (block[i] - mean) * (block[i] - mean)
        total += part
    return total


@compiled_sum
def _sums_of_slopes(grad: Array, weight: Array, x: Array, mean: float, inverse: float) -> tuple[float, float]:
    """sum(H) and sum(H h) of a row."""
    total, product = 0.0, 0.0
    for first in range(0, len(x), _BLOCK):
        last, part, dot = first + _BLOCK, x.dtype.type(0), x.dtype.type(0)
        block, slopes, factors = x[first:last], grad[first:last], weight[first:last]
        for i in range(len(block)):
            h = slopes[i] * factors[i]
            part += h
            dot += h * ((block[i] - mean) * inverse)
        total += part
        product += dot
    return total, product
