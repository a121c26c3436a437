"""Convolution over 1 to 3 spatial axes without columns in memory (implicit GEMM), and its two gradients; twice, like `gemm`.

A convolution is a matrix product whose second matrix, the columns of im2col, is T = prod(kernel) times as large as the image.
The kernels here are the tiled product of `gemm.py`, except that a number of that matrix is fetched from the image when its
tile needs it. For each group of channels, with P output positions and S input positions per image:

    forward      y (filters, N P)         = weight (filters, channels T)  x  patches
    grad input   dx (channels, N S)       = weight (channels, filters T)  x  what of grad was computed from each place
    grad weight  dw (filters, channels T) = grad (filters, N P)           x  patches (N P, channels T)

Forward, k is a channel and a tap, and the column a position, whose window says where in the image to look. For the input, the
same relation is read backwards (`window.output`). For the weight, k runs over all positions of all images, which may be a
million, while the result is small: k is cut into parts, each block sums one, and the parts are added up afterwards, in order.
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np

from minidil.kernels.cuda import generated
from minidil.kernels.cuda.array import empty, to_device
from minidil.kernels.cuda.choice import readable
from minidil.kernels.cuda.copy import reshape, transpose
from minidil.kernels.cuda.grid import Array, Sizes, Triple, ceil_div, inline, left_filled, run, types
from minidil.kernels.cuda.launch import kernel
from minidil.kernels.cuda.reduce import ENOUGH, sum
from minidil.kernels.cuda.seam import cuda, float32, uint32
from minidil.kernels.cuda.target import target
from minidil.kernels.cuda.tiles import SIDE, finish_bits, finished
from minidil.kernels.cuda.window import GEOMETRY, coordinates, geometry, inside, output, position
from minidil.kernels.geometry import Window


@inline
def patch(
    x: Array, plane: int, o: Triple, tap: Triple, size: Triple, stride: Triple, before: Triple, dilation: Triple
) -> float:
    """What the tap of the window at the output position o sees in a plane of x; 0 on the padding."""
    z = position(o[0], tap[0], stride[0], before[0], dilation[0])
    h = position(o[1], tap[1], stride[1], before[1], dilation[1])
    w = position(o[2], tap[2], stride[2], before[2], dilation[2])
    value = float32(0)
    if inside(z, size[0]) and inside(h, size[1]) and inside(w, size[2]):
        value = x[uint32(((plane * size[0] + z) * size[1] + h) * size[2] + w)]
    return value


@kernel(types("ffffuuu" + GEOMETRY + "u"))
def forward_tile(
    x: Array,
    weight: Array,
    bias: Array,
    y: Array,
    filters: int,
    channels: int,
    groups: int,
    size: Triple,
    kernel: Triple,
    stride: Triple,
    before: Triple,
    dilation: Triple,
    out: Triple,
    finish: int,
) -> None:
    """filters, channels: of a group. Grid: the tiles of positions, of filters, and the groups."""
    tile_w, tile_x = cuda.shared.array((SIDE, SIDE), float32), cuda.shared.array((SIDE, SIDE), float32)
    tx, ty, group = uint32(cuda.threadIdx.x), uint32(cuda.threadIdx.y), uint32(cuda.blockIdx.z)
    row = uint32(uint32(cuda.blockIdx.y) * uint32(SIDE) + ty)
    column = uint32(uint32(cuda.blockIdx.x) * uint32(SIDE) + tx)
    positions = uint32(out[0] * out[1] * out[2])
    depth = uint32(channels * uint32(kernel[0] * kernel[1] * kernel[2]))
    columns = uint32(uint32(y.size // uint32(filters * groups)))
    image, oz, oh, ow = coordinates(column, out)
    total = float32(0)
    for k in range(uint32(0), depth, uint32(SIDE)):
        tile_w[ty, tx] = float32(0)
        if row < filters and k + tx < depth:
            tile_w[ty, tx] = weight[uint32((group * filters + row) * depth + k + tx)]
        tile_x[ty, tx] = float32(0)
        if column < columns and k + ty < depth:
            channel, a, b, c = coordinates(uint32(k + ty), kernel)
            plane = uint32((image * groups + group) * channels + channel)
            tile_x[ty, tx] = patch(x, plane, (oz, oh, ow), (a, b, c), size, stride, before, dilation)
        cuda.syncthreads()
        for i in range(uint32(SIDE)):
            total += tile_w[ty, i] * tile_x[i, tx]
        cuda.syncthreads()
    if row < filters and column < columns:
        filter = uint32(group * filters + row)
        place = uint32((image * groups * filters + filter) * positions + column % positions)
        y[place] = finished(total, bias, filter, finish)


@kernel(types("fffuuu" + GEOMETRY))
def grad_input_tile(
    grad: Array,
    weight: Array,
    dx: Array,
    filters: int,
    channels: int,
    groups: int,
    size: Triple,
    kernel: Triple,
    stride: Triple,
    before: Triple,
    dilation: Triple,
    out: Triple,
) -> None:
    """Grid: the tiles of input positions, of channels, and the groups. k is a filter and a tap."""
    tile_w, tile_g = cuda.shared.array((SIDE, SIDE), float32), cuda.shared.array((SIDE, SIDE), float32)
    tx, ty, group = uint32(cuda.threadIdx.x), uint32(cuda.threadIdx.y), uint32(cuda.blockIdx.z)
    row = uint32(uint32(cuda.blockIdx.y) * uint32(SIDE) + ty)
    column = uint32(uint32(cuda.blockIdx.x) * uint32(SIDE) + tx)
    positions = uint32(size[0] * size[1] * size[2])
    taps = uint32(kernel[0] * kernel[1] * kernel[2])
    depth = uint32(filters * taps)
    columns = uint32(uint32(dx.size // uint32(channels * groups)))
    image, z, h, w = coordinates(column, size)
    total = float32(0)
    for k in range(uint32(0), depth, uint32(SIDE)):
        tile_w[ty, tx] = float32(0)
        if row < channels and k + tx < depth:
            filter, tap = uint32((k + tx) // taps), uint32((k + tx) % taps)
            tile_w[ty, tx] = weight[uint32(((group * filters + filter) * channels + row) * taps + tap)]
        tile_g[ty, tx] = float32(0)
        if column < columns and k + ty < depth:
            filter, a, b, c = coordinates(uint32(k + ty), kernel)
            oz = output(z, a, stride[0], before[0], dilation[0], out[0])
            oh = output(h, b, stride[1], before[1], dilation[1], out[1])
            ow = output(w, c, stride[2], before[2], dilation[2], out[2])
            if oz >= 0 and oh >= 0 and ow >= 0:
                plane = uint32((image * groups + group) * filters + filter)
                tile_g[ty, tx] = grad[uint32(((plane * out[0] + oz) * out[1] + oh) * out[2] + ow)]
        cuda.syncthreads()
        for i in range(uint32(SIDE)):
            total += tile_w[ty, i] * tile_g[i, tx]
        cuda.syncthreads()
    if row < channels and column < columns:
        plane = uint32((image * groups + group) * channels + row)
        dx[uint32(plane * positions + column % positions)] = total


@kernel(types("fffuuuuu" + GEOMETRY))
def grad_weight_tile(
    x: Array,
    grad: Array,
    dw: Array,
    filters: int,
    channels: int,
    groups: int,
    depth: int,
    share: int,
    size: Triple,
    kernel: Triple,
    stride: Triple,
    before: Triple,
    dilation: Triple,
    out: Triple,
) -> None:
    """dw (parts, groups, filters, channels T). Grid: the tiles of columns, of filters, and the parts of each group.

    depth: the positions of all images; a part sums `share` of them.
    """
    tile_g, tile_x = cuda.shared.array((SIDE, SIDE), float32), cuda.shared.array((SIDE, SIDE), float32)
    tx, ty, stacked = uint32(cuda.threadIdx.x), uint32(cuda.threadIdx.y), uint32(cuda.blockIdx.z)
    part, group = uint32(stacked // groups), uint32(stacked % groups)
    row = uint32(uint32(cuda.blockIdx.y) * uint32(SIDE) + ty)
    column = uint32(uint32(cuda.blockIdx.x) * uint32(SIDE) + tx)
    positions = uint32(out[0] * out[1] * out[2])
    columns = uint32(channels * uint32(kernel[0] * kernel[1] * kernel[2]))
    channel, a, b, c = coordinates(column, kernel)
    first = uint32(part * share)
    last = uint32(min(first + share, depth))
    total = float32(0)
    for k in range(first, last, uint32(SIDE)):
        tile_g[ty, tx] = float32(0)
        if row < filters and k + tx < last:
            image, p = uint32((k + tx) // positions), uint32((k + tx) % positions)
            tile_g[ty, tx] = grad[uint32(((image * groups + group) * filters + row) * positions + p)]
        tile_x[ty, tx] = float32(0)
        if column < columns and k + ty < last:
            image, oz, oh, ow = coordinates(uint32(k + ty), out)
            plane = uint32((image * groups + group) * channels + channel)
            tile_x[ty, tx] = patch(x, plane, (oz, oh, ow), (a, b, c), size, stride, before, dilation)
        cuda.syncthreads()
        for i in range(uint32(SIDE)):
            total += tile_g[ty, i] * tile_x[i, tx]
        cuda.syncthreads()
    if row < filters and column < columns:
        dw[uint32((stacked * filters + row) * columns + column)] = total


def conv_forward(
    x: Array, weight: Array, window: Window, groups: int = 1, bias: Array | None = None, relu: bool = False
) -> Array:
    """The convolution plus bias, then max(y, 0) if relu."""
    filters, channels = weight.shape[0] // groups, weight.shape[1]
    y = empty((x.shape[0], weight.shape[0], *window.out), x.dtype)
    positions = math.prod(window.out)
    columns = x.shape[0] * positions
    finish, addend = np.uint32(finish_bits(bias, relu)), x if bias is None else bias  # x stands in and is not read
    if readable():
        grid = _grid(columns, filters, groups)
        run(
            forward_tile,
            grid,
            (SIDE, SIDE),
            x,
            weight,
            addend,
            y,
            *_u(filters, channels, groups),
            *geometry(window),
            finish,
        )
        return y
    depth = channels * window.taps
    size, _, stride, before, _, out = geometry(window)
    sizes = _u(filters, columns, depth, groups, positions, channels * math.prod(size))
    table = _table(window, channels, 1, math.prod(size), target())
    blocks = groups * ceil_div(filters, generated.TILE) * ceil_div(columns, generated.TILE)
    arrays = weight, x, addend, table, y
    run(generated.conv_forward, blocks, generated.THREADS, *arrays, *sizes, size, out, stride, before, finish)
    return y


def conv_grad_input(grad: Array, weight: Array, window: Window, groups: int = 1, forward: bool = False) -> Array:
    """The adjoint of `conv_forward` in x, and the forward pass of a transposed convolution."""
    filters, channels = weight.shape[0] // groups, weight.shape[1]
    dx = empty((grad.shape[0], channels * groups, *window.size), grad.dtype)
    positions = math.prod(window.size)
    columns = grad.shape[0] * positions
    size, _, stride, before, _, out = geometry(window)
    if readable() or any(step & (step - 1) for step in stride):  # the fast kernel divides by powers of two
        grid = _grid(columns, channels, groups)
        run(grad_input_tile, grid, (SIDE, SIDE), grad, weight, dx, *_u(filters, channels, groups), *geometry(window))
        return dx
    depth = filters * window.taps
    turned = transpose(reshape(weight, (groups, filters, channels, window.taps)), (0, 2, 1, 3))
    sizes = _u(channels, columns, depth, groups, positions, filters * math.prod(out))
    table = _table(window, filters, -1, math.prod(out), target())
    blocks = groups * ceil_div(channels, generated.TILE) * ceil_div(columns, generated.TILE)
    # Read backwards, z = 1 position - (-before) - tap: stride 1, and the signs of `before` and of the taps turned.
    ones, ahead = (1, 1, 1), tuple(-n for n in before)
    masks, shifts = tuple(step - 1 for step in stride), tuple(step.bit_length() - 1 for step in stride)
    arrays = turned, grad, grad, table, dx  # there is no bias: something stands in its place and is not read
    places = out, size, ones, ahead, masks, shifts
    run(generated.conv_grad_input, blocks, generated.THREADS, *arrays, *sizes, *places, np.uint32(0))
    return dx


def conv_grad_weight(x: Array, grad: Array, window: Window, groups: int = 1) -> Array:
    """The adjoint of `conv_forward` in the weight."""
    filters, channels = grad.shape[1] // groups, x.shape[1] // groups
    columns, positions = channels * window.taps, math.prod(window.out)
    depth = x.shape[0] * positions
    side = SIDE if readable() else generated.TILE
    tiles = groups * ceil_div(filters, side) * ceil_div(columns, side)
    parts = max(1, min(ceil_div(depth, 4 * side), ceil_div(ENOUGH, tiles)))
    share = max(1, ceil_div(depth, parts))
    dw = empty((parts, groups * filters, channels, *window.kernel), x.dtype)
    if readable():
        grid = _grid(columns, filters, parts * groups)
        sizes = _u(filters, channels, groups, depth, share)
        run(grad_weight_tile, grid, (SIDE, SIDE), x, grad, dw, *sizes, *geometry(window))
    else:
        size, _, stride, before, _, out = geometry(window)
        table = _table(window, channels, 1, math.prod(size), target())
        sizes = _u(filters, columns, depth, share, groups, positions, channels * math.prod(size))
        places = size, out, stride, before
        run(generated.conv_grad_weight, parts * tiles, generated.THREADS, grad, x, table, dw, *sizes, *places)
    return sum(dw, axis=0)


def _grid(columns: int, rows: int, stack: int) -> Sizes:
    return ceil_div(columns, SIDE), ceil_div(rows, SIDE), stack


def _u(*sizes: int) -> tuple[np.uint32, ...]:
    return tuple(map(np.uint32, sizes))


@lru_cache(maxsize=256)
def _table(window: Window, channels: int, sign: int, plane: int, where: str) -> Array:
    """(channels T, 4): for every channel and tap, the offset of the channel and the tap's distance on three axes.

    sign: -1 to look from an input position back at the outputs. It stays on the device; a network has a few of them per layer.
    """
    kernel, dilation = left_filled(window.kernel, 3, 1), left_filled(window.dilation, 3, 1)
    channel, *taps = np.indices((channels, *kernel)).reshape(4, -1)
    distances = [sign * tap * d for tap, d in zip(taps, dilation, strict=True)]
    return to_device(np.stack([channel * plane, *distances], axis=1).astype(np.int32))
