"""What the kernels of the exercises are given."""

from math import ceil

import numpy as np

from minidil.array import Array
from minidil.classroom.draw import Draw

UNGUARDED = (
    "The grid has more threads than there are elements. Those beyond the end must not touch the arrays; compare the "
    "number of the thread with the size."
)


def floats(draw: Draw, *shape: int) -> Array:
    """Small whole numbers as float32, so that sums are exact in any order."""
    return draw.array(*shape).astype(np.float32)


def empty(*shape: int) -> Array:
    """An output: numbers that are none, so that what no thread writes is seen."""
    return np.full(shape, np.nan, np.float32)


def pieces(size: int, block: int) -> int:
    """How many blocks it takes."""
    return ceil(size / block)
