"""Dilated 3x3 convolution with stride 1 by Winograd's minimal filtering F(4x4, 3x3): a quarter of the multiplications.

For one output row of four and a filter of three, with the matrices below,

    y = A^T ((G w) * (B^T x)),      x of 6 inputs, w of 3 weights, y of 4 outputs,

needs 6 multiplications (the elementwise *) where the definition needs 12. Applied along both axes to a 6x6 tile it is

    V = B^T x B,   U = G w G^T,   M = U * V summed over the channels,   y = A^T M A:

36 multiplications for 16 outputs instead of 144, and since * acts on each of the 36 places by itself, the sums over channels
are 36 independent matrix products (tiles, C) @ (C, F).

Dilation costs nothing: a convolution with dilation d is d x d ordinary ones on the phases x[p::d, q::d], so the rows and columns
of a tile are taken d apart (the "a trous" identity).

The gradients are the chain rule through the same linear maps, with G = dL/dy:

    dL/dM = A G A^T,   dL/dU = V^T dL/dM (summed over the tiles),   dL/dw = G^T dL/dU G,

and dL/dx is a convolution of dL/dy with the filters turned by 180 degrees.

The price is rounding: the entries of B and A are up to 8 and cancel, so the error is about ten times that of im2col in float32.
Source: Lavin & Gray 2016, arXiv:1509.09308, sections 4.1 and 5.3.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from minidil.kernels.cpu import memory
from minidil.kernels.cpu.layout import as_channels, as_rows, compiled, writable
from minidil.kernels.geometry import Window
from minidil.kernels.threads import blas_limited, run_sliced

Array = NDArray[Any]

# G of the paper; B^T and A^T are written out in the loops below, where most of their entries are 0 or 1.
FILTER = np.array(
    [
        [1 / 4, 0, 0],
        [-1 / 6, -1 / 6, -1 / 6],
        [-1 / 6, 1 / 6, -1 / 6],
        [1 / 24, 1 / 12, 1 / 6],
        [1 / 24, -1 / 12, 1 / 6],
        [0, 0, 1],
    ]
)
_CACHE_BYTES = 3 << 19  # of V and M at a time: what a core's level-2 cache holds besides the weights
_LEAST_TILES = 32


class Tiles(NamedTuple):
    """How 4x4 tiles cover a batch of outputs: tile t is (image, row phase, column phase, row, column), the last running fastest.

    dilation: the distance between neighbours in a tile. before: the padding above and to the left, which may be negative.
    grid: rows and columns of tiles per phase; the first phase is the largest, and the others get as many tiles.
    """

    dilation: tuple[int, int]
    before: tuple[int, int]
    grid: tuple[int, int]

    @staticmethod
    def over(out: Sequence[int], dilation: Sequence[int], before: Sequence[int]) -> Tiles:
        """Enough tiles for `out` outputs: a phase has at most ceil(out / d) rows, a tile four of them."""
        rows, columns = (math.ceil(math.ceil(n / d) / 4) for n, d in zip(out, dilation, strict=True))
        return Tiles((dilation[0], dilation[1]), (before[0], before[1]), (rows, columns))

    @property
    def per_image(self) -> int:
        return math.prod(self.dilation) * math.prod(self.grid)


def applies(window: Window, groups: int) -> bool:
    """Whether Winograd can do it: a 3x3 kernel with stride 1, ungrouped, at any dilation and padding."""
    return window.kernel == (3, 3) and window.stride == (1, 1) and groups == 1


def pays(window: Window, channels: int, filters: int, groups: int) -> bool:
    """Whether it is also the faster way.

    im2col multiplies 9 times per output (and pair of channels), Winograd 36 times per tile; tiles that hang over the edge
    compute outputs that nobody needs. The transforms cost about as much as the products saved unless half of them are
    saved, and with few channels they cost more than that.
    """
    if not applies(window, groups) or min(channels, filters) < 16:
        return False
    return 2 * 36 * tiling(window).per_image <= 9 * math.prod(window.out)


def tiling(window: Window) -> Tiles:
    """The tiles of a convolution's outputs."""
    return Tiles.over(window.out, window.dilation, [before for before, _ in window.padding])


def conv_forward(x: Array, weight: Array, window: Window, groups: int = 1, bias: Array | None = None) -> Array:
    """x (N, C, H, W), weight (F, C, 3, 3) -> (N, F, *O)."""
    filters = transformed(weight)
    offset = np.zeros(weight.shape[0], x.dtype) if bias is None else writable(bias)
    return _correlate(x, filters, tiling(window), window.out, offset)


def conv_grad_input(grad: Array, weight: Array, window: Window, groups: int = 1) -> Array:
    """dL/dx: what reaches x[i] went through tap k to y[i + before - k d]; with the taps reversed that is a convolution again."""
    turned = weight[:, :, ::-1, ::-1].transpose(1, 0, 2, 3)
    reach = [2 * d - before for d, (before, _) in zip(window.dilation, window.padding, strict=True)]
    tiles = Tiles.over(window.size, window.dilation, reach)
    return _correlate(grad, transformed(turned), tiles, window.size, np.zeros(weight.shape[1], grad.dtype))


def conv_grad_weight(x: Array, grad: Array, window: Window, groups: int = 1) -> Array:
    """dL/dw = G^T (sum over the tiles of V^T dL/dM) G."""
    tiles = tiling(window)
    source, upstream = _images(x), _images(grad)
    channels, filters = x.shape[1], grad.shape[1]

    def work(start: int, stop: int) -> Array:
        step = _tiles_at_once(channels + filters, x.dtype)
        inputs = memory.empty((36, min(step, stop - start), channels), x.dtype)
        slopes = memory.empty((36, min(step, stop - start), filters), x.dtype)
        total = memory.zeros((36, channels, filters), x.dtype)
        product = memory.empty((36, channels, filters), x.dtype)
        for first in range(start, stop, step):
            count = min(step, stop - first)
            _input_tiles(source, inputs[:, :count], first, *tiles)
            _slope_tiles(upstream, slopes[:, :count], first, *tiles)
            np.matmul(inputs[:, :count].transpose(0, 2, 1), slopes[:, :count], out=product)
            total += product
        return total

    first, *others = run_sliced(work, len(x) * tiles.per_image)
    for partial in others:
        first += partial
    with blas_limited(1):
        taps = np.matmul(_both_axes(x.dtype).T, first.reshape(36, -1))
    return taps.reshape(3, 3, channels, filters).transpose(3, 2, 0, 1)


def transformed(weight: Array) -> Array:
    """U = G w G^T: (F, C, 3, 3) -> (36, C, F)."""
    filters, channels = weight.shape[:2]
    taps = np.ascontiguousarray(weight.transpose(2, 3, 1, 0)).reshape(9, -1)
    tiles = memory.empty((36, channels * filters), weight.dtype)
    with blas_limited(1):
        np.matmul(_both_axes(weight.dtype), taps, out=tiles)
    return tiles.reshape(36, channels, filters)


def _both_axes(dtype: Any) -> Array:
    """The matrix (36, 9) that maps the 9 entries of w to the 36 entries of G w G^T."""
    return np.kron(FILTER, FILTER).astype(dtype)


def _correlate(x: Array, filters: Array, tiles: Tiles, out: tuple[int, ...], bias: Array) -> Array:
    source = _images(x)
    _, channels, count_out = filters.shape
    y = memory.empty((len(x), *out, count_out), x.dtype)

    def work(start: int, stop: int) -> None:
        step = _tiles_at_once(channels + count_out, x.dtype)
        inputs = memory.empty((36, min(step, stop - start), channels), x.dtype)
        products = memory.empty((36, min(step, stop - start), count_out), x.dtype)
        for first in range(start, stop, step):
            count = min(step, stop - first)
            _input_tiles(source, inputs[:, :count], first, *tiles)
            np.matmul(inputs[:, :count], filters, out=products[:, :count])
            _output_tiles(products[:, :count], y, first, *tiles, bias)

    run_sliced(work, len(x) * tiles.per_image)
    return as_channels(y, len(x), out)


def _images(x: Array) -> Array:
    """(N, C, H, W) -> (N, H, W, C), contiguous."""
    return as_rows(x).reshape(len(x), *x.shape[2:], x.shape[1])


def _tiles_at_once(width: int, dtype: Any) -> int:
    return max(_LEAST_TILES, _CACHE_BYTES // (36 * width * np.dtype(dtype).itemsize))


@compiled
def _place(tile: int, dilation: tuple[int, int], grid: tuple[int, int]) -> tuple[int, int, int]:
    """The image of a tile and its first output, in the rows and columns of the whole image."""
    column, rest = tile % grid[1], tile // grid[1]
    row, rest = rest % grid[0], rest // grid[0]
    column_phase, rest = rest % dilation[1], rest // dilation[1]
    row_phase, image = rest % dilation[0], rest // dilation[0]
    return image, row_phase + 4 * row * dilation[0], column_phase + 4 * column * dilation[1]


@compiled
def _times_bt(a0: Array, a1: Array, a2: Array, a3: Array, a4: Array, a5: Array, t: Array, o: int, s: int) -> None:
    """t[o], t[o + s], ... t[o + 5 s] = B^T (a0, ..., a5), for a vector of channels at a time."""
    t0, t1, t2, t3, t4, t5 = t[o], t[o + s], t[o + 2 * s], t[o + 3 * s], t[o + 4 * s], t[o + 5 * s]
    for c in range(len(a0)):
        p, q = a4[c] - 4 * a2[c], a3[c] - 4 * a1[c]
        u, v = a4[c] - a2[c], 2 * (a3[c] - a1[c])
        t0[c] = 4 * a0[c] - 5 * a2[c] + a4[c]
        t1[c] = p + q
        t2[c] = p - q
        t3[c] = u + v
        t4[c] = u - v
        t5[c] = 4 * a1[c] - 5 * a3[c] + a5[c]


@compiled
def _input_tiles(
    x: Array, tiles: Array, first: int, dilation: tuple[int, int], before: tuple[int, int], grid: tuple[int, int]
) -> None:
    """tiles[:, t] = V = B^T x B for the tiles first + t; x (N, H, W, C), tiles (36, T, C)."""
    _, height, width, channels = x.shape
    half = np.empty((36, channels), x.dtype)
    zero = np.zeros(channels, x.dtype)
    for t in range(tiles.shape[1]):
        image, top, left = _place(first + t, dilation, grid)
        top, left = top - before[0], left - before[1]
        w0, w1, w2 = left, left + dilation[1], left + 2 * dilation[1]
        w3, w4, w5 = left + 3 * dilation[1], left + 4 * dilation[1], left + 5 * dilation[1]
        for i in range(6):
            h = top + i * dilation[0]
            if 0 <= h < height:
                row = x[image, h]
                _times_bt(
                    row[w0] if 0 <= w0 < width else zero,
                    row[w1] if 0 <= w1 < width else zero,
                    row[w2] if 0 <= w2 < width else zero,
                    row[w3] if 0 <= w3 < width else zero,
                    row[w4] if 0 <= w4 < width else zero,
                    row[w5] if 0 <= w5 < width else zero,
                    half,
                    6 * i,
                    1,
                )
            else:
                half[6 * i : 6 * i + 6] = 0
        out = tiles[:, t]
        for j in range(6):
            _times_bt(half[j], half[6 + j], half[12 + j], half[18 + j], half[24 + j], half[30 + j], out, j, 6)


@compiled
def _output_tiles(
    products: Array,
    y: Array,
    first: int,
    dilation: tuple[int, int],
    before: tuple[int, int],
    grid: tuple[int, int],
    bias: Array,
) -> None:
    """y = A^T M A + b for the tiles first + t, without the outputs that hang over the edge; products (36, T, F)."""
    _, height, width, filters = y.shape
    half = np.empty((4, 6, filters), y.dtype)
    for t in range(products.shape[1]):
        image, top, left = _place(first + t, dilation, grid)
        for j in range(6):
            m0, m1, m2 = products[j, t], products[6 + j, t], products[12 + j, t]
            m3, m4, m5 = products[18 + j, t], products[24 + j, t], products[30 + j, t]
            h0, h1, h2, h3 = half[0, j], half[1, j], half[2, j], half[3, j]
            for f in range(filters):
                p, q, u, v = m1[f] + m2[f], m1[f] - m2[f], m3[f] + m4[f], m3[f] - m4[f]
                h0[f] = m0[f] + p + u
                h1[f] = q + 2 * v
                h2[f] = p + 4 * u
                h3[f] = q + 8 * v + m5[f]
        w1, w2, w3 = left + dilation[1], left + 2 * dilation[1], left + 3 * dilation[1]
        for i in range(4):
            h = top + i * dilation[0]
            if h >= height or left >= width:
                continue
            a0, a1, a2, a3, a4, a5 = half[i, 0], half[i, 1], half[i, 2], half[i, 3], half[i, 4], half[i, 5]
            if w3 < width:
                y0, y1, y2, y3 = y[image, h, left], y[image, h, w1], y[image, h, w2], y[image, h, w3]
                for f in range(filters):
                    p, q, u, v = a1[f] + a2[f], a1[f] - a2[f], a3[f] + a4[f], a3[f] - a4[f]
                    y0[f] = a0[f] + p + u + bias[f]
                    y1[f] = q + 2 * v + bias[f]
                    y2[f] = p + 4 * u + bias[f]
                    y3[f] = q + 8 * v + a5[f] + bias[f]
            else:
                for f in range(filters):
                    p, q, u, v = a1[f] + a2[f], a1[f] - a2[f], a3[f] + a4[f], a3[f] - a4[f]
                    y[image, h, left, f] = a0[f] + p + u + bias[f]
                    if w1 < width:
                        y[image, h, w1, f] = q + 2 * v + bias[f]
                    if w2 < width:
                        y[image, h, w2, f] = p + 4 * u + bias[f]


@compiled
def _times_a(a0: Array, a1: Array, a2: Array, a3: Array, t: Array, o: int, s: int) -> None:
    """t[o], t[o + s], ... t[o + 5 s] = A (a0, ..., a3), for a vector of filters at a time."""
    t0, t1, t2, t3, t4, t5 = t[o], t[o + s], t[o + 2 * s], t[o + 3 * s], t[o + 4 * s], t[o + 5 * s]
    for f in range(len(a0)):
        even, odd = a0[f] + a2[f], a1[f] + a3[f]
        even4, odd8 = a0[f] + 4 * a2[f], 2 * a1[f] + 8 * a3[f]
        t0[f] = a0[f]
        t1[f] = even + odd
        t2[f] = even - odd
        t3[f] = even4 + odd8
        t4[f] = even4 - odd8
        t5[f] = a3[f]


@compiled
def _slope_tiles(
    grad: Array, tiles: Array, first: int, dilation: tuple[int, int], before: tuple[int, int], grid: tuple[int, int]
) -> None:
    """tiles[:, t] = dL/dM = A G A^T for the tiles first + t; grad (N, H, W, F), tiles (36, T, F)."""
    _, height, width, filters = grad.shape
    half = np.empty((24, filters), grad.dtype)
    zero = np.zeros(filters, grad.dtype)
    for t in range(tiles.shape[1]):
        image, top, left = _place(first + t, dilation, grid)
        w1, w2, w3 = left + dilation[1], left + 2 * dilation[1], left + 3 * dilation[1]
        for i in range(4):
            h = top + i * dilation[0]
            if h < height and left < width:
                row = grad[image, h]
                _times_a(
                    row[left],
                    row[w1] if w1 < width else zero,
                    row[w2] if w2 < width else zero,
                    row[w3] if w3 < width else zero,
                    half,
                    6 * i,
                    1,
                )
            else:
                half[6 * i : 6 * i + 6] = 0
        out = tiles[:, t]
        for j in range(6):
            _times_a(half[j], half[6 + j], half[12 + j], half[18 + j], out, j, 6)
