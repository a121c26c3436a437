"""The largest number of a row, found with whole vectors.

A comparison of floating numbers is false for a NaN, so that their maximum depends on the order of the row, and the compiler goes
through it one by one. Whole numbers have no such order: the bits of a number that is not negative, read as an integer, grow with
it, and those of a negative one do so once all but the sign are turned over.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numba import types
from numba.extending import overload

from minidil.array import Array


def largest_of(row: Array) -> Any:
    """The largest number of a contiguous vector that is not empty. Of one with a NaN, any number; for compiled code."""
    return np.max(row)


@overload(largest_of)
def _largest_of_type(row: Any) -> Callable[[Any], Any]:
    number, kind = (np.float32, np.int32) if row.dtype == types.float32 else (np.float64, np.int64)
    sign, others = kind(np.iinfo(kind).bits - 1), kind(np.iinfo(kind).max)

    def code(row: Any) -> Any:
        bits = row.view(kind)
        top = kind(-others)
        for i in range(len(bits)):
            top = max(top, kind(bits[i] ^ ((bits[i] >> sign) & others)))
        return kind(top ^ ((top >> sign) & others)).view(number)

    return code
