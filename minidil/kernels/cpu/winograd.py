"""Dilated 3x3 convolution with stride 1 by Winograd's minimal filtering F(4x4, 3x3): a quarter of the multiplications.

For one output row of four and a filter of three, with the matrices below,

    y = A^T ((G w) * (B^T x)),      x of 6 inputs, w of 3 weights, y of 4 outputs,

needs 6 multiplications (the elementwise *) where the definition needs 12. Applied along both axes to a 6x6 tile it is

    V = B^T x B,   U = G w G^T,   M = U * V summed over the channels,   y = A^T M A:

36 multiplications for 16 outputs instead of 144, and since * acts on each of the 36 places by itself, the sums over channels
are 36 independent matrix products (tiles, C) @ (C, F), or as many for each group of channels.

Dilation costs nothing: a convolution with dilation d is d x d ordinary ones on the phases x[p::d, q::d], so the rows and columns
of a tile are taken d apart (the "a trous" identity).

The gradients are the chain rule through the same linear maps, with G = dL/dy:

    dL/dM = A G A^T,   dL/dU = V^T dL/dM (summed over the tiles),   dL/dw = G^T dL/dU G,

and dL/dx is a convolution of dL/dy with the filters turned by 180 degrees.

The price is rounding, since the entries of B and A are up to 8 and cancel. A rounding is at most eps / 2 of what is rounded;
going through the maps with absolute values everywhere, and counting the roundings on the way (10 in U, 8 in V, C in M, 8 in y),

    |found - exact| <= (C + 26) eps / 2 * 48^2 * sum over c of max |x_c| max |w_c|      (to first order in eps, before the bias)

with the maxima over the tile and over the 9 weights; 48 is the largest sum of |A^T| (|G| 1 * |B^T| 1). For dL/dw, 48 becomes
160/3, and the sum and the roundings run over the tiles. This is a bound for all finite numbers that neither overflow nor
underflow; ordinary errors are far below it, and about ten times those of im2col.

So an error is in proportion to the largest number of the tile, not to those that the result's own window sees. To keep that
harmless, a call is computed by im2col instead if in one of its images (or of their gradients) a sum over a tile is 2^8 times the
typical one (scale.py), or if any number is infinite, not a number, or so large that products overflow: these would reach all
results of their tile. Even if this algorithm is forced.
Source: Lavin & Gray 2016, arXiv:1509.09308, sections 4.1 and 5.3.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from minidil.array import Array
from minidil.kernels.cpu import im2col, memory, scale
from minidil.kernels.cpu.filters import gradient, transformed
from minidil.kernels.cpu.layout import as_channels, as_rows, writable
from minidil.kernels.cpu.winograd_tiles import input_tiles, output_tiles, slope_tiles
from minidil.kernels.geometry import Window
from minidil.kernels.threads import run_sliced

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
ALL = (
    7  # the place of U, and of dL/dM, that takes up all numbers of the filter or of the tile: row 1 of G and A has no 0
)
_CACHE_BYTES = 3 << 19  # of V and M at a time: what a core's level-2 cache holds
_LEAST_TILES = 64  # matrix products of fewer rows leave BLAS idle


class Tiles(NamedTuple):
    """How 4x4 tiles cover a batch of outputs: rows of tiles (image, row phase, row), in each of them (column phase, column).

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
    def per_row(self) -> int:
        """Tiles in a row of them."""
        return self.dilation[1] * self.grid[1]

    @property
    def rows(self) -> int:
        """Rows of tiles in an image."""
        return self.dilation[0] * self.grid[0]


def applies(window: Window) -> bool:
    """Whether Winograd can do it: a 3x3 kernel with stride 1, at any dilation and padding."""
    return window.kernel == (3, 3) and window.stride == (1, 1)


def pays(window: Window, channels: int, filters: int, groups: int) -> bool:
    """Whether it is also the faster way.

    im2col multiplies 9 times per output (and pair of channels), Winograd 36 times per tile; tiles that hang over the edge
    compute outputs that nobody needs. The transforms cost about as much as the products saved unless half of them are
    saved, and with few channels they cost more than that.
    """
    if not applies(window) or min(channels, filters) < 16 * groups:
        return False
    tiles = tiling(window)
    return 2 * 36 * tiles.rows * tiles.per_row <= 9 * math.prod(window.out)


def tiling(window: Window) -> Tiles:
    """The tiles of a convolution's outputs."""
    return Tiles.over(window.out, window.dilation, [before for before, _ in window.padding])


def conv_forward(x: Array, weight: Array, window: Window, groups: int = 1, bias: Array | None = None) -> Array:
    """x (N, C, H, W), weight (F, C/groups, 3, 3) -> (N, F, *O)."""
    offset = np.zeros(weight.shape[0], x.dtype) if bias is None else writable(bias)
    y = _correlate(x, transformed(weight, FILTER), groups, tiling(window), window.out, offset)
    return im2col.conv_forward(x, weight, window, groups, bias) if y is None else y


def conv_grad_input(grad: Array, weight: Array, window: Window, groups: int = 1) -> Array:
    """dL/dx: what reaches x[i] went through tap k to y[i + before - k d]; with the taps reversed that is a convolution again."""
    channels = weight.shape[1]
    turned = weight.reshape(groups, -1, channels, 3, 3)[:, :, :, ::-1, ::-1].transpose(0, 2, 1, 3, 4)
    turned = turned.reshape(groups * channels, -1, 3, 3)
    reach = [2 * d - before for d, (before, _) in zip(window.dilation, window.padding, strict=True)]
    tiles = Tiles.over(window.size, window.dilation, reach)
    offset = np.zeros(groups * channels, grad.dtype)
    dx = _correlate(grad, transformed(turned, FILTER), groups, tiles, window.size, offset)
    return im2col.conv_grad_input(grad, weight, window, groups) if dx is None else dx


def conv_grad_weight(x: Array, grad: Array, window: Window, groups: int = 1) -> Array:
    """dL/dw = G^T (sum over the tiles of V^T dL/dM) G."""
    tiles = tiling(window)
    source, upstream = _images(x), _images(grad)
    channels, filters = x.shape[1], grad.shape[1]
    places = watched(tiles, window.size)
    seen, seen_slopes = (np.zeros((len(x) * tiles.rows, 3), np.int64) for _ in range(2))

    def work(start: int, stop: int) -> Array:
        step = _rows_at_once(tiles, channels, filters, 2, x.dtype, stop - start)
        inputs = memory.empty((36, step * tiles.per_row, channels), x.dtype)
        slopes = memory.empty((36, step * tiles.per_row, filters), x.dtype)
        total = memory.zeros((36, channels // groups, filters), x.dtype)
        product = memory.empty((36, channels // groups, filters), x.dtype)
        for first in range(start, stop, step):
            last = min(first + step, stop)
            count = (last - first) * tiles.per_row
            input_tiles(source, inputs, first, last, *tiles)
            slope_tiles(upstream, slopes, first, last, tiles.dilation, tiles.grid)
            for place in places:
                scale.scan(inputs[place], seen, first, last, tiles.per_row)
            scale.scan(slopes[ALL], seen_slopes, first, last, tiles.per_row)
            by_group = _by_group(inputs[:, :count], groups).transpose(0, 1, 3, 2)
            np.matmul(by_group, _by_group(slopes[:, :count], groups), out=_by_group(product, groups))
            total += product
        return total

    totals = run_sliced(work, len(x) * tiles.rows)
    if not scale.fits(x.dtype, len(x), seen, seen_slopes):
        return im2col.conv_grad_weight(x, grad, window, groups)
    return gradient(totals, FILTER)


def watched(tiles: Tiles, size: Sequence[int]) -> list[int]:
    """Places of V that together take up all of an input of this size.

    Row 1 of B^T takes up positions 1 to 4 of a tile; positions 0 and 5 are 4 and 1 of its neighbours. Where the first or the
    last tile has no neighbour and no padding there, rows 0 and 5 are looked at too.
    """
    axes = []
    for d, before, grid, n in zip(tiles.dilation, tiles.before, tiles.grid, size, strict=True):
        axes.append([1] + [0] * (before < d) + [5] * ((4 * grid + 1) * d - before < n))
    return [6 * i + j for i in axes[0] for j in axes[1]]


def _correlate(x: Array, filters: Array, groups: int, tiles: Tiles, out: tuple[int, ...], bias: Array) -> Array | None:
    """The convolution with these tiles; None if the numbers are not fit for it."""
    if not scale.finite(filters[ALL]):
        return None
    source, channels, count_out = _images(x), x.shape[1], filters.shape[2]
    by_group = _by_group(filters, groups)
    y = memory.empty((len(x), *out, count_out), x.dtype)
    places, seen = watched(tiles, x.shape[2:]), np.zeros((len(x) * tiles.rows, 3), np.int64)

    def work(start: int, stop: int) -> None:
        step = _rows_at_once(tiles, channels, count_out, 1, x.dtype, stop - start)
        inputs = memory.empty((36, step * tiles.per_row, channels), x.dtype)
        products = memory.empty((36, step * tiles.per_row, count_out), x.dtype)
        for first in range(start, stop, step):
            last = min(first + step, stop)
            count = (last - first) * tiles.per_row
            input_tiles(source, inputs, first, last, *tiles)
            for place in places:
                scale.scan(inputs[place], seen, first, last, tiles.per_row)
            np.matmul(_by_group(inputs[:, :count], groups), by_group, out=_by_group(products[:, :count], groups))
            output_tiles(products, y, bias, first, last, tiles.dilation, tiles.grid)

    run_sliced(work, len(x) * tiles.rows)
    if not scale.fits(x.dtype, len(x), seen):
        return None
    return as_channels(y.reshape(-1, count_out), len(x), out)


def _by_group(matrices: Array, groups: int) -> Array:
    """(36, rows, columns) -> a view (36, groups, rows, columns / groups): a matrix for each group's share of the columns."""
    return matrices.reshape(*matrices.shape[:2], groups, matrices.shape[2] // groups).transpose(0, 2, 1, 3)


def _images(x: Array) -> Array:
    """(N, C, H, W) -> (N, H, W, C), contiguous."""
    return as_rows(x).reshape(len(x), *x.shape[2:], x.shape[1])


def _rows_at_once(tiles: Tiles, channels: int, filters: int, passes: int, dtype: Any, most: int) -> int:
    """How many rows of tiles to transform before they are multiplied, of at most `most` that there are.

    T tiles bring 36 T (C + F) numbers and meet 36 C F of U or dL/dU, which no core's cache holds where the channels are many and
    which are then fetched `passes` times. For these not to cost more than the tiles, T >= passes C F / (C + F).
    """
    in_cache = _CACHE_BYTES // (36 * (channels + filters) * np.dtype(dtype).itemsize)
    count = max(in_cache, _LEAST_TILES, passes * channels * filters // (channels + filters))
    return max(1, min(count // tiles.per_row, most))
