"""Gathering and scattering by an index, and one-hot labels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from minidil.array import Array


def take(x: Array, index: Any) -> Array:
    """x[index], for any index that NumPy knows."""
    return x[index]


def scatter_add(grad: Array, index: Any, shape: Sequence[int]) -> Array:
    """The adjoint of `take`: zeros of `shape`, plus grad added at `index`, as often as an element is named there."""
    out = np.zeros(tuple(shape), grad.dtype)
    entries = index if isinstance(index, tuple) else (index,)
    if all(entry is None or entry is Ellipsis or isinstance(entry, int | slice) for entry in entries):
        out[index] = grad  # a basic index names no element twice
    else:
        np.add.at(out, index, grad)
    return out


def one_hot(labels: Array, classes: int, dtype: DTypeLike) -> Array:
    """Labels (N, *S) -> (N, classes, *S), 1 where the class axis equals the label and 0 elsewhere."""
    return np.equal(np.expand_dims(labels, 1), np.arange(classes).reshape(-1, *(1,) * (labels.ndim - 1))).astype(dtype)
