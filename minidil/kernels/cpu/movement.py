"""Copies in memory that is used again."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from minidil.array import Array
from minidil.kernels.cpu import memory


def concatenate(arrays: Sequence[Array], axis: int = 0) -> Array:
    """Arrays joined along an existing axis, in the memory order of the first."""
    shape = list(arrays[0].shape)
    shape[axis] = sum(array.shape[axis] for array in arrays)
    return np.concatenate(arrays, axis, out=memory.empty_like(arrays[0], shape, np.result_type(*arrays)))


def stack(arrays: Sequence[Array], axis: int = 0) -> Array:
    """Arrays of one shape joined along a new axis."""
    shape = list(arrays[0].shape)
    shape.insert(axis % (len(shape) + 1), len(arrays))
    return np.stack(arrays, axis, out=memory.empty(shape, np.result_type(*arrays)))
