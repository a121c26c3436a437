"""Whether numbers are such that a fast convolution may be trusted with them, read off a sixteenth of what it computes anyway.

The fast convolutions add their factors before they multiply. A number that is infinite, not a number or out of all proportion
then reaches results whose window does not see it. Each of their maps has a place that takes up all numbers of its tile (the sum
of all weights, say), so it is enough to look at that one.

A float is sign, exponent e (8 bits, or 11 in float64) and fraction, in this order. Without the sign its bits, taken as an
integer, are in the order of magnitude; infinities and NaNs come last. The mean of e over all numbers but 0 is the logarithm
of a typical magnitude, which a few large numbers, or many zeros, hardly move.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from minidil.array import Array
from minidil.kernels.cpu.layout import compiled

SPREAD = 8  # the largest may be 2^8 times the typical one
_LIMIT = {
    4: (23, 255 - 67),
    8: (52, 2047 - 515),
}  # bytes: bits of the fraction, largest e: the square root of where floats end


def scan(numbers: Array, found: Array, first: int, last: int, per_row: int) -> None:
    """Add to found[r] what the numbers of row of tiles r tell: the largest e, the sum of e, how many are not 0.

    numbers (T, C), contiguous: `per_row` rows of them for each row of tiles first..last; found: of int64, (all rows of tiles, 3).
    """
    fraction = _LIMIT[numbers.itemsize][0]
    _scan(numbers.view(np.int32 if fraction == 23 else np.int64), found, first, last, per_row, fraction)


def fits(dtype: Any, images: int, *found: Array) -> bool:
    """Whether all numbers are finite, and their products too; and in no image the largest is over 2^SPREAD times the typical."""
    return all(_fits(rows, images, _LIMIT[np.dtype(dtype).itemsize][1]) for rows in found)


def finite(*arrays: Array) -> bool:
    """Whether all numbers of contiguous arrays are finite, and small enough to be multiplied."""
    for array in arrays:
        found = np.zeros((1, 3), np.int64)
        numbers = array.reshape(-1, array.shape[-1])
        scan(numbers, found, 0, 1, len(numbers))
        if found[0, 0] > _LIMIT[array.itemsize][1]:
            return False
    return True


@compiled
def _scan(lines: Array, found: Array, first: int, last: int, per_row: int, fraction: int) -> None:
    kind, channels = lines.dtype.type, lines.shape[1]
    shift, one, sign = kind(fraction), kind(1), kind(np.iinfo(lines.dtype).max)
    for r in range(first, last):
        for t in range(per_row):
            line = lines[(r - first) * per_row + t]
            top, total, count = kind(0), kind(0), kind(0)
            for c in range(channels):
                e = kind(kind(line[c] & sign) >> shift)
                top = max(top, e)
                total = kind(total + e)
                count = kind(count + min(e, one))
            found[r, 0] = max(found[r, 0], np.int64(top))
            found[r, 1] += total
            found[r, 2] += count


@compiled
def _fits(found: Array, images: int, limit: int) -> bool:
    rows = len(found) // max(images, 1)
    for image in range(images):
        top, total, count = 0, 0, 0
        for r in range(image * rows, (image + 1) * rows):
            top = max(top, found[r, 0])
            total += found[r, 1]
            count += found[r, 2]
        if top > limit or top * count > total + SPREAD * count:
            return False
    return True
