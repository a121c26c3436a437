"""Convolution over 1 to 3 spatial axes without columns in memory (implicit GEMM), and its two gradients: versions as in `gemm`.

A convolution is a matrix product whose second matrix, the columns of im2col, is T = prod(kernel) times as large as the image.
The kernels here are those of `gemm`, except that a number of that matrix is fetched from the image when it is needed. For each
group of channels, with P output positions and S input positions per image:

    forward      y (filters, N P)         = weight (filters, channels T)  x  patches
    grad input   dx (channels, N S)       = turned weight (channels, filters T)  x  what of grad was computed from each place
    grad weight  dw (filters, channels T) = grad (filters, N P)           x  patches (N P, channels T)

Forward, k is a channel and a tap, and the column a position, whose window says where in the image to look. The gradient of the
input is the same with the geometry turned (see `window`), so it is the same kernel. For the weight, k runs over all positions of
all images, which may be a million, while the result is small: k is cut into parts, each block sums one, and the parts are added
up afterwards, in order.

1 naive      A thread computes a number of y; neighbouring threads take neighbouring rows (filters).
2 coalesced  They take neighbouring columns (positions), so that reads of the image and writes of y lie next to each other.
3 tiled      A block of 16 x 16 threads brings a tile of each matrix into shared memory and uses each number 16 times.
4 registers  The tile of y is 64 x 64, and a thread computes 4 x 4 numbers of it. A thread brings 4 numbers of one column, so
             that it looks up its window once.
5 fast       A thread computes 8 x 4 numbers and loads four at once. Where k lies, its channel and tap, is read from a table
             instead of divided out, and the gradient's division by the stride, a power of two, is a shift.

Counted as in `gemm`, for an image (1, 16, 8, 16), weights (64, 16, 3, 3), dilation 2 and padding 2. The gradient of the input has
16 rows, so that three quarters of a tile of 64 x 64 are idle: the tile of 16 x 16 needs fewer instructions than `registers`.

conv_forward     instructions     bytes  sectors   shared conflicts
    naive          78,094,336 4,864,000 1,216,000        0         0
    coalesced      78,094,336 3,784,704  160,768        0         0
    tiled          10,060,800   481,280   15,360   80,640         0
    registers       4,188,416   162,816    5,248   20,160         0
    fast            2,286,848   172,032    8,896   14,976         0

conv_grad_input  instructions     bytes  sectors   shared conflicts
    naive          77,338,624 2,592,768  619,008        0         0
    coalesced      77,338,624 3,760,128  160,000        0         0
    tiled           9,004,032   456,704   14,592   80,640         0
    registers      15,710,720   307,200   10,240   80,640         0
    fast            8,411,648   344,064   13,312   59,904         0

conv_grad_weight instructions     bytes  sectors   shared conflicts
    naive         144,070,656 3,805,184  467,072        0         0
    tiled          15,304,704   593,920   25,280   82,944         0
    fast            3,036,928   205,312   10,432   19,968         0
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any

import numpy as np

from minidil.kernels.cuda.array import empty, to_device
from minidil.kernels.cuda.choice import rung
from minidil.kernels.cuda.copy import reshape, transpose
from minidil.kernels.cuda.device import Array, Sizes, Triple, ceil_div, inline, thread_index, types
from minidil.kernels.cuda.launch import kernel
from minidil.kernels.cuda.reduce import ENOUGH, sum
from minidil.kernels.cuda.seam import cuda, float32, int32, uint32
from minidil.kernels.cuda.target import target
from minidil.kernels.cuda.tiles import (
    BIASED,
    HELD,
    PITCH,
    RECTIFIED,
    SIDE,
    STEP,
    THREADS,
    WIDE,
    Block,
    Version,
    bring,
    entry,
    finished,
    four,
    load4,
    lowest,
    plus_product,
    plus_step,
    run_version,
    share,
    starting,
    store_block,
    tile_of,
    zero_block,
)
from minidil.kernels.cuda.window import (
    BEFORE,
    DILATION,
    DOWN,
    KERNEL,
    OUT,
    SIZE,
    UP,
    along,
    axes,
    coordinates,
    counts,
    geometry,
    inside,
    output,
    patch,
    place,
    turned,
)
from minidil.kernels.geometry import Window

# weight, x, bias, y; rows and channels of a group, groups; the geometry; finish. rows: the channels of y.
SIGNATURE = types("ffffuuugu")


@inline
def seen(x: Array, plane: int, k: int, o: Triple, g: Sizes) -> float:
    """Number k, a channel and a tap, of what the output o sees; plane: of the first channel."""
    deep, high, wide = axes(g)
    channel, a, b, c = coordinates(k, deep[KERNEL], high[KERNEL], wide[KERNEL])
    return patch(x, uint32(plane + channel), o, (a, b, c), g)


@inline
def convolved(
    weight: Array,
    x: Array,
    bias: Array,
    filter: int,
    column: int,
    rows: int,
    channels: int,
    groups: int,
    g: Sizes,
    finish: int,
) -> float:
    """One number of y, a sum over channels and taps."""
    image, oz, oh, ow = output(column, g)
    plane = uint32((image * groups + filter // rows) * channels)
    depth = uint32(channels * counts(g)[0])
    total = starting(bias, filter, True, finish)
    for k in range(depth):
        total += weight[uint32(filter * depth + k)] * seen(x, plane, k, (oz, oh, ow), g)
    return total


@kernel(SIGNATURE)
def conv_naive(
    weight: Array, x: Array, bias: Array, y: Array, rows: int, channels: int, groups: int, g: Sizes, finish: int
) -> None:
    i = thread_index()
    if i < y.size:
        positions = counts(g)[1]
        filter, column = uint32(i % uint32(rows * groups)), uint32(i // uint32(rows * groups))
        total = convolved(weight, x, bias, filter, column, rows, channels, groups, g, finish)
        image, p = uint32(column // positions), uint32(column % positions)
        y[uint32((image * groups * rows + filter) * positions + p)] = finished(total, lowest(finish))


@kernel(SIGNATURE)
def conv_coalesced(
    weight: Array, x: Array, bias: Array, y: Array, rows: int, channels: int, groups: int, g: Sizes, finish: int
) -> None:
    i = thread_index()
    if i < y.size:
        positions = counts(g)[1]
        plane, p = uint32(i // positions), uint32(i % positions)
        image, filter = uint32(plane // uint32(rows * groups)), uint32(plane % uint32(rows * groups))
        column = uint32(image * positions + p)
        total = convolved(weight, x, bias, filter, column, rows, channels, groups, g, finish)
        y[i] = finished(total, lowest(finish))


@kernel(SIGNATURE)
def conv_tiled(
    weight: Array, x: Array, bias: Array, y: Array, rows: int, channels: int, groups: int, g: Sizes, finish: int
) -> None:
    tile_w, tile_x = cuda.shared.array((SIDE, SIDE), float32), cuda.shared.array((SIDE, SIDE), float32)
    tx, ty = uint32(cuda.threadIdx.x), uint32(cuda.threadIdx.y)
    columns = uint32(y.size // uint32(rows * groups))
    group, row0, column0 = tile_of(uint32(cuda.blockIdx.x), rows, columns, uint32(SIDE))
    row, column = uint32(row0 + ty), uint32(column0 + tx)
    taps, positions, _ = counts(g)
    depth = uint32(channels * taps)
    image, oz, oh, ow = output(column, g)
    plane = uint32((image * groups + group) * channels)
    filter = uint32(group * rows + row)
    total = starting(bias, filter, row < rows, finish)
    for k in range(uint32(0), depth, uint32(SIDE)):
        tile_w[ty, tx] = entry(
            weight, group, row, rows, uint32(k + tx), depth, (uint32(rows * depth), depth, uint32(1))
        )
        tile_x[ty, tx] = float32(0)
        if column < columns and k + ty < depth:
            tile_x[ty, tx] = seen(x, plane, uint32(k + ty), (oz, oh, ow), g)
        cuda.syncthreads()
        for i in range(uint32(SIDE)):
            total += tile_w[ty, i] * tile_x[i, tx]
        cuda.syncthreads()
    if row < rows and column < columns:
        at = uint32((image * groups * rows + filter) * positions + column % positions)
        y[at] = finished(total, lowest(finish))


@inline
def places_of(columns: Sizes, planes: int, positions: int) -> Sizes:
    """Where four columns of y lie in memory, from the start of a filter in the first image: positions, `planes` an image."""
    return (
        uint32((columns[0] // positions) * planes * positions + columns[0] % positions),
        uint32((columns[1] // positions) * planes * positions + columns[1] % positions),
        uint32((columns[2] // positions) * planes * positions + columns[2] % positions),
        uint32((columns[3] // positions) * planes * positions + columns[3] % positions),
    )


@inline
def starting_block(bias: Array, group: int, own: Sizes, rows: int, finish: int) -> Block:
    """What the sums of four rows start from."""
    a = starting(bias, uint32(group * rows + own[0]), own[0] < rows, finish)
    b = starting(bias, uint32(group * rows + own[1]), own[1] < rows, finish)
    c = starting(bias, uint32(group * rows + own[2]), own[2] < rows, finish)
    d = starting(bias, uint32(group * rows + own[3]), own[3] < rows, finish)
    return (a, a, a, a), (b, b, b, b), (c, c, c, c), (d, d, d, d)


@kernel(SIGNATURE)
def conv_registers(
    weight: Array, x: Array, bias: Array, y: Array, rows: int, channels: int, groups: int, g: Sizes, finish: int
) -> None:
    """A thread has the rows ty, ty + 16, ty + 32 and ty + 48 of the tile, and the columns tx, tx + 16, tx + 32 and tx + 48."""
    tile_w, tile_x = cuda.shared.array((WIDE, SIDE), float32), cuda.shared.array((SIDE, WIDE), float32)
    tx, ty = uint32(cuda.threadIdx.x), uint32(cuda.threadIdx.y)
    columns = uint32(y.size // uint32(rows * groups))
    group, row0, column0 = tile_of(uint32(cuda.blockIdx.x), rows, columns, uint32(WIDE))
    row, column = uint32(row0 + ty), uint32(column0 + tx)
    taps, positions, _ = counts(g)
    depth = uint32(channels * taps)
    # Of the patches a thread brings a column, every fourth number.
    across, down = uint32((ty % uint32(4)) * uint32(SIDE) + tx), uint32(ty // uint32(4))
    brought = uint32(column0 + across)
    image, oz, oh, ow = output(brought, g)
    plane = uint32((image * groups + group) * channels)
    own, mine = four(row, uint32(SIDE)), four(column, uint32(SIDE))
    sums = starting_block(bias, group, own, rows, finish)
    for k in range(uint32(0), depth, uint32(SIDE)):
        for n in range(uint32(0), uint32(WIDE), uint32(SIDE)):
            w = entry(
                weight, group, uint32(row + n), rows, uint32(k + tx), depth, (uint32(rows * depth), depth, uint32(1))
            )
            tile_w[ty + n, tx] = w
        for n in range(down, uint32(SIDE), uint32(4)):
            tile_x[n, across] = float32(0)
            if brought < columns and k + n < depth:
                tile_x[n, across] = seen(x, plane, uint32(k + n), (oz, oh, ow), g)
        cuda.syncthreads()
        for i in range(uint32(SIDE)):
            w_column = tile_w[ty, i], tile_w[ty + 16, i], tile_w[ty + 32, i], tile_w[ty + 48, i]
            x_row = tile_x[i, tx], tile_x[i, tx + 16], tile_x[i, tx + 32], tile_x[i, tx + 48]
            sums = plus_product(sums, w_column, x_row)
        cuda.syncthreads()
    places = places_of(mine, uint32(groups * rows), positions)
    store_block(sums, y, group, own, rows, positions, mine, places, columns, lowest(finish))


@inline
def first_seen(p: int, g: Sizes) -> tuple[int, int, int, int]:
    """The image of position p of all images, and where its window starts, in steps of 1/down."""
    deep, high, wide = axes(g)
    image, oz, oh, ow = output(p, g)
    z = int32(int32(oz) * deep[UP] - deep[BEFORE])
    h = int32(int32(oh) * high[UP] - high[BEFORE])
    return image, z, h, int32(int32(ow) * wide[UP] - wide[BEFORE])


@inline
def looked_up(x: Array, start: int, table: Array, k: int, first: Triple, g: Sizes, shift: Triple) -> float:
    """What the channel and tap k of a window see; start: of the image's first channel, first: of the window.

    shift: `down` is 2 to the power of it, so the position is a whole number if the last bits are 0, and the rest is the position.
    """
    deep, high, wide = axes(g)
    strided = int32(shift[0] | shift[1] | shift[2]) != 0
    offset, dz, dh, dw = load4(table, uint32(k * uint32(4)))
    z, h, w = int32(first[0] + dz), int32(first[1] + dh), int32(first[2] + dw)
    between = int32(0)
    if strided:
        between = (z & int32(deep[DOWN] - 1)) | (h & int32(high[DOWN] - 1)) | (w & int32(wide[DOWN] - 1))
        z, h, w = int32(z >> shift[0]), int32(h >> shift[1]), int32(w >> shift[2])
    value = float32(0)
    if between == 0 and inside(z, deep) and inside(h, high) and inside(w, wide):
        value = x[uint32(start + offset + place(uint32(0), z, h, w, deep, high, wide))]
    return value


@kernel(types("ffffuuugui3"))
def conv_fast(
    weight: Array,
    x: Array,
    bias: Array,
    y: Array,
    rows: int,
    channels: int,
    groups: int,
    g: Sizes,
    finish: int,
    table: Array,
    shift: Triple,
) -> None:
    """A thread has two blocks of 4 x 4 neighbours; see `tiles`. table: see `table_of`."""
    tile_w, tile_x = cuda.shared.array(HELD, float32, alignment=16), cuda.shared.array(HELD, float32, alignment=16)
    t = uint32(cuda.threadIdx.x)
    tx, ty = uint32(t & uint32(15)), uint32(t >> uint32(4))
    columns = uint32(y.size // uint32(rows * groups))
    group, row0, column0 = tile_of(uint32(cuda.blockIdx.x), rows, columns, uint32(WIDE))
    taps, positions, plane_size = counts(g)
    depth = uint32(channels * taps)
    in_w = uint32(rows * depth), depth, uint32(1)
    mine_w = share(t, group, row0, in_w)
    # Of the patches a thread brings a column, every second number.
    across, down = uint32(t & uint32(63)), uint32(t >> uint32(6))
    brought = uint32(column0 + across)
    image, z, h, w = first_seen(brought, g)
    start = uint32((image * groups + group) * channels * plane_size)
    above, below = four(uint32(row0 + ty * 4), uint32(1)), four(uint32(row0 + ty * 4 + 32), uint32(1))
    upper, lower = starting_block(bias, group, above, rows, finish), starting_block(bias, group, below, rows, finish)
    for k in range(uint32(0), depth, uint32(STEP)):
        bring(tile_w, weight, mine_w, rows, k, depth, in_w)
        for n in range(4):
            q = uint32(down + 2 * n)
            value = float32(0)
            if brought < columns and uint32(k + q) < depth:
                value = looked_up(x, start, table, uint32(k + q), (z, h, w), g, shift)
            tile_x[uint32(q * uint32(PITCH) + across)] = value
        cuda.syncthreads()
        upper, lower = plus_step(upper, lower, tile_w, tile_x, tx, ty)
        cuda.syncthreads()
    mine, low = four(uint32(column0 + tx * 4), uint32(1)), lowest(finish)
    places = places_of(mine, uint32(groups * rows), positions)
    store_block(upper, y, group, above, rows, positions, mine, places, columns, low)
    store_block(lower, y, group, below, rows, positions, mine, places, columns, low)


VERSIONS = {
    "naive": Version(conv_naive),
    "coalesced": Version(conv_coalesced),
    "tiled": Version(conv_tiled, SIDE),
    "registers": Version(conv_registers, WIDE),
    "fast": Version(conv_fast, WIDE, THREADS),
}


def conv_forward(
    x: Array, weight: Array, window: Window, groups: int = 1, bias: Array | None = None, relu: bool = False
) -> Array:
    """The convolution plus bias, then max(y, 0) if relu."""
    y = empty((x.shape[0], weight.shape[0], *window.out), x.dtype)
    return _convolve(weight, x, bias, y, geometry(window), groups, relu)


def conv_grad_input(grad: Array, weight: Array, window: Window, groups: int = 1) -> Array:
    """The adjoint of `conv_forward` in x, and the forward pass of a transposed convolution."""
    filters, channels = weight.shape[0] // groups, weight.shape[1]
    dx = empty((grad.shape[0], channels * groups, *window.size), grad.dtype)
    other_way = transpose(reshape(weight, (groups, filters, channels, window.taps)), (0, 2, 1, 3))
    return _convolve(other_way, grad, None, dx, turned(geometry(window)), groups)


def _convolve(
    weight: Array, x: Array, bias: Array | None, y: Array, g: Sizes, groups: int, relu: bool = False
) -> Array:
    rows, channels, columns = y.shape[1] // groups, x.shape[1] // groups, y.shape[0] * math.prod(along(g, OUT))
    finish = np.uint32((BIASED if bias is not None else 0) | (RECTIFIED if relu else 0))
    arrays = weight, x, x if bias is None else bias, y  # without a bias, something that is not read stands in its place
    down, version = along(g, DOWN), rung(VERSIONS)
    more: tuple[Any, ...] = ()
    if version.kernel is conv_fast:
        if any(n & (n - 1) for n in down):
            version = VERSIONS["registers"]  # there is no shift for other divisors than powers of two
        else:
            more = table_of(g, channels, target()), tuple(n.bit_length() - 1 for n in down)
    run_version(version, groups, rows, columns, *arrays, *map(np.uint32, (rows, channels, groups)), g, finish, *more)
    return y


@lru_cache(maxsize=256)
def table_of(g: Sizes, channels: int, where: str) -> Array:
    """(channels T, 4): for every channel and tap, the offset of the channel and the tap's distance on three axes.

    It stays on the device; a network has a few of them per layer.
    """
    channel, *taps = np.indices((channels, *along(g, KERNEL))).reshape(4, -1)
    distances = [tap * d for tap, d in zip(taps, along(g, DILATION), strict=True)]
    offset = channel * math.prod(along(g, SIZE))
    return to_device(np.stack([offset, *distances], axis=1).astype(np.int32))


# --- the gradient of the weight, (parts, groups, filters, channels T), where k is a position of any image


# grad, x, dw; rows (filters) and channels of a group, groups; k in all and in a part; the geometry
WEIGHT_SIGNATURE = "fffuuuuug"


@kernel(types(WEIGHT_SIGNATURE))
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


@kernel(types(WEIGHT_SIGNATURE))
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


@kernel(types(WEIGHT_SIGNATURE + "i3"))
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


WEIGHT_VERSIONS = {
    "naive": Version(weight_naive),
    "tiled": Version(weight_tiled, SIDE),
    "fast": Version(weight_fast, WIDE, THREADS),
}


def conv_grad_weight(x: Array, grad: Array, window: Window, groups: int = 1) -> Array:
    """The adjoint of `conv_forward` in the weight."""
    rows, channels = grad.shape[1] // groups, x.shape[1] // groups
    columns, depth = channels * window.taps, x.shape[0] * math.prod(window.out)
    version, g, parts = rung(WEIGHT_VERSIONS), geometry(window), 1
    if side := version.side:
        tiles = groups * ceil_div(rows, side) * ceil_div(columns, side)
        parts = max(1, min(ceil_div(depth, 4 * side), ceil_div(ENOUGH, tiles)))
    dw = empty((parts, groups * rows, channels, *window.kernel), x.dtype)
    sizes = map(np.uint32, (rows, channels, groups, depth, max(1, ceil_div(depth, parts))))
    more = (table_of(g, channels, target()), (0, 0, 0)) if version.kernel is weight_fast else ()
    run_version(version, parts * groups, rows, columns, grad, x, dw, *sizes, g, *more)
    return sum(dw, axis=0)
