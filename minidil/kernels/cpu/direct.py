"""Any convolution, read where the image lies: no columns, for any kernel, stride, dilation and number of axes.

phases.py says which numbers a result takes: runs that begin at start(result) + offset(tap) in the image, which has been copied
with its padding if it has any. So the products of im2col need no columns. A tile of R results times a *panel* of filters, which
holds a row for each number of all runs, takes number k of R runs and row k of the panel (registers.py). Its sums stay in
registers over all taps and channels, and are stored once. im2col writes and reads every number of the image once for each tap;
here it is read from the cache, where the last tile has left it.

dL/dw is the product the other way round: for R numbers of a run and a panel of filters, the sum over the positions of
x[start(position) + offset(tap) + number] dL/dy[position].
Source: Zhang, Franchetti & Low 2018, "High performance zero-memory overhead direct convolutions", arXiv:1809.10170.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from minidil.array import Array
from minidil.kernels.cpu import im2col, memory
from minidil.kernels.cpu.finish import PLAIN, Finish, finish, numbers_of
from minidil.kernels.cpu.layout import as_channels, as_rows, compiled, writable
from minidil.kernels.cpu.phases import Reading, backward, forward, three
from minidil.kernels.cpu.registers import (
    ROWS,
    add_to,
    equal_rows,
    lanes,
    multiply_add,
    numbers_at,
    store,
    taken,
    tile_for,
)
from minidil.kernels.geometry import Window
from minidil.kernels.threads import run_sliced

_BLOCK = 512  # results for which a panel is used before the next one is: what they see stays in the cache
_SUMMED = 64  # positions whose products are added up in registers before they are stored
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


def pays_for_weights(window: Window, channels: int, filters: int, groups: int) -> bool:
    """Whether it is the faster way to dL/dw: BLAS wins with one tap, and with many numbers on both sides."""
    return window.taps > 1 and min(channels, filters) < 64 * groups


def conv_forward(x: Array, weight: Array, window: Window, groups: int = 1, bias: Array | None = None) -> Array:
    """x (N, C, *S), weight (F, C/groups, *K) -> (N, F, *O)."""
    filters = weight.shape[0]
    y = memory.empty((len(x), math.prod(window.out), filters), x.dtype)
    convolve(_images(x, window.size), prepare_forward(weight, window, groups, bias), y)
    return as_channels(y.reshape(-1, filters), len(x), window.out)


def conv_grad_input(grad: Array, weight: Array, window: Window, groups: int = 1) -> Array:
    """dL/dx, phase by phase.

    At the border zeros of the padding are multiplied by weights. With an infinite one that would be NaN, where dL/dx has no term.
    """
    if not np.isfinite(weight).all():
        return im2col.conv_grad_input(grad, weight, window, groups)
    channels, prepared = weight.shape[1] * groups, prepare_backward(weight, window, groups)
    whole = reached(prepared) == math.prod(window.size)
    dx = (memory.empty if whole else memory.zeros)((len(grad), math.prod(window.size), channels), grad.dtype)
    convolve(_images(grad, window.out), prepared, dx)
    return as_channels(dx.reshape(-1, channels), len(grad), window.size)


def conv_grad_weight(x: Array, grad: Array, window: Window, groups: int = 1) -> Array:
    """dL/dweight: one partial sum per thread, added in order."""
    channels, filters = x.shape[1] // groups, grad.shape[1]
    each, reading = filters // groups, forward(window, groups)
    source = _images(x, window.size)
    upstream = as_rows(grad).reshape(len(x), math.prod(window.out), filters)
    columns = tile_for(each, x.itemsize)[1]
    wide = len(columns) * lanes(x.itemsize)
    panels = -(-each // wide)

    def work(start: int, stop: int) -> Array:
        total = memory.zeros((groups, panels, window.taps * channels * wide), x.dtype)
        run = reading.joined * channels
        places = reading.before, reading.padded, reading.starts, reading.offsets
        _weight_sums(source, _room(source, reading), *places, run, upstream, total, start, stop, (0,) * ROWS, columns)
        return total

    total = np.asarray(sum(run_sliced(work, len(x) * len(reading.starts))))
    by_filter = total.reshape(groups, panels, window.taps, channels, wide).transpose(0, 1, 4, 3, 2)
    by_filter = by_filter.reshape(groups, panels * wide, channels, window.taps)[:, :each]
    return np.ascontiguousarray(by_filter).reshape(filters, channels, *window.kernel)


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
    rows, columns = tile_for(each, matrix.itemsize)
    wide = len(columns) * lanes(matrix.itemsize)
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
    for phase, panels in zip(prepared.phases, prepared.panels, strict=True):

        def work(start: int, stop: int, phase: Reading = phase, panels: Array = panels) -> None:
            run, room = phase.joined * prepared.depth, _room(source, phase)
            places = phase.before, phase.padded, phase.starts, phase.offsets
            weights, tile = (run, panels, prepared.bias), (prepared.rows, prepared.columns)
            _correlate(source, room, *places, *weights, y, phase.places, start, stop, *tile, added, low, high)

        run_sliced(work, len(source) * len(phase.places))


def _images(x: Array, size: tuple[int, ...]) -> Array:
    """(N, C, *size) -> (N, D, H, W, C), contiguous."""
    return as_rows(x).reshape(len(x), *three(size), x.shape[1])


def _panels(matrix: Array, taps: Array, wide: int) -> Array:
    """(groups, all taps, depth, F) -> (groups, panels, taps * depth * wide): `wide` filters at a time, zeros after the last."""
    groups, _, depth, each = matrix.shape
    panels = memory.zeros((groups, -(-each // wide), len(taps) * depth * wide), matrix.dtype)
    _fill_panels(writable(matrix), taps, panels, wide)
    return panels


def _room(source: Array, reading: Reading) -> Array:
    """For an image with its padding; of size 0 if it needs none."""
    needed = reading.padded != source.shape[1:4]
    return memory.empty((math.prod(reading.padded) * source.shape[4] if needed else 0,), source.dtype)


@compiled
def _fill_panels(matrix: Array, taps: Array, panels: Array, wide: int) -> None:
    groups, _, depth, each = matrix.shape
    for g in range(groups):
        for f in range(each):
            panel, at = panels[g, f // wide], f % wide
            for c in range(depth):
                for t in range(len(taps)):
                    panel[(t * depth + c) * wide + at] = matrix[g, taps[t], c, f]


@compiled
def _padded_copy(image: Array, room: Array, before: Any, padded: Any) -> None:
    """Write image (D, H, W, C) into the room, of size `padded`, with zeros around it."""
    depth, height, width, channels = image.shape
    line = padded[2] * channels
    first, count = before[2] * channels, width * channels
    for d in range(padded[0]):
        for h in range(padded[1]):
            at = (d * padded[1] + h) * line
            inside = 0 <= d - before[0] < depth and 0 <= h - before[1] < height
            if not inside:
                room[at : at + line] = 0
                continue
            row = image[d - before[0], h - before[1]].reshape(count)
            room[at : at + first] = 0
            for i in range(count):
                room[at + first + i] = row[i]
            room[at + first + count : at + line] = 0


@compiled
def _source(x: Array, image: int, room: Array, before: Any, padded: Any) -> tuple[Array, int]:
    """A flat array that holds the image with its padding, and where in it the image begins."""
    if room.size > 0:
        _padded_copy(x[image], room, before, padded)
        return room, 0
    return x.reshape(x.size), image * (x.size // len(x))


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
        source, base = _source(x, image, room, before, padded)
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
    count, wide = len(starts), len(bias)
    spare, lines = np.empty(len(rows) * wide, y.dtype), np.arange(len(rows))
    for p in range(0, count, len(rows)):
        seen = taken(starts, p, count, rows)  # the last position more than once, if they are no multiple of the rows
        tile = equal_rows(bias, 0, rows, columns)
        at = 0
        for t in range(len(offsets)):
            here = numbers_at(seen, offsets[t], channels, origin)
            for k in range(run):
                tile = multiply_add(tile, source, here, k, panel, at)
                at += wide
        if used == wide:
            store(tile, y, numbers_at(taken(places, p, count, rows), 0, filters, to))
        else:
            store(tile, spare, numbers_at(taken(lines, 0, len(rows), rows), 0, wide, 0))
            for i in range(min(len(rows), count - p)):
                for f in range(used):
                    y[to + places[p + i] * filters + f] = spare[i * wide + f]


@compiled
def _weight_sums(
    x: Array,
    room: Array,
    before: Any,
    padded: Any,
    starts: Array,
    offsets: Array,
    run: int,
    grad: Array,
    total: Array,
    first: int,
    last: int,
    rows: Any,
    columns: Any,
) -> None:
    """total (groups, panels, runs * run * wide) += the sums over the positions first..last, counted over all images."""
    count, channels, filters = len(starts), x.shape[4], grad.shape[2]
    groups, panels, size = total.shape
    each, wide = filters // groups, size // (len(offsets) * run)
    upstream, own = grad.reshape(grad.size), np.zeros(_SUMMED * wide, x.dtype)
    for image in range(first // count, (last - 1) // count + 1):
        source, base = _source(x, image, room, before, padded)
        begin, end = max(first - image * count, 0), min(last - image * count, count)
        for block in range(begin, end, _SUMMED):
            seen = starts[block : min(block + _SUMMED, end)]
            for g in range(groups):
                for j in range(panels):
                    at = ((image * count + block) * groups + g) * each + j * wide
                    _gather_panel(upstream, at, filters, len(seen), own, min(each - j * wide, wide), columns)
                    for t in range(len(offsets)):
                        origin = base + offsets[t] * channels + g * (channels // groups)
                        part = total[g, j, t * run * wide : (t + 1) * run * wide]
                        _add_products(source, origin, channels, seen, run, own, part, rows, columns)


@compiled
def _gather_panel(upstream: Array, at: int, filters: int, count: int, own: Array, used: int, columns: Any) -> None:
    """The panel's numbers at `count` positions, one after the other, so that their cache lines are not in each other's way."""
    wide = len(own) // _SUMMED
    for p in range(count):
        if used == wide:
            store(equal_rows(upstream, at + p * filters, (0,), columns), own, (p * wide,))
        else:
            for f in range(used):
                own[p * wide + f] = upstream[at + p * filters + f]
            own[p * wide + used : (p + 1) * wide] = 0


@compiled
def _add_products(
    source: Array,
    origin: int,
    channels: int,
    starts: Array,
    run: int,
    own: Array,
    total: Array,
    rows: Any,
    columns: Any,
) -> None:
    """total[n] += the sum over positions p of number n of the run that begins at starts[p] times the panel at p."""
    wide, whole = len(total) // run, run // len(rows) * len(rows)
    nothing, lines = np.zeros(wide, total.dtype), np.arange(max(run, len(rows)))
    for n in range(0, whole, len(rows)):
        tile = equal_rows(nothing, 0, rows, columns)
        for p in range(len(starts)):
            at = starts[p] * channels + origin + n
            tile = multiply_add(tile, source, (0, 1, 2, 3, 4, 5), at, own, p * wide)
        add_to(tile, total, numbers_at(taken(lines, n, run, rows), 0, wide, 0))
    if whole < run:
        rest = taken(lines, whole, run, rows)  # the last number more than once, which is not added
        tile, spare = equal_rows(nothing, 0, rows, columns), np.empty(len(rows) * wide, total.dtype)
        for p in range(len(starts)):
            tile = multiply_add(tile, source, rest, starts[p] * channels + origin, own, p * wide)
        store(tile, spare, numbers_at(taken(lines, 0, len(rows), rows), 0, wide, 0))
        for i in range((run - whole) * wide):
            total[whole * wide + i] += spare[i]
