"""3x3 convolution in whole numbers with fewer multiplications, and exact: the maps of integer_tiles.py around matrix products."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from minidil.array import Array
from minidil.kernels.cpu import memory, two_by_two
from minidil.kernels.cpu.filters import transformed
from minidil.kernels.cpu.integer import LONG, SHORT, Residual, end_rows, numbers_of, packed, padded_copy, sums_of_pairs
from minidil.kernels.cpu.integer_tiles import (
    BOUND,
    FILTER,
    four_by_four_inputs,
    four_by_four_outputs,
    two_by_two_inputs,
    two_by_two_outputs,
)
from minidil.kernels.cpu.layout import compiled
from minidil.kernels.cpu.registers import tile_for
from minidil.kernels.cpu.winograd_plan import tiling
from minidil.kernels.geometry import Window
from minidil.kernels.reference.integer import Requantise
from minidil.kernels.threads import run_sliced, sharers

_CACHE_BYTES = 1 << 19  # of V and M at a time
_LEAST_TILES = 36  # for fewer, fetching the filters takes longer than multiplying by them
_FEW = 32  # tiles: for fewer, threads share the filters


class Prepared(NamedTuple):
    """panels (36 or 9, panels, pairs * wide * 2): U. corners (T, 2): the first output of each tile of an image.

    apart: rows and columns between neighbours in a tile. before, padded: as in `phases.Reading`.
    """

    panels: Array
    corners: Array
    apart: tuple[int, int]
    before: tuple[int, int, int]
    padded: tuple[int, int, int]
    filters: int
    channels: int
    rows: tuple[int, ...]
    columns: tuple[int, ...]


def is_exact(weight: Array) -> bool:
    """Whether 255 sum |w| < 2^25 for each filter, so that F(4x4, 3x3) is exact whatever the image is."""
    sums = np.abs(weight.astype(np.int64)).reshape(len(weight), -1).sum(axis=1)
    return bool((255 * sums < BOUND).all())


def prepare_four_by_four(weight: Array, window: Window) -> Prepared:
    """F(4x4, 3x3) with filters (F, C, 3, 3), int8, for which `is_exact`, and a window that `winograd_plan.applies` to."""
    tiles = tiling(window)
    tops, lefts = (
        np.array([phase + 4 * n * d for phase in range(d) for n in range(grid) if phase + 4 * n * d < out], np.int64)
        for d, grid, out in zip(tiles.dilation, tiles.grid, window.out, strict=True)
    )
    reached = [int(starts[-1]) for starts in (np.sort(tops), np.sort(lefts))]
    height, width = (most + 5 * d + 1 for most, d in zip(reached, tiles.dilation, strict=True))
    return _prepare(weight, FILTER, tops, lefts, tiles.dilation, tiles.before, (height, width))


def prepare_two_by_two(weight: Array, window: Window) -> Prepared:
    """For a window with two rows and columns in each phase: `two_by_two.applies`."""
    rows, columns = window.dilation
    return _prepare(
        weight,
        two_by_two.FILTER,
        np.arange(rows),
        np.arange(columns),
        (rows, columns),
        (0, 0),
        (2 * rows, 2 * columns),
    )


def _prepare(
    weight: Array,
    matrix: Array,
    tops: Array,
    lefts: Array,
    apart: tuple[int, int],
    before: tuple[int, int],
    padded: tuple[int, int],
) -> Prepared:
    filters, channels = weight.shape[:2]
    rows, columns = tile_for(filters, 4)
    whole = -(-channels // SHORT) * SHORT  # a register more than it needs is read of an image, and multiplied by 0
    places = transformed(weight.astype(np.float32), matrix)  # whole numbers below 2^24: nothing is rounded
    filled = np.zeros((len(places), whole, filters), np.int16)
    filled[:, :channels] = places
    corners = np.stack(np.meshgrid(tops, lefts, indexing="ij"), axis=-1).reshape(-1, 2)
    panels = packed(filled, len(columns) * LONG)
    return Prepared(panels, corners, apart, (0, *before), (1, *padded), filters, whole, rows, columns)


def convolve(
    x: Array, zero: int, prepared: Prepared, ending: Requantise, y: Array, residual: Residual | None = None
) -> None:
    """Fill y (N, H, W, F), uint8, with what becomes of x (N, H, W, C), uint8."""
    tiles, following, count = len(x) * len(prepared.corners), numbers_of(ending, residual), prepared.panels.shape[1]

    def work(start: int, stop: int, first: int = 0, last: int = count) -> None:
        places, wide = len(prepared.panels), len(prepared.columns) * LONG
        width = (last - first) * wide
        in_cache = _CACHE_BYTES // (places * (2 * prepared.channels + 4 * width))
        step = min(max(in_cache, _LEAST_TILES), stop - start)
        every = step | 1  # an odd number, so that not all places fall on the same lines of the cache
        room = memory.empty((prepared.padded[1] * prepared.padded[2] * x.shape[3] + SHORT,), np.int16)
        inputs = memory.empty((places, every, prepared.channels), np.int16)
        products = memory.empty((places, every, width), np.int32)
        geometry = prepared.before, prepared.padded, prepared.corners, prepared.apart
        share = start, stop, step, first, last
        tile = prepared.rows, prepared.columns
        _convolve(x, zero, room, *geometry, prepared.panels, inputs, products, y, *share, *tile, *following)

    if tiles <= _FEW and sharers() > 1:
        run_sliced(lambda first, last: work(0, tiles, first, last), count)
    else:
        run_sliced(work, tiles)


@compiled
def _convolve(
    x: Array,
    zero: int,
    room: Array,
    before: Any,
    padded: Any,
    corners: Array,
    apart: Any,
    panels: Array,
    inputs: Array,
    products: Array,
    y: Array,
    start: int,
    stop: int,
    step: int,
    first: int,
    last: int,
    rows: Any,
    columns: Any,
    bias: Array,
    multiplier: Array,
    y_zero: Any,
    low: Any,
    high: Any,
    residual: Array,
    residual_zero: Any,
    residual_multiplier: Any,
) -> None:
    """Tiles start..stop, counted over all images, and the filters of panels first..last."""
    channels = x.shape[3]
    places, every, depth = inputs.shape
    count, filters, share = len(corners), y.shape[3], products.shape[2]
    wide = share // (last - first)
    down, across = apart[0] * padded[2] * channels, apart[1] * channels
    image_of_room, out = -1, y.reshape(y.size)
    numbers, nowhere = np.arange(step), np.zeros(1, np.int64)
    source, into = inputs.reshape(inputs.size), products.reshape(products.size)
    side = 4 if places == 36 else 2
    sums, to = np.empty((side * side, share), np.int32), np.empty(side * side, np.int64)
    begin, end = first * wide, min(last * wide, filters)
    for tile in range(start, stop, step):
        seen = numbers[: min(step, stop - tile)]
        for t in seen:
            image, n = (tile + t) // count, (tile + t) % count
            if image != image_of_room:
                padded_copy(x[image : image + 1], zero, room, before, padded)
                image_of_room = image
            at = (corners[n, 0] * padded[2] + corners[n, 1]) * channels
            if places == 36:
                four_by_four_inputs(room, at, down, across, inputs, t)
            else:
                two_by_two_inputs(room, at, down, across, inputs, t)
        for place in range(places):
            for j in range(first, last):
                sums_of_pairs(
                    source,
                    place * every * depth,
                    depth,
                    seen,
                    nowhere,
                    depth,
                    panels[place, j],
                    into,
                    place * every * share + (j - first) * wide,
                    share,
                    rows,
                    columns,
                )
        for t in seen:
            image, n = (tile + t) // count, (tile + t) % count
            if places == 36:
                four_by_four_outputs(products, t, sums)
            else:
                two_by_two_outputs(products, t, sums)
            for i in range(side):
                for j in range(side):
                    row, column = corners[n, 0] + i * apart[0], corners[n, 1] + j * apart[1]
                    inside = row < y.shape[1] and column < y.shape[2]
                    to[side * i + j] = ((image * y.shape[1] + row) * y.shape[2] + column) * filters if inside else -1
            end_rows(
                sums,
                0,
                out,
                to,
                begin,
                end,
                bias,
                multiplier,
                y_zero,
                low,
                high,
                residual,
                residual_zero,
                residual_multiplier,
            )
