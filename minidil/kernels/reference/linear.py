"""Sums over paths, of numbers that are given as logarithms. The matrix product itself is NumPy's."""

from __future__ import annotations

import numpy as np

from minidil.array import Array


def log_matmul(a: Array, b: Array) -> Array:
    """log(e^a e^b), shifted by the largest summand of each entry, so that nothing overflows; minus infinity is a 0."""
    sums = np.expand_dims(a, -1) + b
    top = np.max(sums, axis=1, keepdims=True)
    shift = np.where(np.isneginf(top), top.dtype.type(0), top)
    with np.errstate(divide="ignore"):
        return np.log(np.sum(np.exp(sums - shift), axis=1)) + shift[:, 0]


def path_pairs(before: Array, between: Array, behind: Array, weight: Array) -> Array:
    """sum_m weight[m] e^(before[m, i] + between[i, j] + behind[m, j]): how often a path takes the step from i to j."""
    chances = np.exp(before[:, :, None] + between + behind[:, None, :])
    return np.sum(chances * weight[:, None, None], axis=0)
