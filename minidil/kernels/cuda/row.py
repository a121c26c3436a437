"""Normalisation of every row by itself: a warp takes a row, and its lanes exchange their sums by shuffles.

`minidil.kernels.reference.row` derives the formulas. The sums over the rows are those of other kernels.
"""

from __future__ import annotations

import math

import numpy as np

from minidil.kernels.cuda.array import empty
from minidil.kernels.cuda.copy import full, reshape
from minidil.kernels.cuda.device import WARP, WARPS, Array, ceil_div, run, types, warp_sum
from minidil.kernels.cuda.elementwise import multiply, subtract
from minidil.kernels.cuda.launch import kernel
from minidil.kernels.cuda.reduce import sum
from minidil.kernels.cuda.seam import cuda, float32, uint32


@kernel(types("ffffffuur"))
def normalise_rows(
    x: Array, weight: Array, bias: Array, y: Array, means: Array, inverses: Array, count: int, length: int, eps: float
) -> None:
    lane = uint32(cuda.threadIdx.x)
    row = uint32(uint32(cuda.blockIdx.x) * uint32(WARPS) + uint32(cuda.threadIdx.y))
    if row < count:
        start = uint32(row * length)
        total, squares = float32(0), float32(0)
        for i in range(lane, length, uint32(WARP)):
            total += x[uint32(start + i)]
        mean = warp_sum(total) / float32(length)
        for i in range(lane, length, uint32(WARP)):
            distance = x[uint32(start + i)] - mean
            squares += distance * distance
        inverse = float32(1) / math.sqrt(warp_sum(squares) / float32(length) + eps)
        for i in range(lane, length, uint32(WARP)):
            y[uint32(start + i)] = (x[uint32(start + i)] - mean) * inverse * weight[i] + bias[i]
        if lane == uint32(0):
            means[row] = mean
            inverses[row] = inverse


@kernel(types("ffffffuu"))
def slopes_of_rows(
    grad: Array, x: Array, weight: Array, means: Array, inverses: Array, dx: Array, count: int, length: int
) -> None:
    lane = uint32(cuda.threadIdx.x)
    row = uint32(uint32(cuda.blockIdx.x) * uint32(WARPS) + uint32(cuda.threadIdx.y))
    if row < count:
        start = uint32(row * length)
        mean, inverse = means[row], inverses[row]
        total, product = float32(0), float32(0)
        for i in range(lane, length, uint32(WARP)):
            slope = grad[uint32(start + i)] * weight[i]
            total += slope
            product += slope * ((x[uint32(start + i)] - mean) * inverse)
        shift, pull = warp_sum(total) / float32(length), warp_sum(product) / float32(length)
        for i in range(lane, length, uint32(WARP)):
            h = (x[uint32(start + i)] - mean) * inverse
            dx[uint32(start + i)] = inverse * (grad[uint32(start + i)] * weight[i] - shift - h * pull)


def row_normalise(x: Array, weight: Array | None, bias: Array | None, eps: float) -> tuple[Array, Array, Array]:
    """y = weight h + bias, and the mean and 1 / sqrt(variance + eps) of every row."""
    rows, length = x.shape
    y, mean, inverse = empty(x.shape, x.dtype), empty((rows,), x.dtype), empty((rows,), x.dtype)
    arrays = x, _filled(weight, 1.0, x), _filled(bias, 0.0, x), y, mean, inverse
    sizes = np.uint32(rows), np.uint32(length)
    run(normalise_rows, ceil_div(rows, WARPS), (WARP, WARPS), *arrays, *sizes, np.float32(eps))
    return y, mean, inverse


def row_normalise_grad(
    grad: Array, x: Array, weight: Array | None, mean: Array, inverse: Array
) -> tuple[Array, Array, Array]:
    """r (H - mean(H) - h mean(H h)), with the means of each row; and for every column the sums of G h and of G."""
    rows, length = x.shape
    dx = empty(x.shape, x.dtype)
    arrays = grad, x, _filled(weight, 1.0, x), mean, inverse, dx
    run(slopes_of_rows, ceil_div(rows, WARPS), (WARP, WARPS), *arrays, np.uint32(rows), np.uint32(length))
    h = multiply(subtract(x, reshape(mean, (rows, 1))), reshape(inverse, (rows, 1)))
    return dx, sum(multiply(grad, h), axis=0), sum(grad, axis=0)


def _filled(vector: Array | None, value: float, x: Array) -> Array:
    return full(x.shape[1:], value, x.dtype) if vector is None else vector
