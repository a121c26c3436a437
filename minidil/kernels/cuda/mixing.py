"""Sums of neighbours along the spatial axes: a launch for each axis, in which a thread adds up one output."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from minidil.kernels.cuda.array import empty, to_device
from minidil.kernels.cuda.device import Array, run_each, thread_index, types
from minidil.kernels.cuda.gather import take
from minidil.kernels.cuda.launch import kernel
from minidil.kernels.cuda.seam import float32, uint32
from minidil.kernels.mixing import Mixing


@kernel(types("fiiffuuu"))
def mix(x: Array, starts: Array, index: Array, weight: Array, y: Array, inputs: int, outputs: int, inner: int) -> None:
    """y (outer, outputs, inner) from x (outer, inputs, inner)."""
    i = thread_index()
    if i < y.size:
        column, rest = uint32(i % inner), uint32(i // inner)
        o = uint32(rest % outputs)
        first = uint32(uint32(rest // outputs) * uint32(inputs * inner) + column)
        total = float32(0)
        for k in range(uint32(starts[o]), uint32(starts[uint32(o + uint32(1))])):
            total += weight[k] * x[uint32(first + uint32(index[k]) * inner)]
        y[i] = total


def resample(x: Array, mixings: Sequence[Mixing]) -> Array:
    """x (N, C, *S) -> (N, C, *O). Whole numbers are taken as they are: only copies are asked of them."""
    for axis, mixing in enumerate(mixings, start=2):
        if x.dtype != np.float32:
            x = take(x, (slice(None),) * axis + (mixing.index,))
            continue
        y = empty((*x.shape[:axis], mixing.outputs, *x.shape[axis + 1 :]), x.dtype)
        tables = (to_device(t.astype(np.int32)) for t in (mixing.starts, mixing.index))
        sizes = map(np.uint32, (mixing.inputs, mixing.outputs, math.prod(x.shape[axis + 1 :])))
        run_each(mix, y.size, x, *tables, to_device(mixing.weight.astype(np.float32)), y, *sizes)
        x = y
    return x
