"""Reductions: sum, mean, largest and smallest over any axes.

Neighbouring axes that are reduced are one axis; such groups are reduced one after the other, the last one first. What is then
left to do is always one of two things, with `outer` axes before and `inner` ones behind the `length` numbers that become one:

    rows     (inner = 1): the numbers lie next to each other. A warp takes a row, its lanes every 32nd number: each load of the
             warp is 128 contiguous bytes. A long row is shared out to several blocks of 256 threads, as `parts`.
    columns  (inner > 1): neighbouring threads take neighbouring columns and walk down them, so that again every load is
             contiguous. The 8 warps of a block take every 8th number of 32 columns and meet in shared memory.

Parts are reduced once more. The order of additions depends on the shape alone, so the same array gives the same bits.
"""

from __future__ import annotations

import builtins
import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from minidil.kernels.cuda.array import empty
from minidil.kernels.cuda.copy import full, reshape
from minidil.kernels.cuda.device import THREADS, WARP, WARPS, Array, ceil_div, inline, over_warp, run, types
from minidil.kernels.cuda.elementwise import absolute, divide, multiply
from minidil.kernels.cuda.launch import Kernel, kernel
from minidil.kernels.cuda.maps import astype
from minidil.kernels.cuda.seam import cuda, float32, int32, uint32

Axis = int | Sequence[int] | None
LONG = 32 * WARP  # a row longer than this is work for a block
ENOUGH = 512  # blocks, to keep a large GPU busy


class Reduction(NamedTuple):
    """The three kernels of a reduction, and the number that changes nothing: 0 for a sum."""

    rows: Kernel
    row_parts: Kernel
    columns: Kernel
    neutral: Any


def reduction(combine: Callable[..., Any], name: str, number: Any, code: str, neutral: float) -> Reduction:
    """The kernels for a way to combine two numbers. number, code: their type, as numba and as signatures name it."""
    f = inline(combine)
    over_lanes = over_warp(f)

    def rows(x: Array, y: Array, length: int, start: float) -> None:
        lane = uint32(cuda.threadIdx.x)
        row = uint32(uint32(cuda.blockIdx.x) * uint32(WARPS) + uint32(cuda.threadIdx.y))
        if row < y.size:
            total = start
            for i in range(lane, length, uint32(WARP)):
                total = f(total, x[uint32(row * length + i)])
            total = over_lanes(total)
            if lane == uint32(0):
                y[row] = total

    def row_parts(x: Array, y: Array, length: int, parts: int, start: float) -> None:
        partial = cuda.shared.array(WARPS, number)
        thread, block = uint32(cuda.threadIdx.x), uint32(cuda.blockIdx.x)
        row, part = uint32(block // parts), uint32(block % parts)
        total = start
        for i in range(uint32(part * uint32(THREADS) + thread), length, uint32(parts * uint32(THREADS))):
            total = f(total, x[uint32(row * length + i)])
        total = over_lanes(total)
        if thread % uint32(WARP) == uint32(0):
            partial[thread // uint32(WARP)] = total
        cuda.syncthreads()
        total = start
        if thread < uint32(WARPS):
            total = partial[thread]
        total = over_lanes(total)
        if thread == uint32(0):
            y[block] = total

    def columns(x: Array, y: Array, length: int, inner: int, parts: int, start: float) -> None:
        partial = cuda.shared.array((WARPS, WARP), number)
        lane, warp, block = uint32(cuda.threadIdx.x), uint32(cuda.threadIdx.y), uint32(cuda.blockIdx.x)
        part, rest = uint32(block % parts), uint32(block // parts)
        across = uint32((inner + uint32(WARP - 1)) // uint32(WARP))
        column, outer = uint32(uint32(rest % across) * uint32(WARP) + lane), uint32(rest // across)
        total = start
        if column < inner:
            for i in range(uint32(part * uint32(WARPS) + warp), length, uint32(parts * uint32(WARPS))):
                total = f(total, x[uint32((outer * length + i) * inner + column)])
        partial[warp, lane] = total
        cuda.syncthreads()
        if warp == uint32(0) and column < inner:
            for i in range(uint32(1), uint32(WARPS)):
                total = f(total, partial[i, lane])
            y[uint32((outer * parts + part) * inner + column)] = total

    made: list[Kernel] = []
    for function, sizes in ((rows, "u"), (row_parts, "uu"), (columns, "uuu")):
        function.__name__ = function.__qualname__ = f"{name}_{function.__name__}"
        made.append(kernel(types(code + code + sizes + {"f": "r", "i": "n"}[code]))(function))
    return Reduction(made[0], made[1], made[2], neutral)


def _add(a: float, b: float) -> float:
    return a + b


# A NaN is the only number that differs from itself; once met, it stays.
def _larger(a: float, b: float) -> float:
    return a if a >= b or a != a else b


def _smaller(a: float, b: float) -> float:
    return a if a <= b or a != a else b


_LIMITS = np.iinfo(np.int32)
_REDUCTIONS = {
    ("sum", "f"): reduction(_add, "sum", float32, "f", 0.0),
    ("sum", "i"): reduction(_add, "sum_int", int32, "i", 0),
    ("max", "f"): reduction(_larger, "max", float32, "f", -math.inf),
    ("max", "i"): reduction(_larger, "max_int", int32, "i", _LIMITS.min),
    ("min", "f"): reduction(_smaller, "min", float32, "f", math.inf),
    ("min", "i"): reduction(_smaller, "min_int", int32, "i", _LIMITS.max),
}


def sum(x: Array, axis: Axis = None, keepdims: bool = False) -> Array:
    """The sum over axes, all of them by default. Bools are counted."""
    return _reduced("sum", x, axis, keepdims)


def mean(x: Array, axis: Axis = None, keepdims: bool = False) -> Array:
    """The mean over axes."""
    count = math.prod(x.shape[a] for a in _axes(axis, x.ndim))
    return divide(_reduced("sum", astype(x, np.float32), axis, keepdims), count)


def max(x: Array, axis: Axis = None, keepdims: bool = False) -> Array:
    """The largest number over axes; NaN if there is one."""
    return _reduced("max", x, axis, keepdims)


def min(x: Array, axis: Axis = None, keepdims: bool = False) -> Array:
    """The smallest number over axes; NaN if there is one."""
    return _reduced("min", x, axis, keepdims)


def square_sum(x: Array) -> float:
    """The sum of the squares of all elements, as a Python number.

    They are squared after division by the largest, so that float32 neither overflows nor loses numbers that count.
    """
    largest = float(max(absolute(x)).item()) if x.size else 0.0
    if not 0 < largest < math.inf:
        return largest * largest  # 0, infinity or NaN
    scaled = divide(x, full((), largest, np.float32))
    return float(sum(multiply(scaled, scaled)).item()) * largest * largest


def _axes(axis: Axis, ndim: int) -> tuple[int, ...]:
    given = range(ndim) if axis is None else (axis,) if isinstance(axis, int) else axis
    return tuple(sorted(a % ndim for a in given))


def _reduced(name: str, x: Array, axis: Axis, keepdims: bool) -> Array:
    """Reduce one group of neighbouring axes after the other, from the last to the first."""
    axes = _axes(axis, x.ndim)
    kept = tuple(n for a, n in enumerate(x.shape) if a not in axes)
    shape = tuple(1 if a in axes else n for a, n in enumerate(x.shape)) if keepdims else kept
    y = x if x.dtype == np.float32 else astype(x, np.int32)
    last = x.ndim
    while last:
        first = last
        while first and (first - 1 in axes) == (last - 1 in axes):
            first -= 1
        if last - 1 in axes:
            # All axes behind this group have been dealt with: their kept ones are `inner`.
            outer, inner = (
                math.prod(sizes) for sizes in (x.shape[:first], kept[len(kept) - _kept(axes, last, x.ndim) :])
            )
            y = _one_group(name, y, outer, math.prod(x.shape[first:last]), inner)
        last = first
    return reshape(y, shape)


def _kept(axes: tuple[int, ...], start: int, ndim: int) -> int:
    return ndim - start - len([a for a in axes if a >= start])


def _one_group(name: str, x: Array, outer: int, length: int, inner: int) -> Array:
    """x, seen as (outer, length, inner), reduced to (outer, inner)."""
    kernels = _REDUCTIONS[name, x.dtype.kind]
    count, start = outer * inner, np.dtype(x.dtype).type(kernels.neutral)
    if inner == 1 and length <= LONG:
        y = empty((count,), x.dtype)
        run(kernels.rows, ceil_div(count, WARPS), (WARP, WARPS), x, y, np.uint32(length), start)
        return y
    # Enough parts to keep the GPU busy, but each thread of one gets at least 4 numbers.
    blocks = outer if inner == 1 else outer * ceil_div(inner, WARP)
    apart = 4 * (THREADS if inner == 1 else WARPS)
    parts = builtins.max(1, builtins.min(ceil_div(length, apart), ceil_div(ENOUGH, builtins.max(blocks, 1))))
    y = empty((outer, parts, inner), x.dtype)
    if inner == 1:
        run(kernels.row_parts, outer * parts, THREADS, x, y, np.uint32(length), np.uint32(parts), start)
    else:
        sizes = map(np.uint32, (length, inner, parts))
        run(kernels.columns, blocks * parts, (WARP, WARPS), x, y, *sizes, start)
    return y if parts == 1 else _one_group(name, y, outer, parts, inner)
