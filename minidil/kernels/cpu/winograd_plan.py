"""What Winograd's convolution will do, before a number is touched: whether it can, whether it pays, with which tiles, how many at
a time. winograd.py does it.

A volume is convolved slice by slice: with x[d] the slices of the input along the depth and w[k] those of the kernel,

    y[o] = sum over k of conv2d(x[o + k dilation - before], w[k]).

The maps of Winograd are linear, so the sum can be taken before the last of them, M[o] = sum_k V[o + k dilation - before] U[k].
Each slice is transformed once, and as the slices that tap k meets lie one behind the other, one product serves them all. A plane
is a volume of one slice, and its kernel has one tap along the depth.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from minidil.kernels.geometry import Window

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

    @property
    def per_row(self) -> int:
        """Tiles in a row of them."""
        return self.dilation[1] * self.grid[1]

    @property
    def rows(self) -> int:
        """Rows of tiles in an image."""
        return self.dilation[0] * self.grid[0]


class Plan(NamedTuple):
    """A convolution with K x 3 x 3 filters and stride 1 of images that are D slices deep; out: the size of a result.

    The slices of all images lie one behind the other, and with them their rows of tiles. A piece is what has to be transformed
    before anything can be multiplied: `rows` rows of tiles, which give `out_rows` of the results. For a plane it is one row, for
    a volume a whole image.
    by_tap: for every tap k along the depth that meets anything, (k, the tiles of a piece that it meets, those of the results
    that it is for).
    """

    tiles: Tiles
    out: tuple[int, ...]
    pieces: int  # in an image
    rows: int
    out_rows: int
    by_tap: tuple[tuple[int, slice, slice], ...]

    @property
    def volume(self) -> bool:
        """Whether several taps may add up to a result."""
        return len(self.out) == 3

    def at_once(self, channels: int, filters: int, passes: int, itemsize: int, most: int) -> int:
        """How many pieces to transform before they are multiplied, of at most `most` that there are: of a volume, one.

        T tiles bring 36 T (C + F) numbers and meet 36 C F of U or dL/dU, which no core's cache holds where the channels are many
        and which are then fetched `passes` times. For these not to cost more than the tiles, T >= passes C F / (C + F).
        """
        if self.volume:
            return 1
        in_cache = _CACHE_BYTES // (36 * (channels + filters) * itemsize)
        count = max(in_cache, _LEAST_TILES, passes * channels * filters // (channels + filters))
        return max(1, min(count // self.tiles.per_row, most))

    def meetings(self, pieces: int) -> tuple[tuple[int, slice, slice], ...]:
        """`by_tap` of so many pieces at once."""
        tiles = slice(0, pieces * self.tiles.per_row)
        return self.by_tap if self.volume else ((0, tiles, tiles),)


def applies(window: Window) -> bool:
    """Whether Winograd can do it: a 3x3 kernel, or any number of such slices, with stride 1, at any dilation and padding."""
    return len(window.size) in (2, 3) and window.kernel[-2:] == (3, 3) and set(window.stride) == {1}


def pays(window: Window, channels: int, filters: int, groups: int) -> bool:
    """Whether it is also the faster way.

    im2col multiplies 9 times per output of a slice (and pair of channels), Winograd 36 times per tile; tiles that hang over the
    edge compute outputs that nobody needs. The transforms cost about as much as the products saved unless half of them are
    saved, and with few channels they cost more than that.
    """
    if not applies(window) or min(channels, filters) < 16 * groups:
        return False
    if groups == 1 and max(channels, filters) == 16:
        return False
    tiles = tiling(window)
    return 2 * 36 * tiles.rows * tiles.per_row <= 9 * math.prod(window.out[-2:])


def tiling(window: Window) -> Tiles:
    """The tiles of the outputs of a plane, or of a slice."""
    return _tiles(window.out, window.dilation, [before for before, _ in window.padding])


def forward_plan(window: Window) -> Plan:
    """The plan of the convolution."""
    return _plan(window, window.size, window.out, [before for before, _ in window.padding])


def backward_plan(window: Window) -> Plan:
    """The plan of dL/dx: what reaches x[i] went through tap k to y[i + before - k d], so with the taps reversed that is a
    convolution of dL/dy, padded by what the kernel reaches beyond `before`."""
    reach = [
        d * (k - 1) - before for d, k, (before, _) in zip(window.dilation, window.kernel, window.padding, strict=True)
    ]
    return _plan(window, window.out, window.size, reach)


def _plan(window: Window, size: tuple[int, ...], out: tuple[int, ...], before: Sequence[int]) -> Plan:
    tiles = _tiles(out, window.dilation, before)
    if len(size) == 2:
        return Plan(tiles, out, tiles.rows, 1, 1, ())
    per_slice, meetings = tiles.rows * tiles.per_row, list[tuple[int, slice, slice]]()
    for k in range(window.kernel[0]):
        shift = k * window.dilation[0] - before[0]
        first, last = max(0, -shift), min(out[0], size[0] - shift)
        if first < last:
            met = slice((first + shift) * per_slice, (last + shift) * per_slice)
            meetings.append((k, met, slice(first * per_slice, last * per_slice)))
    return Plan(tiles, out, 1, size[0] * tiles.rows, out[0] * tiles.rows, tuple(meetings))


def _tiles(out: Sequence[int], dilation: Sequence[int], before: Sequence[int]) -> Tiles:
    """Enough tiles for `out` outputs: a phase has at most ceil(out / d) rows, a tile four of them."""
    rows, columns = (math.ceil(math.ceil(n / d) / 4) for n, d in zip(out[-2:], dilation[-2:], strict=True))
    return Tiles((dilation[-2], dilation[-1]), (before[-2], before[-1]), (rows, columns))
