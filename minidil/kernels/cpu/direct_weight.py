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
from minidil.kernels.cpu.ahead import fetch_rows_for_later
from minidil.kernels.cpu.layout import as_rows, compiled
from minidil.kernels.cpu.padded import as_one, images_of, room_for, source_of
from minidil.kernels.cpu.phases import forward
from minidil.kernels.cpu.registers import (
    BYTES,
    add_to,
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

_SUMMED = 64  # positions whose products are added up in registers before they are stored
_MANY = 1024  # of them; for fewer, BLAS has less to arrange


def pays_for_weights(window: Window, channels: int, filters: int, groups: int, summed: int, itemsize: int) -> bool:
    """Whether it is the faster way to dL/dw, a sum over so many positions of a batch.

    BLAS wins with one tap, and with many numbers on both sides. With registers as wide as those of AVX-512 it does so only for
    a short sum, or for filters that do not fill a panel.
    """
    if window.taps > 1 and min(channels, filters) < 64 * groups:
        return True
    each = filters // groups
    filled = each % width_of(tile_or_half_for(each, itemsize)[1], itemsize) == 0
    return BYTES == 64 and filled and summed >= max(_MANY, 8 * channels, 8 * filters)


def conv_grad_weight(x: Array, grad: Array, window: Window, groups: int = 1) -> Array:
    """dL/dweight: one partial sum per thread, added in order."""
    channels, filters = x.shape[1] // groups, grad.shape[1]
    source, along = as_one(images_of(x, window.size), window)
    each, reading = filters // groups, forward(along, groups)
    upstream = as_rows(grad).reshape(len(source), math.prod(along.out), filters)
    tile = tile_or_half_for(each, x.itemsize)
    wide = width_of(tile[1], x.itemsize)
    panels = -(-each // wide)
    within_run = np.arange(reading.joined * channels)
    numbers = (reading.offsets[:, None] * x.shape[1] + within_run).reshape(-1)

    def work(start: int, stop: int) -> Array:
        total = memory.zeros((groups, panels, len(numbers) * wide), x.dtype)
        places = reading.before, reading.padded, reading.starts
        _weight_sums(source, room_for(source, reading), *places, numbers, upstream, total, start, stop, *tile)
        return total

    total = np.asarray(sum(run_sliced(work, len(source) * len(reading.starts))))
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
    numbers: Array,
    grad: Array,
    total: Array,
    first: int,
    last: int,
    rows: Any,
    columns: Any,
) -> None:
    """total (groups, panels, numbers * wide) += the sums over the positions first..last, counted over all images.

    numbers: where those of all runs lie, beginning at the position's start.
    """
    count, channels, filters = len(starts), x.shape[4], grad.shape[2]
    groups, panels, size = total.shape
    each, wide = filters // groups, size // len(numbers)
    upstream, own = grad.reshape(grad.size), np.zeros(_SUMMED * wide, x.dtype)
    for image in range(first // count, (last - 1) // count + 1):
        source, base = source_of(x, image, room, before, padded)
        begin, end = max(first - image * count, 0), min(last - image * count, count)
        for block in range(begin, end, _SUMMED):
            seen, later = starts[block : min(block + _SUMMED, end)], starts[min(block + _SUMMED, end) : end]
            for g in range(groups):
                for j in range(panels):
                    at = ((image * count + block) * groups + g) * each + j * wide
                    _gather_panel(upstream, at, filters, len(seen), own, min(each - j * wide, wide), columns)
                    origin = base + g * (channels // groups)
                    products = source, origin, channels, seen, numbers, own, total[g, j], rows, columns
                    _add_products(*products, later, upstream, at + len(seen) * filters, filters)


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
    numbers: Array,
    own: Array,
    total: Array,
    rows: Any,
    columns: Any,
    later: Array,
    upstream: Array,
    following: int,
    filters: int,
) -> None:
    """total[n] += the sum over positions p of the number that lies numbers[n] behind starts[p], times the panel at p.

    With one tap and wide panels there is so little to do for each number that the memory is the limit. So the next block is asked
    for meanwhile, a few positions with each tile: what begins at `later` in the source, and lies `filters` apart in `upstream`
    from `following` on.
    """
    count, wide = len(numbers), len(total) // len(numbers)
    nothing, spare, lines = np.zeros(wide, total.dtype), np.empty(len(rows) * wide, total.dtype), np.arange(len(rows))
    for n in range(0, count, len(rows)):
        seen = taken(numbers, n, count, rows)  # the last number more than once, which is not added
        tile = equal_rows(nothing, 0, rows, columns)
        if len(columns) > 1 and count == channels and n < len(later):
            soon = numbers_at(taken(later, n, len(later), rows), 0, channels, origin)
            fetch_rows_for_later(source, soon, channels)
            fetch_rows_for_later(upstream, numbers_at(taken(lines, 0, len(rows), rows), n, filters, following), wide)
        for p in range(len(starts)):
            tile = multiply_add(tile, source, seen, starts[p] * channels + origin, own, p * wide)
        if n + len(rows) <= count:
            add_to(tile, total, numbers_at(taken(lines, 0, len(rows), rows), n, wide, 0))
        else:
            store(tile, spare, numbers_at(taken(lines, 0, len(rows), rows), 0, wide, 0))
            for i in range((count - n) * wide):
                total[n * wide + i] += spare[i]
