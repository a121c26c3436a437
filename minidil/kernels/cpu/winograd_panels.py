"""Winograd's convolution of planes with its 36 products in registers.

The filters are transformed into panels of a few registers' width, as direct.py packs its own, so that a tile of results takes
numbers of V and rows of a panel with nothing in between: BLAS would pack its right operand for each few tiles again. All that a
thread does, from the image to the finished result, is one call of compiled code. Where the filters stay, as in a plan for
inference, they are transformed once.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from minidil.array import Array
from minidil.kernels.cpu import memory, scale
from minidil.kernels.cpu.direct import panel_of_results
from minidil.kernels.cpu.filters import in_panels
from minidil.kernels.cpu.finish import PLAIN, Finish, finish, numbers_of
from minidil.kernels.cpu.layout import compiled
from minidil.kernels.cpu.registers import lanes, tile_for
from minidil.kernels.cpu.winograd_plan import Plan
from minidil.kernels.cpu.winograd_tiles import FILTER, MIXED, input_tiles, output_tiles
from minidil.kernels.threads import run_sliced, sharers

_FEW = 32  # tiles: for fewer, threads share the filters, since each would fetch all of them for a few tiles


class Panels(NamedTuple):
    """U in panels (36, groups, panels of a group, C/groups * wide); rows, columns: of a tile."""

    panels: Array
    filters: int
    rows: tuple[int, ...]
    columns: tuple[int, ...]


def prepare(weight: Array, groups: int) -> Panels | None:
    """Of filters (F, C/groups, 3, 3); None if one is not finite or too large to be mixed with others."""
    filters = len(weight)
    rows, columns = tile_for(filters // groups, weight.itemsize)
    panels = in_panels(weight, FILTER, groups, len(columns) * lanes(weight.itemsize))
    if not scale.finite(panels[MIXED]):
        return None
    return Panels(panels.reshape(*panels.shape[:3], -1), filters, rows, columns)


def convolve(
    source: Array,
    prepared: Panels,
    plan: Plan,
    bias: Array,
    y: Array,
    ending: Finish = PLAIN,
    residual: Array | None = None,
    least: int = scale.OUTLYING,
) -> Array:
    """Fill y (N, H, W, F) with the convolutions of the source (N, H, W, C), plus a residual like y, finished.

    Returns: the numbers of the images with a fault of at least that kind (scale.py); y is of no use for them.
    """
    images, _, _, channels = source.shape
    tiles, pieces = plan.tiles, images * plan.pieces
    noted = scale.notes(pieces, y.dtype)
    low, high, added = numbers_of(ending, residual, y)
    if pieces * tiles.per_row <= _FEW and sharers() > 1:
        _by_filters(source, prepared, plan, bias, y, noted, (added, low, high))
        return scale.unfit(noted, images, scale.INPUT_GAIN, least)

    def work(start: int, stop: int) -> None:
        step = plan.at_once(channels, prepared.filters, 1, y.itemsize, stop - start)
        inputs = memory.empty((36, step * tiles.per_row, channels), y.dtype)
        products = memory.empty((36, step * tiles.per_row, prepared.filters), y.dtype)
        places = start, stop, step, tiles.dilation, tiles.before, tiles.grid
        tile = prepared.rows, prepared.columns
        _convolve(source, prepared.panels, bias, y, noted, inputs, products, *places, *tile, added, low, high)

    run_sliced(work, pieces)
    return scale.unfit(noted, images, scale.INPUT_GAIN, least)


def _by_filters(
    source: Array, prepared: Panels, plan: Plan, bias: Array, y: Array, noted: Array, following: tuple[Any, ...]
) -> None:
    """All tiles at once; of the products, which are most of the work, each thread makes those with its share of the filters."""
    tiles, pieces = plan.tiles, len(source) * plan.pieces
    numbers = np.arange(pieces * tiles.per_row)
    inputs = memory.empty((36, len(numbers), source.shape[3]), y.dtype)
    products = memory.empty((36, len(numbers), prepared.filters), y.dtype)
    input_tiles(source, inputs, noted, 0, pieces, *tiles)
    panels, tile = prepared.panels, (prepared.rows, prepared.columns)
    run_sliced(lambda a, b: _multiply(inputs, panels, products, numbers, *tile, a, b), panels.shape[2])
    output_tiles(products, y, bias, 0, pieces, tiles.dilation, tiles.grid)
    _finish_rows(y, 0, pieces, tiles.dilation[0], tiles.grid[0], *following)


@compiled
def _convolve(
    x: Array,
    panels: Array,
    bias: Array,
    y: Array,
    noted: Array,
    inputs: Array,
    products: Array,
    start: int,
    stop: int,
    step: int,
    dilation: Any,
    before: Any,
    grid: Any,
    rows: Any,
    columns: Any,
    residual: Array,
    low: Any,
    high: Any,
) -> None:
    """The rows of tiles start..stop, `step` of them at a time."""
    per_row = dilation[1] * grid[1]
    numbers = np.arange(inputs.shape[1])
    for first in range(start, stop, step):
        last = min(first + step, stop)
        input_tiles(x, inputs, noted, first, last, dilation, before, grid)
        _multiply(inputs, panels, products, numbers[: (last - first) * per_row], rows, columns, 0, panels.shape[2])
        output_tiles(products, y, bias, first, last, dilation, grid)
        if residual.size > 0 or low > -np.inf or high < np.inf:
            _finish_rows(y, first, last, dilation[0], grid[0], residual, low, high)


@compiled
def _multiply(
    inputs: Array, panels: Array, products: Array, tiles: Array, rows: Any, columns: Any, start: int, stop: int
) -> None:
    """products[place, tile] = inputs[place, tile] U[place] at each of the 36 places, for panels start..stop of every group."""
    _, groups, _, size = panels.shape
    every, channels = inputs.shape[1:]
    filters = products.shape[2]
    depth, each = channels // groups, filters // groups
    wide, nowhere = size // depth, np.zeros(1, np.int64)
    nothing = np.zeros(wide, products.dtype)
    source, into = inputs.reshape(inputs.size), products.reshape(products.size)
    for place in range(36):
        for g in range(groups):
            for j in range(start, stop):
                panel_of_results(
                    source,
                    place * every * channels + g * depth,
                    channels,
                    tiles,
                    nowhere,
                    depth,
                    panels[place, g, j],
                    nothing,
                    into,
                    place * every * filters + g * each + j * wide,
                    filters,
                    tiles,
                    min(each - j * wide, wide),
                    rows,
                    columns,
                )


@compiled
def _finish_rows(
    y: Array, first: int, last: int, dilation: int, rows: int, residual: Array, low: Any, high: Any
) -> None:
    """Finish the rows of pixels that the rows of tiles first..last gave."""
    _, height, width, filters = y.shape
    line = y.reshape(y.size)
    for r in range(first, last):
        rest = r // rows
        top = rest % dilation + 4 * (r % rows) * dilation
        for i in range(4):
            row = top + i * dilation
            if row < height:
                at = (rest // dilation * height + row) * width * filters
                finish(line, at, width * filters, residual, low, high)
