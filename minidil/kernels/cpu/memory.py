"""Arrays whose memory is used again: a training step needs the same sizes as the one before.

The operating system hands out fresh memory page by page, and clears each page first; for an array of 30 MB that can take longer
than the arithmetic that fills it. `empty` lends a block from a store instead. The array keeps a `_Lease` as its base; when the
last view of it is gone, the lease ends and the block goes back to the store.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

Array = NDArray[Any]

_SMALL = 1 << 16  # bytes; below this NumPy's own allocator is as quick
_ALIGNMENT = 64  # bytes: one cache line, and one vector of the widest SIMD unit
_KEPT = 1 << 30  # bytes of unused blocks; when there would be more, all of them are given back

_store: dict[int, list[Array]] = {}  # block size -> free blocks


class _Lease:
    """A block lent to one array, and to all views of it."""

    def __init__(self, block: Array, shape: Sequence[int], dtype: np.dtype[Any]) -> None:
        self._block = block
        start = -block.ctypes.data % _ALIGNMENT
        self.__array_interface__ = {
            "version": 3,
            "shape": tuple(shape),
            "typestr": dtype.str,
            "data": (block.ctypes.data + start, False),
        }

    def __del__(self) -> None:
        _store.setdefault(len(self._block), []).append(self._block)


def empty(shape: Sequence[int], dtype: DTypeLike) -> Array:
    """An array with any contents, like np.empty."""
    kind = np.dtype(dtype)
    needed = math.prod(shape) * kind.itemsize
    if needed < _SMALL:
        return np.empty(tuple(shape), kind)
    return np.asarray(_Lease(_block(needed + _ALIGNMENT), shape, kind))


def zeros(shape: Sequence[int], dtype: DTypeLike) -> Array:
    """An array of zeros."""
    array = empty(shape, dtype)
    array.fill(0)
    return array


def empty_like(x: Array) -> Array:
    """An array of the shape and the number type of x whose axes lie in memory in the same order."""
    order = sorted(range(x.ndim), key=lambda axis: (-abs(x.strides[axis]), axis))
    ordered = empty([x.shape[axis] for axis in order], x.dtype)
    return ordered.transpose([order.index(axis) for axis in range(x.ndim)])


def _block(needed: int) -> Array:
    """A free block, or a new one, of the next size that has at most four significant bits: sizes that differ little share."""
    step = 1 << max(needed.bit_length() - 4, 0)
    size = -(-needed // step) * step
    try:
        return _store[size].pop()
    except (KeyError, IndexError):  # looking first would not do: another thread could take the last one in between
        if size + sum(kept * len(blocks) for kept, blocks in _store.copy().items()) > _KEPT:
            _store.clear()
        return np.empty(size, np.uint8)
