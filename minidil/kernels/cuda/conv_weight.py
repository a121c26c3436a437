"""The gradient of a convolution's weight, again a matrix product that fetches one operand from the image: versions as in `gemm`.

For each group of channels, with T = prod(kernel) taps and P output positions per image:

    dw (filters, channels T) = grad (filters, N P)  x  patches (N P, channels T)

k runs over all positions of all images, which may be a million, while the result is small: k is cut into parts, each block sums
one, and the parts are added up afterwards, in order. The kernels write (parts, groups, filters, channels T).

1 naive      A thread computes a number of dw, over all of k.
2 tiled      A block of 16 x 16 threads brings tiles of grad and of patches into shared memory and uses each number 16 times.
3 fast       A thread computes 8 x 4 numbers and loads four at once; where a column lies is read from `conv`'s table.

Counted as in `conv`, for the same convolution:

conv_grad_weight instructions     bytes  sectors   shared conflicts
    naive         144,070,656 3,805,184  467,072        0         0
    tiled          15,304,704   593,920   25,280   82,944         0
    fast            3,036,928   205,312   10,432   19,968         0
"""

from __future__ import annotations

import math

import numpy as np

from minidil.kernels.cuda.array import empty
from minidil.kernels.cuda.choice import rung
from minidil.kernels.cuda.conv import first_seen, looked_up, seen, table_of
from minidil.kernels.cuda.device import Array, Sizes, Triple, ceil_div, thread_index, types
from minidil.kernels.cuda.launch import kernel
from minidil.kernels.cuda.reduce import ENOUGH, sum
from minidil.kernels.cuda.seam import cuda, float32, uint32
from minidil.kernels.cuda.target import target
from minidil.kernels.cuda.tiles import (
    HELD,
    PITCH,
    SIDE,
    STEP,
    THREADS,
    WIDE,
    Version,
    four,
    plus_step,
    run_version,
    store_block,
    tile_of,
    zero_block,
)
from minidil.kernels.cuda.window import (
    counts,
    geometry,
    output,
)
from minidil.kernels.geometry import Window

# grad, x, dw; rows (filters) and channels of a group, groups; k in all and in a part; the geometry
SIGNATURE = "fffuuuuug"


@kernel(types(SIGNATURE))
def weight_naive(
    grad: Array, x: Array, dw: Array, rows: int, channels: int, groups: int, depth: int, share_of_k: int, g: Sizes
) -> None:
    i = thread_index()
    if i < dw.size:
        taps, positions, _ = counts(g)
        columns = uint32(channels * taps)
        column, filter = uint32(i % columns), uint32(i // columns)
        total = float32(0)
        for k in range(depth):
            image, oz, oh, ow = output(k, g)
            value = seen(x, uint32((image * groups + filter // rows) * channels), column, (oz, oh, ow), g)
            total += grad[uint32((image * groups * rows + filter) * positions + k % positions)] * value
        dw[i] = total


@kernel(types(SIGNATURE))
def weight_tiled(
    grad: Array, x: Array, dw: Array, rows: int, channels: int, groups: int, depth: int, share_of_k: int, g: Sizes
) -> None:
    tile_g, tile_x = cuda.shared.array((SIDE, SIDE), float32), cuda.shared.array((SIDE, SIDE), float32)
    tx, ty = uint32(cuda.threadIdx.x), uint32(cuda.threadIdx.y)
    taps, positions, _ = counts(g)
    columns = uint32(channels * taps)
    stacked, row0, column0 = tile_of(uint32(cuda.blockIdx.x), rows, columns, uint32(SIDE))
    part, group = uint32(stacked // groups), uint32(stacked % groups)
    row, column = uint32(row0 + ty), uint32(column0 + tx)
    first, last = uint32(part * share_of_k), uint32(min(part * share_of_k + share_of_k, depth))
    total = float32(0)
    for k in range(first, last, uint32(SIDE)):
        tile_g[ty, tx] = float32(0)
        if row < rows and k + tx < last:
            image, p = uint32((k + tx) // positions), uint32((k + tx) % positions)
            tile_g[ty, tx] = grad[uint32(((image * groups + group) * rows + row) * positions + p)]
        tile_x[ty, tx] = float32(0)
        if column < columns and k + ty < last:
            image, oz, oh, ow = output(uint32(k + ty), g)
            tile_x[ty, tx] = seen(x, uint32((image * groups + group) * channels), column, (oz, oh, ow), g)
        cuda.syncthreads()
        for i in range(uint32(SIDE)):
            total += tile_g[ty, i] * tile_x[i, tx]
        cuda.syncthreads()
    if row < rows and column < columns:
        dw[uint32((stacked * rows + row) * columns + column)] = total


@kernel(types(SIGNATURE + "i3"))
def weight_fast(
    grad: Array,
    x: Array,
    dw: Array,
    rows: int,
    channels: int,
    groups: int,
    depth: int,
    share_of_k: int,
    g: Sizes,
    table: Array,
    shift: Triple,
) -> None:
    """A thread brings, for one k, every 16th row of grad and column of patches."""
    tile_g, tile_x = cuda.shared.array(HELD, float32, alignment=16), cuda.shared.array(HELD, float32, alignment=16)
    t = uint32(cuda.threadIdx.x)
    tx, ty = uint32(t & uint32(15)), uint32(t >> uint32(4))
    taps, positions, plane = counts(g)
    columns = uint32(channels * taps)
    stacked, row0, column0 = tile_of(uint32(cuda.blockIdx.x), rows, columns, uint32(WIDE))
    part, group = uint32(stacked // groups), uint32(stacked % groups)
    first, last = uint32(part * share_of_k), uint32(min(part * share_of_k + share_of_k, depth))
    mine, q = uint32(t >> uint32(3)), uint32(t & uint32(7))
    upper, lower = zero_block(), zero_block()
    for k in range(first, last, uint32(STEP)):
        here = uint32(k + q)
        image, z, h, w = first_seen(here, g)
        start = uint32((image * groups + group) * channels * plane)
        at = uint32((image * groups + group) * rows * positions + uint32(here % positions))
        for i in range(4):
            n = uint32(mine + 16 * i)
            row, column = uint32(row0 + n), uint32(column0 + n)
            value, seen_there = float32(0), float32(0)
            if here < last and row < rows:
                value = grad[uint32(at + row * positions)]
            if here < last and column < columns:
                seen_there = looked_up(x, start, table, column, (z, h, w), g, shift)
            tile_g[uint32(q * uint32(PITCH) + n)] = value
            tile_x[uint32(q * uint32(PITCH) + n)] = seen_there
        cuda.syncthreads()
        upper, lower = plus_step(upper, lower, tile_g, tile_x, tx, ty)
        cuda.syncthreads()
    row, places, low = uint32(row0 + ty * 4), four(uint32(column0 + tx * 4), uint32(1)), float32(-math.inf)
    above, below = four(row, uint32(1)), four(uint32(row + 32), uint32(1))
    store_block(upper, dw, stacked, above, rows, columns, places, places, columns, low)
    store_block(lower, dw, stacked, below, rows, columns, places, places, columns, low)


VERSIONS = {
    "naive": Version(weight_naive),
    "tiled": Version(weight_tiled, SIDE),
    "fast": Version(weight_fast, WIDE, THREADS),
}


def conv_grad_weight(x: Array, grad: Array, window: Window, groups: int = 1) -> Array:
    """The adjoint of `conv_forward` in the weight."""
    rows, channels = grad.shape[1] // groups, x.shape[1] // groups
    columns, depth = channels * window.taps, x.shape[0] * math.prod(window.out)
    version, g, parts = rung(VERSIONS), geometry(window), 1
    if side := version.side:
        tiles = groups * ceil_div(rows, side) * ceil_div(columns, side)
        parts = max(1, min(ceil_div(depth, 4 * side), ceil_div(ENOUGH, tiles)))
    dw = empty((parts, groups * rows, channels, *window.kernel), x.dtype)
    sizes = map(np.uint32, (rows, channels, groups, depth, max(1, ceil_div(depth, parts))))
    more = (table_of(g, channels, target()), (0, 0, 0)) if version.kernel is weight_fast else ()
    run_version(version, parts * groups, rows, columns, grad, x, dw, *sizes, g, *more)
    return sum(dw, axis=0)
