"""What may follow a convolution while its results are in the cache: a residual is added, and they are limited to a range.

A layer of its own for either would write and read all results once more. ReLU is the range from 0 up, ReLU6 that from 0 to 6.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from minidil.array import Array
from minidil.kernels.cpu.layout import compiled


class Finish(NamedTuple):
    """The range that results are limited to; a NaN stays one."""

    low: float = -math.inf
    high: float = math.inf


PLAIN = Finish()


def numbers_of(ending: Finish, residual: Array | None, y: Array) -> tuple[Any, Any, Array]:
    """low, high and the residual as a line, empty if there is none, for compiled code that makes y."""
    kind = y.dtype.type
    return kind(ending.low), kind(ending.high), np.empty(0, y.dtype) if residual is None else residual.reshape(-1)


@compiled
def finish(y: Array, at: int, count: int, residual: Array, low: Any, high: Any) -> None:
    """The `count` numbers of the line y from `at` on: those of the residual are added, if there is one, and they are limited."""
    line = y[at : at + count]
    if residual.size > 0:
        other = residual[at : at + count]
        for i in range(count):
            line[i] += other[i]
    if low > -np.inf or high < np.inf:
        for i in range(count):
            value = line[i]
            value = low if value < low else value
            line[i] = high if value > high else value


@compiled
def scaled_rows(x: Array, scale: Array, shift: Array, y: Array, low: Any, high: Any) -> None:
    """y = scale x + shift for x (rows, C), limited to the range; y may be x."""
    for r in range(len(x)):
        source, row = x[r], y[r]
        for c in range(len(scale)):
            value = scale[c] * source[c] + shift[c]
            value = low if value < low else value
            row[c] = high if value > high else value
