"""Adding rows of a table where an index names them, which NumPy does element by element."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from minidil.array import Array
from minidil.kernels.cpu import memory
from minidil.kernels.cpu.layout import compiled, writable
from minidil.kernels.reference import gather as reference


def scatter_add(grad: Array, index: Any, shape: Sequence[int]) -> Array:
    """The adjoint of `take`."""
    rows = index[0] if isinstance(index, tuple) and len(index) == 1 else None
    if not isinstance(rows, np.ndarray) or rows.dtype.kind not in "iu" or grad.dtype.kind != "f" or len(shape) < 2:
        return reference.scatter_add(grad, index, shape)
    out = memory.empty(shape, grad.dtype)
    out[...] = 0
    width = math.prod(shape[1:])
    places = np.where(rows < 0, rows + shape[0], rows).astype(np.int64, copy=False).reshape(-1)
    if places.size and not 0 <= places.min() <= places.max() < shape[0]:
        raise IndexError(f"rows {rows.min()}..{rows.max()} of a table of {shape[0]}")
    _add_rows(writable(np.ascontiguousarray(grad)).reshape(rows.size, width), places, out.reshape(shape[0], width))
    return out


@compiled
def _add_rows(grad: Array, places: Array, out: Array) -> None:
    for i in range(len(places)):
        row = out[places[i]]
        for j in range(len(row)):
            row[j] += grad[i, j]
