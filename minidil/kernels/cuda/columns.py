"""im2col and col2im: convolution as a matrix product, with the columns in memory. For teaching; `conv` never makes them."""

from __future__ import annotations

import math

from minidil.kernels.cuda.array import empty
from minidil.kernels.cuda.grid import Array, Triple, run_each, thread_index, types
from minidil.kernels.cuda.launch import kernel
from minidil.kernels.cuda.seam import float32, uint32
from minidil.kernels.cuda.window import GEOMETRY, coordinates, geometry, inside, output, position
from minidil.kernels.geometry import Window


@kernel(types("ff" + GEOMETRY))
def gather_taps(
    x: Array,
    cols: Array,
    size: Triple,
    kernel: Triple,
    stride: Triple,
    before: Triple,
    dilation: Triple,
    out: Triple,
) -> None:
    """cols (N C, *K, *O): a thread fetches one number, the tap (a, b, c) of the output (oz, oy, ox)."""
    i = thread_index()
    if i < cols.size:
        row, oz, oy, ox = coordinates(i, out)
        plane, a, b, c = coordinates(row, kernel)
        z = position(oz, a, stride[0], before[0], dilation[0])
        h = position(oy, b, stride[1], before[1], dilation[1])
        w = position(ox, c, stride[2], before[2], dilation[2])
        value = float32(0)
        if inside(z, size[0]) and inside(h, size[1]) and inside(w, size[2]):
            value = x[uint32(((plane * size[0] + z) * size[1] + h) * size[2] + w)]
        cols[i] = value


@kernel(types("ff" + GEOMETRY))
def add_taps(
    cols: Array,
    x: Array,
    size: Triple,
    kernel: Triple,
    stride: Triple,
    before: Triple,
    dilation: Triple,
    out: Triple,
) -> None:
    """The adjoint: a thread adds up the numbers of cols that were taken from its element of x."""
    i = thread_index()
    if i < x.size:
        plane, z, h, w = coordinates(i, size)
        total = float32(0)
        for a in range(kernel[0]):
            oz = output(z, a, stride[0], before[0], dilation[0], out[0])
            for b in range(kernel[1]):
                oy = output(h, b, stride[1], before[1], dilation[1], out[1])
                for c in range(kernel[2]):
                    ox = output(w, c, stride[2], before[2], dilation[2], out[2])
                    if oz >= 0 and oy >= 0 and ox >= 0:
                        row = uint32(((plane * kernel[0] + a) * kernel[1] + b) * kernel[2] + c)
                        total += cols[uint32(((row * out[0] + oz) * out[1] + oy) * out[2] + ox)]
        x[i] = total


def im2col(x: Array, window: Window) -> Array:
    """x (N, C, *S) -> columns (N, C prod(K), prod(O)): one column per output position, one row per channel and tap."""
    n, c = x.shape[:2]
    cols = empty((n, c * window.taps, math.prod(window.out)), x.dtype)
    run_each(gather_taps, cols.size, x, cols, *geometry(window))
    return cols


def col2im(cols: Array, channels: int, window: Window) -> Array:
    """The adjoint of `im2col`: every column entry is added where it came from."""
    x = empty((cols.shape[0], channels, *window.size), cols.dtype)
    run_each(add_taps, x.size, cols, x, *geometry(window))
    return x
