"""Matrix products: NumPy's, with the rows or columns of the result shared out where there is enough to do.

BLAS's own threads go on spinning for milliseconds after a product, beside the threads that work next.
"""

from __future__ import annotations

import math

import numpy as np

from minidil.array import Array
from minidil.kernels.cpu import memory
from minidil.kernels.cpu.exponential import exp_of_minus
from minidil.kernels.cpu.layout import compiled, writable
from minidil.kernels.threads import blas_limited, num_threads, run_sliced

_SHARED = 1 << 25  # multiply-adds: nearly a millisecond on one core, several times as long as it takes to wake a thread
_LARGE = 1 << 28  # of many matrices at once: as long as BLAS's threads spin in vain afterwards


def matmul(a: Array, b: Array) -> Array:
    """a @ b over the last two axes."""
    work, plain = math.prod(a.shape) * b.shape[-1], a.ndim == b.ndim == 2
    images = () if plain else np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
    y = memory.empty((*images, a.shape[-2], b.shape[-1]), np.result_type(a, b))
    if not plain or work < _SHARED:
        with blas_limited(num_threads() if work >= _LARGE else 1):
            return np.matmul(a, b, out=y)
    if len(a) >= b.shape[1]:
        run_sliced(lambda start, stop: np.matmul(a[start:stop], b, out=y[start:stop]), len(a))
    else:
        run_sliced(lambda start, stop: np.matmul(a, b[:, start:stop], out=y[:, start:stop]), b.shape[1])
    return y


def log_matmul(a: Array, b: Array) -> Array:
    """log(e^a e^b)."""
    y = np.empty((a.shape[0], b.shape[1]), a.dtype)
    _log_matmul(writable(np.ascontiguousarray(a)), writable(np.ascontiguousarray(b)), y, np.empty_like(y[:1]))
    return y


@compiled
def _log_matmul(a: Array, b: Array, y: Array, total: Array) -> None:
    for m in range(a.shape[0]):
        top, sums = y[m], total[0]
        top[:] = -np.inf
        sums[:] = 0
        for i in range(a.shape[1]):
            for j in range(len(top)):
                score = a[m, i] + b[i, j]
                top[j] = score if score > top[j] or score != score else top[j]  # a NaN stays one
        for i in range(a.shape[1]):
            for j in range(len(top)):
                sums[j] += exp_of_minus(top[j] - (a[m, i] + b[i, j]))
        for j in range(len(top)):
            top[j] = top[j] if top[j] == -np.inf else top[j] + math.log(sums[j])


def path_pairs(before: Array, between: Array, behind: Array, weight: Array) -> Array:
    """sum_m weight[m] e^(before[m, i] + between[i, j] + behind[m, j])."""
    y = np.zeros(between.shape, between.dtype)
    given = (writable(np.ascontiguousarray(x)) for x in (before, between, behind, weight))
    _path_pairs(*given, y.reshape(-1), np.empty(between.size, between.dtype))
    return y


@compiled
def _path_pairs(before: Array, between: Array, behind: Array, weight: Array, y: Array, scores: Array) -> None:
    columns = between.shape[1]
    for m in range(len(before)):
        for i in range(between.shape[0]):
            for j in range(columns):
                scores[i * columns + j] = -(before[m, i] + between[i, j] + behind[m, j])
        for at in range(len(scores)):  # one long loop: the compiler makes whole vectors of it, however few the columns
            y[at] += weight[m] * exp_of_minus(scores[at])
