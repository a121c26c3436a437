"""Moving elements without computing: shapes, slices, joins and transposes.

One kernel copies between two sets of strides and serves whatever can be written as that: a slice, a reversal, a repetition
(stride 0), a part of a larger array. Its writes or its reads are not next to each other when the last axis moves, so the
transpose of matrices has a kernel of its own, which turns tiles in shared memory.

The tiled transpose: a block of 32 x 8 threads takes a tile of 32 x 32. A warp reads 32 neighbours of a row of x and writes them
to a row of the tile; then it reads a *column* of the tile and writes 32 neighbours of a row of y. Shared memory has 32 banks, one
word wide each: in rows of 32 a column would lie in a single bank and be read in 32 turns; in rows of 33 it lies in all of them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import as_strided
from numpy.typing import DTypeLike

from minidil.kernels.cuda.array import empty
from minidil.kernels.cuda.device import (
    AXES,
    Array,
    Sizes,
    ceil_div,
    left_filled,
    merged,
    place,
    row_major,
    run,
    run_each,
    thread_index,
    types,
)
from minidil.kernels.cuda.launch import kernel
from minidil.kernels.cuda.seam import cuda, float32, uint32

TILE, PITCH, TILE_ROWS = 32, 33, 8


# --- copies between strides


@kernel(*map(types, ("ff555uuu", "ii555uuu", "bb555uuu")))
def copy_strided(
    x: Array, y: Array, shape: Sizes, steps_x: Sizes, steps_y: Sizes, start_x: int, start_y: int, count: int
) -> None:
    i = thread_index()
    if i < count:
        y[uint32(start_y + place(i, shape, steps_y))] = x[uint32(start_x + place(i, shape, steps_x))]


@kernel(types("fr"), types("in"), types("bn"))
def fill(y: Array, value: float) -> None:
    i = thread_index()
    if i < y.size:
        y[i] = value


def copy_into(
    y: Array, x: Array, shape: Sizes, strides_y: Sizes, strides_x: Sizes, start_y: int = 0, start_x: int = 0
) -> None:
    """Copy an array of this shape between places that are given by strides and the position of the first element."""
    if 0 in shape:
        return
    sizes, (steps_y, steps_x) = merged(shape, strides_y, strides_x)
    if len(sizes) > AXES:  # more than the kernel knows: one launch for each index of the first
        for i in range(sizes[0]):
            starts = start_y + i * steps_y[0], start_x + i * steps_x[0]
            copy_into(y, x, sizes[1:], steps_y[1:], steps_x[1:], *starts)
        return
    count = math.prod(sizes)
    places = left_filled(sizes, AXES, 1), left_filled(steps_x, AXES, 0), left_filled(steps_y, AXES, 0)
    run_each(copy_strided, count, x, y, *places, *map(np.uint32, (start_x, start_y, count)))


def full(shape: Sequence[int], value: float, dtype: DTypeLike) -> Array:
    """A new array with the same number everywhere."""
    y = empty(shape, dtype)
    run_each(fill, y.size, y, np.float32(value) if y.dtype == np.float32 else np.int32(value))
    return y


def zeros_like(x: Array) -> Array:
    """Zeros of the shape and number type of x."""
    return full(x.shape, 0, x.dtype)


def broadcast_strides(shape: Sequence[int], wanted: Sequence[int]) -> Sizes:
    """The strides that repeat a contiguous array of this shape to the wanted one: 0 where it repeats."""
    steps = [0 if n == 1 else step for n, step in zip(shape, row_major(shape), strict=True)]
    return (0,) * (len(wanted) - len(shape)) + tuple(steps)


def broadcast_to(x: Array, shape: Sequence[int]) -> Array:
    """x repeated along the axes that `shape` stretches."""
    wanted = tuple(shape)
    if wanted == x.shape:
        return x
    y = empty(wanted, x.dtype)
    copy_into(y, x, wanted, row_major(wanted), broadcast_strides(x.shape, wanted))
    return y


# --- slices


def sliced(shape: Sequence[int], index: Any) -> tuple[Sizes, Sizes, int]:
    """What a basic NumPy index selects of a contiguous array: the shape, the strides and the first position.

    NumPy itself interprets the index, on a stand-in of one byte that pretends to be the array: nothing is read.
    """
    stand_in = as_strided(np.zeros(1, np.int8), tuple(shape), row_major(shape), writeable=False)
    entries = index if isinstance(index, tuple) else (index,)
    # With an ellipsis also a single element is a view, which has an address, and no number.
    view = stand_in[entries if any(entry is Ellipsis for entry in entries) else (*entries, Ellipsis)]
    first = view.__array_interface__["data"][0] - stand_in.__array_interface__["data"][0]
    return view.shape, view.strides, first if view.size else 0


def take_slice(x: Array, index: Any) -> Array:
    """x[index] for a basic index."""
    shape, strides, first = sliced(x.shape, index)
    y = empty(shape, x.dtype)
    copy_into(y, x, shape, row_major(shape), strides, 0, first)
    return y


def put_slice(y: Array, index: Any, x: Array) -> None:
    """y[index] = x for a basic index; the one function that writes into an array, while it is being made."""
    shape, strides, first = sliced(y.shape, index)
    copy_into(y, x, shape, strides, row_major(shape), first, 0)


# --- joining and padding


def pad(x: Array, width: Sequence[tuple[int, int]], constant_values: float = 0.0) -> Array:
    """x with (before, after) constant entries added on every axis."""
    y = full([n + before + after for n, (before, after) in zip(x.shape, width, strict=True)], constant_values, x.dtype)
    put_slice(y, tuple(slice(before, before + n) for n, (before, _) in zip(x.shape, width, strict=True)), x)
    return y


def concatenate(arrays: Sequence[Array], axis: int = 0) -> Array:
    """Arrays joined along an existing axis."""
    first = arrays[0]
    along = axis % len(first.shape)
    y = empty((*first.shape[:along], sum(a.shape[along] for a in arrays), *first.shape[along + 1 :]), first.dtype)
    end = 0
    for array in arrays:
        start, end = end, end + array.shape[along]
        put_slice(y, (slice(None),) * along + (slice(start, end),), array)
    return y


def stack(arrays: Sequence[Array], axis: int = 0) -> Array:
    """Arrays of one shape joined along a new axis."""
    along = axis % (len(arrays[0].shape) + 1)
    return concatenate([reshape(a, (*a.shape[:along], 1, *a.shape[along:])) for a in arrays], along)


# --- other shapes and orders


def reshape(x: Array, shape: int | Sequence[int]) -> Array:
    """x with another shape of the same size; the memory is shared, since nobody writes into it."""
    return x.reshaped((shape,) if isinstance(shape, int) else shape)


@kernel(types("ffuu"))
def transpose_tiles(x: Array, y: Array, rows: int, columns: int) -> None:
    tile = cuda.shared.array((TILE, PITCH), float32)
    across = uint32((columns + uint32(TILE - 1)) // uint32(TILE))
    down = uint32((rows + uint32(TILE - 1)) // uint32(TILE))
    block = uint32(cuda.blockIdx.x)
    left, rest = uint32(block % across) * uint32(TILE), uint32(block // across)
    top, matrix = uint32(rest % down) * uint32(TILE), uint32(rest // down)
    start = uint32(matrix * rows * columns)
    lane, warp = uint32(cuda.threadIdx.x), uint32(cuda.threadIdx.y)
    for i in range(warp, uint32(TILE), uint32(TILE_ROWS)):
        if top + i < rows and left + lane < columns:
            tile[i, lane] = x[uint32(start + (top + i) * columns + left + lane)]
    cuda.syncthreads()
    for i in range(warp, uint32(TILE), uint32(TILE_ROWS)):
        if left + i < columns and top + lane < rows:
            y[uint32(start + (left + i) * rows + top + lane)] = tile[lane, i]


def transpose(x: Array, axes: Sequence[int] | None = None) -> Array:
    """x with its axes in another order: axis i of the result is axis axes[i] of x. By default the order is reversed."""
    order = tuple(range(len(x.shape)))[::-1] if axes is None else tuple(axis % len(x.shape) for axis in axes)
    shape, strides = tuple(x.shape[axis] for axis in order), row_major(x.shape)
    moved = tuple(strides[axis] for axis in order)
    sizes, (steps,) = merged(shape, moved)
    if len(sizes) <= 1 or not x.size:
        return reshape(x, shape)  # only axes of size 1 change places, or there is nothing to move
    y = empty(shape, x.dtype)
    # With rows and columns of x swapped, and axes before them kept, the last two axes of y have the strides 1 and columns.
    matrices = sizes[:-2]
    if x.dtype == np.float32 and steps[-2:] == (1, sizes[-2]) and steps[:-2] in ((), (sizes[-1] * sizes[-2],)):
        columns, rows = sizes[-2:]
        blocks = math.prod(matrices) * ceil_div(columns, TILE) * ceil_div(rows, TILE)
        run(transpose_tiles, blocks, (TILE, TILE_ROWS), x, y, np.uint32(rows), np.uint32(columns))
    else:
        copy_into(y, x, shape, row_major(shape), moved)
    return y
