"""Matrix products: NumPy's, with BLAS's own threads only where there is enough for them to do, in memory that is used again."""

from __future__ import annotations

import math

import numpy as np

from minidil.array import Array
from minidil.kernels.cpu import memory
from minidil.kernels.threads import blas_limited, num_threads

_LARGE = 1 << 28  # multiply-adds: several milliseconds on one core, as long as woken threads spin in vain afterwards


def matmul(a: Array, b: Array) -> Array:
    """a @ b over the last two axes."""
    work = math.prod(a.shape) * b.shape[-1]
    shape = (*np.broadcast_shapes(a.shape[:-2], b.shape[:-2]), a.shape[-2], b.shape[-1])
    product = memory.empty(shape, np.result_type(a, b))
    with blas_limited(num_threads() if work >= _LARGE else 1):
        return np.matmul(a, b, out=product)
