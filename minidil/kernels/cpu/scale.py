"""Whether numbers are such that Winograd's convolution may be trusted with them, noted while it transforms them.

Its error is in proportion to the largest number of a tile (winograd.py), not to those that a result's window sees. What is
infinite, not a number or out of all proportion would reach results that have nothing to do with it. So an image goes another way
if its largest |x| is infinite, not a number, so large that sums of products might overflow, or 2^SPREAD times the typical.

Without its sign, the bits of a float (exponent, then fraction), taken as an integer, are in the order of magnitude; infinities
and NaNs come last. Every number is looked at for the largest one.

The typical size is that of what windows usually see, which are many numbers. In a gradient most single numbers are next to
nothing (max pooling passes on one of four, ReLU half of them), and some channels and some parts of an image have more than
others; but few windows see nothing else. So for every tile the mean |V| is taken over the channels that are not 0, at the place
that takes up the inner 16 numbers of the tile; and of all tiles that are not 0, the mean of the exponents of those means, which a
few large ones hardly move.

SPREAD is measured, not derived: on normal numbers with one pixel out of proportion (12x12, 1 to 64 channels), what is let pass
moves the other outputs by less than 1e-3 of their root mean square, and twice as large pixels would move them by up to 1.8e-3
(tests/kernels/test_non_finite.py). Much training stays below it: in batches of 128 of CIFAR-10, vgg_small had no number above
2^5.6 times the typical in 20 steps from fresh weights and 2^7.2 in 5 from the pretrained ones, and resnet_small on digits 2^4.2
in 5; no image went another way. Not all does: in the first step of vgg_fast (batch 1024), whose last pooling lets one position
of each channel pass, gradients reached 2^11 to 2^16 in all layers but the last, and a fifth to all of their images go by im2col.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from minidil.array import Array
from minidil.kernels.cpu.layout import compiled, compiled_sum

SPREAD = 8
# log2 of how 16 independent numbers grow when mixed: by 4^2 + 4^2 + 1 + 1 with row 1 of B^T along both axes, by 4 with that of A.
INPUT_GAIN, SLOPE_GAIN = 5, 2
# By the bytes of a float: the bits of its fraction; the number that stands for exponent 0 of `frexp`; and the exponent from which
# sums may overflow: |y| <= 19^2 10^2 C |x| |w|, which for C < 2^15 and |x|, |w| < 2^48 is below 2^128.
_FORMAT = {4: (23, 126, 48), 8: (52, 1022, 496)}


def notes(rows: int, dtype: Any) -> Array:
    """What is noted of each row of tiles: the bits of the largest number, the sum of the exponents of means, their count."""
    return np.zeros((rows, 3), np.int32 if np.dtype(dtype).itemsize == 4 else np.int64)


def unfit(noted: Array, images: int, gain: int) -> Array:
    """Which of the images, whose rows of tiles follow each other in `noted`, must go another way."""
    found: Array = _unfit(noted, images, gain, *_FORMAT[noted.itemsize])
    return found


def finite(*arrays: Array) -> bool:
    """Whether all numbers of contiguous arrays are finite, and small enough to be multiplied."""
    for array in arrays:
        noted = notes(1, array.dtype)
        note_largest(array.reshape(-1), noted, 0)
        fraction, zero, limit = _FORMAT[array.itemsize]
        if (noted[0, 0] >> fraction) - zero > limit:
            return False
    return True


@compiled
def note_largest(numbers: Array, noted: Array, r: int) -> None:
    """Note the largest of a line of numbers."""
    kind, bits = noted.dtype.type, numbers.view(noted.dtype)
    top, unsigned = kind(0), kind(np.iinfo(noted.dtype).max)
    for i in range(len(bits)):
        top = max(top, kind(bits[i] & unsigned))
    noted[r, 0] = max(noted[r, 0], top)


@compiled_sum
def note_typical(mixed: Array, noted: Array, r: int) -> None:
    """Note the mean magnitude of each tile of a row of them (T, C), but for zeros."""
    tiles, channels = mixed.shape
    zero, one = mixed.dtype.type(0), mixed.dtype.type(1)
    for t in range(tiles):
        total, count = zero, zero
        for c in range(channels):
            total += abs(mixed[t, c])
            count += one if mixed[t, c] != zero else zero
        if total > zero:
            noted[r, 1] += math.frexp(total / count)[1]
            noted[r, 2] += 1


@compiled
def _unfit(noted: Array, images: int, gain: int, fraction: int, zero: int, limit: int) -> Array:
    rows, found, count = len(noted) // max(images, 1), np.empty(images, np.int64), 0
    for image in range(images):
        top, total, means = 0, 0, 0
        for r in range(image * rows, (image + 1) * rows):
            top = max(top, noted[r, 0])
            total += noted[r, 1]
            means += noted[r, 2]
        exponent = (top >> fraction) - zero
        disproportionate = (exponent + gain - SPREAD) * means > total or (means == 0 and top > 0)
        if exponent > limit or disproportionate:
            found[count] = image
            count += 1
    return found[:count]
