"""dL/dw of any convolution, in registers: the product of direct.py the other way round.

For R numbers of a run and a panel of filters it is the sum over the positions of

    x[start(position) + offset(tap) + number] dL/dy[position].
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from minidil.array import Array
from minidil.kernels.cpu import memory
from minidil.kernels.cpu.layout import as_rows, compiled
from minidil.kernels.cpu.padded import images_of, room_for, source_of
from minidil.kernels.cpu.phases import forward
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

_SUMMED = 64  # positions whose products are added up in registers before they are stored


def pays_for_weights(window: Window, channels: int, filters: int, groups: int) -> bool:
    """Whether it is the faster way to dL/dw: BLAS wins with one tap, and with many numbers on both sides."""
    return window.taps > 1 and min(channels, filters) < 64 * groups


def conv_grad_weight(x: Array, grad: Array, window: Window, groups: int = 1) -> Array:
    """dL/dweight: one partial sum per thread, added in order."""
    channels, filters = x.shape[1] // groups, grad.shape[1]
    each, reading = filters // groups, forward(window, groups)
    source = images_of(x, window.size)
    upstream = as_rows(grad).reshape(len(x), math.prod(window.out), filters)
    columns = tile_for(each, x.itemsize)[1]
    wide = len(columns) * lanes(x.itemsize)
    panels = -(-each // wide)

    def work(start: int, stop: int) -> Array:
        total = memory.zeros((groups, panels, window.taps * channels * wide), x.dtype)
        run = reading.joined * channels
        places = reading.before, reading.padded, reading.starts, reading.offsets
        _weight_sums(
            source, room_for(source, reading), *places, run, upstream, total, start, stop, (0,) * ROWS, columns
        )
        return total

    total = np.asarray(sum(run_sliced(work, len(x) * len(reading.starts))))
    by_filter = total.reshape(groups, panels, window.taps, channels, wide).transpose(0, 1, 4, 3, 2)
    by_filter = by_filter.reshape(groups, panels * wide, channels, window.taps)[:, :each]
    return np.ascontiguousarray(by_filter).reshape(filters, channels, *window.kernel)


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
        source, base = source_of(x, image, room, before, padded)
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
