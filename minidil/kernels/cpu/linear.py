"""Matrix products: NumPy's, with the rows or columns of the result shared out where there is enough to do.

BLAS's own threads go on spinning for milliseconds after a product, beside the threads that work next.
"""

from __future__ import annotations

import math

import numpy as np

from minidil.array import Array
from minidil.kernels.cpu import memory
from minidil.kernels.threads import blas_limited, num_threads, run_sliced

_SHARED = 1 << 25  # multiply-adds: nearly a millisecond on one core, several times as long as it takes to wake a thread
_LARGE = 1 << 28  # of many matrices at once: as long as BLAS's threads spin in vain afterwards


def matmul(a: Array, b: Array) -> Array:
    """a @ b over the last two axes."""
    work = math.prod(a.shape) * b.shape[-1]
    if a.ndim != 2 or b.ndim != 2 or work < _SHARED:
        with blas_limited(num_threads() if work >= _LARGE else 1):
            return np.matmul(a, b)
    y = memory.empty((len(a), b.shape[1]), np.result_type(a, b))
    if len(a) >= b.shape[1]:
        run_sliced(lambda start, stop: np.matmul(a[start:stop], b, out=y[start:stop]), len(a))
    else:
        run_sliced(lambda start, stop: np.matmul(a, b[:, start:stop], out=y[:, start:stop]), b.shape[1])
    return y
