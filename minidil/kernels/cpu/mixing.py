"""Sums of neighbours along the spatial axes, as of interpolation and its gradient: axis by axis, a few images at a time.

An axis of S positions, seen as (outer, S, inner), becomes (outer, O, inner). Channels last, `inner` is a whole pixel or a whole
line of pixels, and each output adds up vectors of that length.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from minidil.array import Array
from minidil.kernels.cpu import memory
from minidil.kernels.cpu.layout import as_channels, as_rows, compiled, writable
from minidil.kernels.mixing import Mixing
from minidil.kernels.reference import mixing as reference
from minidil.kernels.threads import run_sliced

_CACHE_BYTES = 1 << 20  # of what one axis leaves to the next, per thread


def resample(x: Array, mixings: Sequence[Mixing]) -> Array:
    """x (N, C, *S) -> (N, C, *O). Axes that shrink come first, those that grow last, and of these the first one at the end."""
    if x.dtype.kind != "f":
        return reference.resample(x, mixings)
    images, channels, *size = x.shape
    out = [mixing.outputs for mixing in mixings]
    order = sorted(range(len(size)), key=lambda axis: (out[axis] > size[axis], -axis))
    tables = [(_read(mixing.starts), _read(mixing.index), _read(mixing.weight.astype(x.dtype))) for mixing in mixings]
    source = as_rows(x).reshape(images, *size, channels)
    y = memory.empty((images, *out, channels), x.dtype)
    sizes = [size]
    for axis in order:
        sizes.append([*sizes[-1][:axis], out[axis], *sizes[-1][axis + 1 :]])
    most = max((math.prod(between) for between in sizes[1:-1]), default=0) * channels * x.itemsize
    step = max(1, _CACHE_BYTES // max(most, 1))

    def work(start: int, stop: int) -> None:
        between = [memory.empty((min(step, stop - start), *s, channels), x.dtype) for s in sizes[1:-1]]
        for first in range(start, stop, step):
            last = min(first + step, stop)
            stages = [source[first:last], *(array[: last - first] for array in between), y[first:last]]
            for axis, given, taken in zip(order, stages[:-1], stages[1:], strict=True):
                _mix(*(_along(array, axis) for array in (given, taken)), *tables[axis])

    run_sliced(work, images)
    return as_channels(y.reshape(-1, channels), images, out)


def _along(x: Array, axis: int) -> Array:
    """x (N, *S, C) as (outer, S, inner) for a spatial axis."""
    return x.reshape(math.prod(x.shape[: axis + 1]), x.shape[axis + 1], math.prod(x.shape[axis + 2 :]))


def _read(x: Array) -> Array:
    return writable(np.ascontiguousarray(x))


@compiled
def _mix(x: Array, y: Array, starts: Array, index: Array, weight: Array) -> None:
    """y (outer, O, inner) from x (outer, S, inner): two entries of an output at a time, the first of them without reading y."""
    outer, outputs, inner = y.shape
    for n in range(outer):
        for o in range(outputs):
            k, last = starts[o], starts[o + 1]
            if last - k >= 2:
                a, b, i, j = weight[k], weight[k + 1], index[k], index[k + 1]
                for c in range(inner):
                    y[n, o, c] = a * x[n, i, c] + b * x[n, j, c]
                k += 2
            elif last - k == 1:
                a, i = weight[k], index[k]
                for c in range(inner):
                    y[n, o, c] = a * x[n, i, c]
                k += 1
            else:
                for c in range(inner):
                    y[n, o, c] = 0
            while k < last:
                a, i = weight[k], index[k]
                for c in range(inner):
                    y[n, o, c] += a * x[n, i, c]
                k += 1
