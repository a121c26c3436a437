"""Any convolution, read where the image lies: no columns, for any kernel, stride, dilation and number of axes.

phases.py says which numbers a result takes: runs that begin at start(result) + offset(tap) in the image, which has been copied
with its padding if it has any. So the products of im2col need no columns. A tile of R results times a *panel* of filters, which
holds a row for each number of all runs, takes number k of R runs and row k of the panel (registers.py). Its sums stay in
registers over all taps and channels, and are stored once. im2col writes and reads every number of the image once for each tap;
here it is read from the cache, where the last tile has left it.

dL/dw, the product the other way round, is in direct_weight.py.
Source: Zhang, Franchetti & Low 2018, "High performance zero-memory overhead direct convolutions", arXiv:1809.10170.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from minidil.array import Array
from minidil.kernels.cpu import im2col, memory
from minidil.kernels.cpu.ahead import LINE_BYTES, fetch, fetch_to_write
from minidil.kernels.cpu.direct_weight import conv_grad_weight, pays_for_weights
from minidil.kernels.cpu.finish import PLAIN, Finish, finish, numbers_of
from minidil.kernels.cpu.layout import as_channels, compiled, writable
from minidil.kernels.cpu.padded import as_one, images_of, room_for, source_of, with_padding
from minidil.kernels.cpu.phases import Reading, backward, forward
from minidil.kernels.cpu.registers import (
    equal_rows,
    multiply_add,
    numbers_at,
    store,
    taken,
    tile_or_half_for,
    width_of,
)
from minidil.kernels.geometry import Window
from minidil.kernels.threads import run_sliced

__all__ = [
    "Prepared",
    "conv_forward",
    "conv_grad_input",
    "conv_grad_weight",
    "convolve",
    "panel_of_results",
    "pays",
    "pays_for_weights",
    "prepare_backward",
    "prepare_forward",
    "reached",
]

_BLOCK = 512  # results for which a panel is used before the next one is: what they see stays in the cache
_CACHE_BYTES = 1 << 22  # a batch of no more is padded once for all phases; else each of them pads image after image
_FEW = 1024  # of a phase: for fewer results, filling the panels takes longer than making columns


class Prepared(NamedTuple):
    """Filters in panels, one array for each phase of reading, and the bias in as many; rows, columns: of a tile."""

    phases: tuple[Reading, ...]
    panels: tuple[Array, ...]
    bias: Array
    filters: int
    depth: int
    rows: tuple[int, ...]
    columns: tuple[int, ...]


def pays(results: int, numbers: int, window: Window, groups: int) -> bool:
    """Whether it is the faster way to make `numbers` numbers at each of so many places of a batch.

    A vector that is not full wastes its lanes; im2col has loops of its own for the three numbers of a colour.
    """
    each = numbers // groups
    filled = each >= 8 or (each != 3 and max(window.stride) == 1)
    return filled and results >= _FEW * math.prod(window.stride)


def conv_forward(x: Array, weight: Array, window: Window, groups: int = 1, bias: Array | None = None) -> Array:
    """x (N, C, *S), weight (F, C/groups, *K) -> (N, F, *O)."""
    filters = weight.shape[0]
    y = memory.empty((len(x), math.prod(window.out), filters), x.dtype)
    source, along = as_one(images_of(x, window.size), window)
    convolve(
        source, prepare_forward(weight, along, groups, bias), y.reshape(len(source), math.prod(along.out), filters)
    )
    return as_channels(y.reshape(-1, filters), len(x), window.out)


def conv_grad_input(grad: Array, weight: Array, window: Window, groups: int = 1) -> Array:
    """dL/dx, phase by phase.

    At the border zeros of the padding are multiplied by weights. With an infinite one that would be NaN, where dL/dx has no term.
    """
    if not np.isfinite(weight).all():
        return im2col.conv_grad_input(grad, weight, window, groups)
    upstream, along = as_one(images_of(grad, window.out), window)
    channels, prepared = weight.shape[1] * groups, prepare_backward(weight, along, groups)
    whole = reached(prepared) == math.prod(along.size)
    dx = (memory.empty if whole else memory.zeros)((len(grad), math.prod(window.size), channels), grad.dtype)
    convolve(upstream, prepared, dx.reshape(len(upstream), math.prod(along.size), channels))
    return as_channels(dx.reshape(-1, channels), len(grad), window.size)


def prepare_forward(weight: Array, window: Window, groups: int, bias: Array | None = None) -> Prepared:
    """What `convolve` needs for the convolution with weight (F, C/groups, *K), made once for as many inputs as there are."""
    filters, channels = weight.shape[:2]
    matrix = weight.reshape(groups, filters // groups, channels, window.taps).transpose(0, 3, 2, 1)
    return _prepare(matrix, np.zeros(filters, weight.dtype) if bias is None else bias, (forward(window, groups),))


def prepare_backward(weight: Array, window: Window, groups: int, bias: Array | None = None) -> Prepared:
    """The same for dL/dx, or a transposed convolution, whose results have a bias."""
    filters, channels = weight.shape[:2]
    matrix = weight.reshape(groups, filters // groups, channels, window.taps).transpose(0, 3, 1, 2)
    offset = np.zeros(channels * groups, weight.dtype) if bias is None else bias
    return _prepare(matrix, offset, backward(window, groups))


def _prepare(matrix: Array, bias: Array, phases: tuple[Reading, ...]) -> Prepared:
    """matrix (groups, taps, C/groups, F/groups)."""
    groups, _, depth, each = matrix.shape
    rows, columns = tile_or_half_for(each, matrix.itemsize)
    wide = width_of(columns, matrix.itemsize)
    panels = tuple(_panels(matrix, phase.taps, wide) for phase in phases)
    offset = _panels(bias.reshape(groups, 1, 1, each), np.zeros(1, np.int64), wide)
    return Prepared(phases, panels, offset, groups * each, depth, rows, columns)


def reached(prepared: Prepared) -> int:
    """How many places of an image get a result; `convolve` leaves the others as they are."""
    return sum(len(phase.places) for phase in prepared.phases)


def convolve(
    source: Array,
    prepared: Prepared,
    y: Array,
    ending: Finish = PLAIN,
    residual: Array | None = None,
) -> None:
    """Fill y (N, places, F) with the convolutions of the source (N, D, H, W, C), plus a residual like y, finished."""
    low, high, added = numbers_of(ending, residual, y)
    if len(prepared.phases) > 1 and source.nbytes <= _CACHE_BYTES:
        source = with_padding(source, prepared.phases[0])
    for phase, panels in zip(prepared.phases, prepared.panels, strict=True):

        def work(start: int, stop: int, phase: Reading = phase, panels: Array = panels) -> None:
            run, room = phase.joined * prepared.depth, room_for(source, phase)
            places = phase.before, phase.padded, phase.starts, phase.offsets
            weights, tile = (run, panels, prepared.bias), (prepared.rows, prepared.columns)
            _correlate(source, room, *places, *weights, y, phase.places, start, stop, *tile, added, low, high)

        run_sliced(work, len(source) * len(phase.places))


def _panels(matrix: Array, taps: Array, wide: int) -> Array:
    """(groups, all taps, depth, F) -> (groups, panels, taps * depth * wide): `wide` filters at a time, zeros after the last."""
    groups, _, depth, each = matrix.shape
    panels = memory.zeros((groups, -(-each // wide), len(taps) * depth * wide), matrix.dtype)
    _fill_panels(writable(matrix), taps, panels, wide)
    return panels


@compiled
def _fill_panels(matrix: Array, taps: Array, panels: Array, wide: int) -> None:
    groups, _, depth, each = matrix.shape
    for g in range(groups):
        for j in range(panels.shape[1]):
            first, used = j * wide, min(wide, each - j * wide)
            for t in range(len(taps)):
                for c in range(depth):
                    at = (t * depth + c) * wide
                    row, filters = panels[g, j, at : at + used], matrix[g, taps[t], c, first : first + used]
                    for f in range(used):
                        row[f] = filters[f]


@compiled
def _correlate(
    x: Array,
    room: Array,
    before: Any,
    padded: Any,
    starts: Array,
    offsets: Array,
    run: int,
    panels: Array,
    bias: Array,
    y: Array,
    places: Array,
    first: int,
    last: int,
    rows: Any,
    columns: Any,
    residual: Array,
    low: Any,
    high: Any,
) -> None:
    """Results first..last, counted over all images: y[place] = bias + the sum over runs of the source times the panels.

    A block of them is finished (finish.py) while it is in the cache.
    """
    count, filters = len(places), y.shape[2]
    groups, per_group, _ = panels.shape
    each, wide, channels = filters // groups, bias.shape[2], x.shape[4]
    for image in range(first // count, (last - 1) // count + 1):
        source, base = source_of(x, image, room, before, padded)
        begin, end = max(first - image * count, 0), min(last - image * count, count)
        for block in range(begin, end, _BLOCK):
            stop = min(block + _BLOCK, end)
            for g in range(groups):
                origin = base + g * (channels // groups)
                for j in range(per_group):
                    to = (image * y.shape[1] * groups + g) * each + j * wide
                    panel_of_results(
                        source,
                        origin,
                        channels,
                        starts[block:stop],
                        offsets,
                        run,
                        panels[g, j],
                        bias[g, j],
                        y.reshape(y.size),
                        to,
                        filters,
                        places[block:stop],
                        min(each - j * wide, wide),
                        rows,
                        columns,
                    )
            if residual.size > 0 or low > -np.inf or high < np.inf:
                for p in range(block, stop):
                    at = (image * y.shape[1] + places[p]) * filters
                    finish(y.reshape(y.size), at, filters, residual, low, high)


@compiled
def panel_of_results(
    source: Array,
    origin: int,
    channels: int,
    starts: Array,
    offsets: Array,
    run: int,
    panel: Array,
    bias: Array,
    y: Array,
    to: int,
    filters: int,
    places: Array,
    used: int,
    rows: Any,
    columns: Any,
) -> None:
    """The first `used` filters of a panel at all these places, tile by tile."""
    count, wide, line = len(starts), len(bias), LINE_BYTES // y.itemsize
    asking = len(columns) > 1  # else there is too little to do until the lines come
    step = line if asking else run
    spare, lines = np.empty(len(rows) * wide, y.dtype), np.arange(len(rows))
    for p in range(0, count, len(rows)):
        # The last position is taken more than once, if they are no multiple of the rows.
        here = numbers_at(taken(starts, p, count, rows), 0, channels, origin)
        ahead = numbers_at(taken(starts, p + len(rows), count, rows), 0, channels, origin)
        there = numbers_at(taken(places, p, count, rows), 0, filters, to)
        tile = equal_rows(bias, 0, rows, columns)
        at = asked = 0
        for t in range(len(offsets)):
            first = offsets[t] * channels
            for part in range(first, first + run, step):
                if asking:
                    fetch(source, ahead, part)
                if asking and asked < used:
                    fetch_to_write(y, there, asked)
                    asked += line
                for k in range(part, min(part + step, first + run)):
                    tile = multiply_add(tile, source, here, k, panel, at)
                    at += wide
        if used == wide:
            store(tile, y, there)
        else:
            store(tile, spare, numbers_at(taken(lines, 0, len(rows), rows), 0, wide, 0))
            for i in range(min(len(rows), count - p)):
                for f in range(used):
                    y[to + places[p + i] * filters + f] = spare[i * wide + f]
