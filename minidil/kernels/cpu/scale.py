"""Whether numbers are such that Winograd's convolution may be trusted with them, noted while it transforms them.

Its error is in proportion to the largest number of a tile (winograd.py), not to those that a result's window sees. What is
infinite, not a number or out of all proportion would reach results that have nothing to do with it. So an image goes another way

- always, if its largest |x| is infinite, not a number, or so large that sums of products might overflow (ENDLESS);
- in a forward pass, if its largest |x| is 2^SPREAD times the typical (OUTLYING), as every result may matter by itself;
- for dL/dw, if both the image and its dL/dy are outlying.

dL/dx may be outlying. Max pooling hands all of a gradient to few places, and batch norm before it takes the mean of that from all
others: of M positions in a batch, these get about 1 / M of the largest. They count by their sum, which is that of the large ones;
and no limit would suit every M. So what is promised of dL/dx is in proportion to the largest numbers of the tile: its error there
is that of winograd.py, about ten times that of im2col relative to all that the tile gives, and other tiles have none of it.
(Relative to the root mean square of an image there is nothing to watch: no number of n is over sqrt(n) times that.)

In dL/dw, the sum over all places of x[c, p + k] g[f, p] with g = dL/dy, no channel or filter meets another's numbers. Let X and G
be the largest of x[c] and g[f] in a tile, s and t times the typical x and g around them. The error is in proportion to X G, even
if these are too far apart to be multiplied by each other. But X is multiplied by the typical g, and G by the typical x, so that
the results of (f, c) are about X G / t and X G / s, and the error relative to them grows with min(s, t) only: as long as one of
the two is in proportion, it is what it is in a forward pass. (A tap that meets the outlier on no place, as that lies at the
border, has an error in proportion to the other taps.)

Without its sign, the bits of a float (exponent, then fraction), taken as an integer, are in the order of magnitude; infinities
and NaNs come last. Every number is looked at for the largest one.

The typical size is that of what windows usually see, which are many numbers. In a gradient most single numbers are next to
nothing (max pooling passes on one of four, ReLU half of them), and some channels and some parts of an image have more than
others; but few windows see nothing else. So for every tile the mean |V| is taken over the channels that are not 0, at the place
that takes up the inner 16 numbers of the tile; and of all tiles that are not 0, the mean of the exponents of those means, which a
few large ones hardly move.

SPREAD is measured, not derived: in a forward pass on normal numbers with one pixel out of proportion (12x12, 1 to 64 channels),
what is let pass moves the other outputs by less than 1e-3 of their root mean square, and twice as large pixels would move them by
up to 1.8e-3 (tests/kernels/test_non_finite.py). Training stays below it: in batches of 128 of CIFAR-10, the images of vgg_small
had no number above 2^5 times the typical in 20 steps from fresh weights, nor 2^6 in 5 from the pretrained ones, and those of
vgg_fast none above 2^7 in 120 steps of 64. The gradients of vgg_fast, whose last pooling lets one position of each channel pass,
had 2^11 to 2^16 in all layers but the last (first step, batch 1024).
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from minidil.array import Array
from minidil.kernels.cpu.layout import compiled, compiled_sum

SPREAD = 8
OUTLYING, ENDLESS = 1, 2
# log2 of how 16 independent numbers grow when mixed: by 4^2 + 4^2 + 1 + 1 with row 1 of B^T along both axes, by 4 with that of A.
INPUT_GAIN, SLOPE_GAIN = 5, 2
# By the bytes of a float: the bits of its fraction; the number that stands for exponent 0 of `frexp`; and the exponent from which
# sums may overflow: |y| <= 19^2 10^2 C |x| |w|, which for C < 2^15 and |x|, |w| < 2^48 is below 2^128.
_FORMAT = {4: (23, 126, 48), 8: (52, 1022, 496)}
_BITS = {4: np.int32, 8: np.int64}


def notes(rows: int, dtype: Any) -> Array:
    """What is noted of each row of tiles: the bits of the largest number, the sum of the exponents of means, their count."""
    return np.zeros((rows, 3), _BITS[np.dtype(dtype).itemsize])


def faults(noted: Array, images: int, gain: int) -> Array:
    """Of each of the images, whose rows of tiles follow each other in `noted`: 0, OUTLYING or ENDLESS."""
    found: Array = _faults(noted, images, gain, *_FORMAT[noted.itemsize])
    return found


def unfit(noted: Array, images: int, gain: int, least: int) -> Array:
    """The numbers of the images with a fault of at least that kind. One call: for few images, it takes as long as the looking."""
    numbers: Array = _unfit(noted, images, gain, least, *_FORMAT[noted.itemsize])
    return numbers


def finite(*arrays: Array) -> bool:
    """Whether all numbers of contiguous arrays are finite, and small enough to be multiplied."""
    for array in arrays:
        fraction, zero, limit = _FORMAT[array.itemsize]
        if (_largest(array.reshape(-1).view(_BITS[array.itemsize])) >> fraction) - zero > limit:
            return False
    return True


@compiled
def note_largest(numbers: Array, noted: Array, r: int) -> None:
    """Note the largest of a line of numbers."""
    noted[r, 0] = max(noted[r, 0], _largest(numbers.view(noted.dtype)))


@compiled
def _largest(bits: Array) -> Any:
    kind = bits.dtype.type
    top, unsigned = kind(0), kind(np.iinfo(bits.dtype).max)
    for i in range(len(bits)):
        top = max(top, kind(bits[i] & unsigned))
    return top


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
def _faults(noted: Array, images: int, gain: int, fraction: int, zero: int, limit: int) -> Array:
    rows, found = len(noted) // max(images, 1), np.zeros(images, np.int64)
    for image in range(images):
        top, total, means = 0, 0, 0
        for r in range(image * rows, (image + 1) * rows):
            top = max(top, noted[r, 0])
            total += noted[r, 1]
            means += noted[r, 2]
        exponent = (top >> fraction) - zero
        if exponent > limit:
            found[image] = ENDLESS
        elif (exponent + gain - SPREAD) * means > total or (means == 0 and top > 0):
            found[image] = OUTLYING
    return found


@compiled
def _unfit(noted: Array, images: int, gain: int, least: int, fraction: int, zero: int, limit: int) -> Array:
    return np.flatnonzero(_faults(noted, images, gain, fraction, zero, limit) >= least)
