"""Sums of neighbours along the spatial axes, as of interpolation and its gradient."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from minidil.array import Array
from minidil.kernels.mixing import Mixing


def resample(x: Array, mixings: Sequence[Mixing]) -> Array:
    """Along each spatial axis of x (N, C, *S) the product with a sparse matrix: the first entry of every row, the second, ..."""
    for axis, mixing in enumerate(mixings, start=2):
        counts, weights = np.diff(mixing.starts), mixing.weight.astype(x.dtype)
        y = np.zeros((*x.shape[:axis], len(counts), *x.shape[axis + 1 :]), x.dtype)
        for number in range(counts.max(initial=0)):
            rows = np.flatnonzero(counts > number)
            entries = mixing.starts[rows] + number
            taken = x.take(mixing.index[entries], axis)
            y[(slice(None),) * axis + (rows,)] += weights[entries].reshape(-1, *(1,) * (x.ndim - axis - 1)) * taken
        x = y
    return x
