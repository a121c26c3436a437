"""Taking what an index names, and adding there: rows of a table, as of an embedding, or positions along an axis, as in resizing.

What else an index can be is left to NumPy.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from minidil.array import Array
from minidil.kernels.cpu import memory
from minidil.kernels.cpu.flat import LEAST_ELEMENTS
from minidil.kernels.cpu.layout import compiled, writable
from minidil.kernels.reference import gather as reference
from minidil.kernels.threads import run_sliced


def take(x: Array, index: Any) -> Array:
    """x[index]. A row of a table is copied as a whole, which NumPy's indexing does not do."""
    numbers = index[0] if isinstance(index, tuple) and len(index) == 1 else index
    of_rows = isinstance(numbers, np.ndarray) and numbers.dtype == np.int64 and numbers.ndim > 0
    return x.take(numbers, 0) if of_rows and x.size and x.ndim and x.flags.c_contiguous else reference.take(x, index)


def scatter_add(grad: Array, index: Any, shape: Sequence[int]) -> Array:
    """Zeros of `shape`, plus grad added at `index`.

    Compiled where the index is an array of integers along the first axis, or a vector of them along any one. The result lies in
    memory as grad does, with `inner` numbers to each position of the axis and `outer` rows of positions.
    """
    entries = index if isinstance(index, tuple) else (index,)
    axis, numbers = len(entries) - 1, entries[-1]
    along_one = all(isinstance(entry, slice) and entry == slice(None) for entry in entries[:-1])
    if not (along_one and isinstance(numbers, np.ndarray) and numbers.dtype == np.int64 and grad.dtype.kind == "f"):
        return reference.scatter_add(grad, index, shape)
    if not (numbers.ndim == 1 or (numbers.ndim and not axis)) or not _inside(numbers, shape[axis]):
        return reference.scatter_add(grad, index, shape)
    grad = grad.reshape(*shape[:axis], numbers.size, *shape[axis + 1 :])
    order = sorted(range(grad.ndim), key=lambda axis: (-abs(grad.strides[axis]), axis))
    ordered, place = np.ascontiguousarray(grad.transpose(order)), order.index(axis)
    outer, inner = math.prod(ordered.shape[:place]), math.prod(ordered.shape[place + 1 :])
    out = memory.zeros([shape[each] for each in order], grad.dtype)
    source = writable(ordered).reshape(outer, numbers.size, inner)
    target = out.reshape(outer, shape[axis], inner)
    where = writable(np.ascontiguousarray(numbers.reshape(-1)))
    if grad.size < LEAST_ELEMENTS:
        _add_at(source, where, target, 0, outer, 0, inner)
    elif outer > 1:
        run_sliced(lambda start, stop: _add_at(source, where, target, start, stop, 0, inner), outer)
    else:
        run_sliced(lambda start, stop: _add_at(source, where, target, 0, outer, start, stop), inner)
    return out.transpose([order.index(each) for each in range(grad.ndim)])


def _inside(numbers: Array, size: int) -> bool:
    """Whether all of them name a position; NumPy says which does not."""
    return not numbers.size or bool(-size <= numbers.min() and numbers.max() < size)


@compiled
def _add_at(source: Array, where: Array, target: Array, first: int, last: int, left: int, right: int) -> None:
    """For the rows first..last, and of each position the numbers left..right. Negative positions count from the end."""
    for n in range(first, last):
        for i in range(len(where)):
            at = where[i] if where[i] >= 0 else where[i] + target.shape[1]
            to, row = target[n, at, left:right], source[n, i, left:right]
            for c in range(len(to)):  # counted from 0, or the compiler would make no vectors of it
                to[c] += row[c]
