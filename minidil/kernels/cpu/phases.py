"""Which numbers a convolution reads for a result, as places in an image with its padding: for the forward pass and dL/dx alike.

Result r takes, from the source with its channels last, the numbers that begin at start(r) + offset(t) for each tap t. Taps next
to each other along the last axis are one *run* of numbers: seven runs of 21 are the 7x7 kernel of an RGB image.

The gradient of the input is of the same form. With i = s o + d k - p for input i, output o, tap k, stride s and padding p,

    dL/dx[i] = sum over k of dL/dy[(i + p - d k) / s] w[k]^T    where that is a whole number.

For i = r + s m these are the same taps k whatever m is, those with d k = r + p (mod s), and the place is m + (r + p - d k) / s.
So each of the s *phases* r, on every axis, is a convolution of dL/dy with stride 1 and those taps alone: nothing is multiplied by
the zeros that the definition of a transposed convolution puts between the numbers.
Source: Dumoulin & Visin 2016, arXiv:1603.07285, section 4.5.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from itertools import pairwise, product
from typing import NamedTuple

import numpy as np

from minidil.array import Array
from minidil.kernels.geometry import Window


class Reading(NamedTuple):
    """How one phase reads its source, an image (*size, channels) with padding, and where its results go.

    before, padded: what the image is padded with before, and its size with all padding, three axes of it.
    taps: the taps that are read, in their order, as places in the kernel; joined: so many of them are one run.
    offsets: of each run; starts, places: of each result, in positions of the padded source and of the output.
    """

    before: tuple[int, ...]
    padded: tuple[int, ...]
    taps: Array
    joined: int
    offsets: Array
    starts: Array
    places: Array


class _Axis(NamedTuple):
    """The same along an axis: taps and their offsets, ascending; the start and the place of each result."""

    taps: list[int]
    offsets: list[int]
    starts: list[int]
    places: list[int]


@lru_cache(maxsize=128)
def forward(window: Window, groups: int) -> Reading:
    """Of the forward pass. With groups of channels, the numbers of neighbouring taps do not follow each other."""
    axes = [
        _Axis(list(range(k)), [i * d for i in range(k)], [o * s for o in range(out)], list(range(out)))
        for k, d, s, out in zip(window.kernel, window.dilation, window.stride, window.out, strict=True)
    ]
    before = [first for first, _ in window.padding]
    reached = [axis.starts[-1] + axis.offsets[-1] + 1 for axis in axes]
    padded = [max(n + first, most) for n, first, most in zip(window.size, before, reached, strict=True)]
    return _reading(axes, before, padded, window.kernel, window.out, groups)


@lru_cache(maxsize=128)
def backward(window: Window, groups: int) -> tuple[Reading, ...]:
    """The phases of dL/dx that any output reaches; the others are 0."""
    by_axis, before, padded = list[list[_Axis]](), list[int](), list[int]()
    for axis in range(len(window.size)):
        n, d, s = window.size[axis], window.dilation[axis], window.stride[axis]
        phases = []
        for r in range(min(s, n)):
            shift = r + window.padding[axis][0]
            taps = [k for k in reversed(range(window.kernel[axis])) if (shift - d * k) % s == 0]
            places = list(range(r, n, s))
            if taps:
                phases.append(_Axis(taps, [(shift - d * k) // s for k in taps], list(range(len(places))), places))
        lead = max([0, *(-phase.offsets[0] for phase in phases)])
        reached = max([0, *(phase.starts[-1] + phase.offsets[-1] + 1 for phase in phases)])
        before.append(lead)
        padded.append(lead + max(window.out[axis], reached))
        by_axis.append([phase._replace(starts=[start + lead for start in phase.starts]) for phase in phases])
    return tuple(_reading(axes, before, padded, window.kernel, window.size, groups) for axes in product(*by_axis))


def _reading(
    axes: Sequence[_Axis],
    before: Sequence[int],
    padded: Sequence[int],
    kernel: Sequence[int],
    out: Sequence[int],
    groups: int,
) -> Reading:
    *others, last = (axis.offsets for axis in axes)
    joined = len(last) if groups == 1 and all(b - a == 1 for a, b in pairwise(last)) else 1
    return Reading(
        three(before, missing=0),
        three(padded),
        _places([axis.taps for axis in axes], kernel),
        joined,
        _places([*others, last[::joined]], padded),
        _places([axis.starts for axis in axes], padded),
        _places([axis.places for axis in axes], out),
    )


def three(values: Sequence[int], missing: int = 1) -> tuple[int, ...]:
    """Three axes of however many there are, the missing ones in front."""
    return (missing,) * (3 - len(values)) + tuple(values)


def _places(by_axis: Sequence[Sequence[int]], sizes: Sequence[int]) -> Array:
    """All combinations of a number of each axis, as places in an array of these sizes, in row-major order."""
    found = np.zeros(1, np.int64)
    for numbers, size in zip(by_axis, sizes, strict=True):
        found = (found[:, None] * size + np.asarray(numbers, np.int64)).reshape(-1)
    return found
