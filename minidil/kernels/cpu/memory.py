"""Arrays whose memory is used again: a training step needs the same sizes as the one before.

The operating system hands out fresh memory page by page, and clears each page first; for an array of 30 MB that can take longer
than the arithmetic that fills it. `empty` lends a piece of the store's memory instead. The array keeps a `_Lease` as its base;
when the last view of it is gone, the lease ends and the piece goes back to the store.
"""

from __future__ import annotations

import math
import os
from bisect import insort
from collections import deque
from collections.abc import Sequence
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from minidil.array import Array

SMALL = 1 << 16  # bytes; below this NumPy's own allocator is as quick
_ALIGNMENT = 64  # bytes: one cache line, and one vector of the widest SIMD unit
_SEGMENT = 1 << 25  # bytes to ask the system for at a time, at least
_KEPT = 1 << 30  # bytes of unused memory; when there would be more, segments in which nothing is lent are given back


class Store:
    """Memory in segments, lent in pieces from the smallest gap that is large enough.

    A piece that comes back is joined with the gaps beside it, so that memory once used for two small arrays serves a large one
    later. Blocks of fixed sizes that are kept for their like would be simpler; but a training step needs its many sizes at
    different times, and such blocks took half as much memory again.
    Source: Knuth 1997, "The art of computer programming", volume 1, section 2.5, best fit with boundaries that merge.
    """

    def __init__(self) -> None:
        self.lock = Lock()
        self.returned: deque[tuple[int, int]] = deque()
        self._segments: dict[tuple[int, int], Array] = {}  # addresses from, to, and what keeps the memory there
        self._gaps: list[tuple[int, int]] = []  # addresses from, to, in order

    @property
    def unused(self) -> int:
        """Bytes that are not lent."""
        with self.lock:
            self._join_returned()
            return self._free()

    def lend(self, size: int) -> tuple[int, int]:
        """The addresses, from and to, of `size` bytes that nobody uses, beginning at a cache line.

        Whoever is done with them appends the pair to `returned`. That takes no lock, since it can happen anywhere: the garbage
        collector may run while this very method does.
        """
        size = -(-size // _ALIGNMENT) * _ALIGNMENT
        with self.lock:
            self._join_returned()
            fitting = [gap for gap in self._gaps if gap[1] - gap[0] >= size]
            start, stop = min(fitting, key=lambda gap: gap[1] - gap[0]) if fitting else self._add_segment(size)
            self._gaps.remove((start, stop))
            if stop - start > size:
                insort(self._gaps, (start + size, stop))
            return start, start + size

    def _add_segment(self, size: int) -> tuple[int, int]:
        size = max(size, _SEGMENT)
        if self._free() + size > _KEPT:
            self._give_back()
        memory = np.empty(size + _ALIGNMENT, np.uint8)
        start = -(-memory.ctypes.data // _ALIGNMENT) * _ALIGNMENT
        segment = (start, start + size)
        self._segments[segment] = memory
        insort(self._gaps, segment)
        return segment

    def _free(self) -> int:
        return sum(stop - start for start, stop in self._gaps)

    def _join_returned(self) -> None:
        while self.returned:
            insort(self._gaps, self.returned.popleft())
        joined: list[tuple[int, int]] = []
        for start, stop in self._gaps:
            if joined and joined[-1][1] == start:
                joined[-1] = (joined[-1][0], stop)
            else:
                joined.append((start, stop))
        self._gaps = joined

    def _give_back(self) -> None:
        """Let go of the segments that lie in a gap as a whole."""
        for first, last in list(self._segments):
            for start, stop in self._gaps:
                if start <= first and last <= stop:
                    del self._segments[first, last]
                    self._gaps.remove((start, stop))
                    self._gaps += [gap for gap in ((start, first), (last, stop)) if gap[0] < gap[1]]
                    self._gaps.sort()
                    break


class _Lease:
    """A piece lent to one array, and to all views of it."""

    def __init__(self, store: Store, piece: tuple[int, int], shape: Sequence[int], dtype: np.dtype[Any]) -> None:
        self._store = store  # kept: when the interpreter ends, the names of this module are gone before the last array
        self._piece = piece
        self.__array_interface__ = {
            "version": 3,
            "shape": tuple(shape),
            "typestr": dtype.str,
            "data": (piece[0], False),
        }

    def __del__(self) -> None:
        self._store.returned.append(self._piece)


_store = Store()
if hasattr(os, "register_at_fork"):  # a fork while another thread holds the lock would leave the child waiting for ever
    os.register_at_fork(
        before=_store.lock.acquire, after_in_parent=_store.lock.release, after_in_child=_store.lock.release
    )


def empty(shape: Sequence[int], dtype: DTypeLike) -> Array:
    """An array with any contents, like np.empty."""
    kind = np.dtype(dtype)
    size = math.prod(shape) * kind.itemsize
    if size < SMALL:
        return np.empty(tuple(shape), kind)
    return np.asarray(_Lease(_store, _store.lend(size), shape, kind))


def zeros(shape: Sequence[int], dtype: DTypeLike) -> Array:
    """An array of zeros."""
    array = empty(shape, dtype)
    array.fill(0)
    return array


def empty_like(x: Array, shape: Sequence[int] | None = None, dtype: DTypeLike | None = None) -> Array:
    """An array of the shape and the number type of x, unless others are given, whose axes lie in memory in the same order."""
    if x.nbytes < SMALL and shape is None and dtype is None:
        return np.empty_like(x, subok=False)
    order = sorted(range(x.ndim), key=lambda axis: (-abs(x.strides[axis]), axis))
    shape = x.shape if shape is None else shape
    ordered = empty([shape[axis] for axis in order], x.dtype if dtype is None else dtype)
    return ordered.transpose([order.index(axis) for axis in range(x.ndim)])
