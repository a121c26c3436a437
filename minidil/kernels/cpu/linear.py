"""Matrix products: NumPy's, with BLAS's own threads only where there is enough for them to do, in memory that is used again."""

from __future__ import annotations

import math

import numpy as np

from minidil.array import Array
from minidil.kernels.cpu import memory
from minidil.kernels.cpu.exponential import exp_of_minus
from minidil.kernels.cpu.layout import compiled, writable
from minidil.kernels.threads import blas_limited, num_threads

_LARGE = 1 << 28  # multiply-adds: several milliseconds on one core, as long as woken threads spin in vain afterwards


def matmul(a: Array, b: Array) -> Array:
    """a @ b over the last two axes."""
    work = math.prod(a.shape) * b.shape[-1]
    shape = (*np.broadcast_shapes(a.shape[:-2], b.shape[:-2]), a.shape[-2], b.shape[-1])
    product = memory.empty(shape, np.result_type(a, b))
    with blas_limited(num_threads() if work >= _LARGE else 1):
        return np.matmul(a, b, out=product)


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
