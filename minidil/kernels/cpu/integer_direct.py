"""Any convolution in whole numbers, read where the padded image lies: direct.py with pairs of int16 (integer.py)."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from minidil.array import Array
from minidil.kernels.cpu import memory
from minidil.kernels.cpu.integer import LONG, SHORT, Residual, end_rows, numbers_of, packed, padded_copy, sums_of_pairs
from minidil.kernels.cpu.layout import compiled
from minidil.kernels.cpu.phases import Reading, forward
from minidil.kernels.cpu.registers import tile_for
from minidil.kernels.geometry import Window
from minidil.kernels.reference.integer import Requantise
from minidil.kernels.threads import run_sliced

_BLOCK = 128  # results whose sums wait in the cache to be rounded


class Prepared(NamedTuple):
    """panels (groups, panels, runs * pairs * wide * 2); run: numbers of one; rows, columns: of a tile."""

    reading: Reading
    panels: Array
    filters: int
    run: int
    rows: tuple[int, ...]
    columns: tuple[int, ...]


def prepare(weight: Array, window: Window, groups: int) -> Prepared:
    """Of filters (F, C/groups, *K), int8."""
    filters, depth = weight.shape[:2]
    each, reading = filters // groups, forward(window, groups)
    rows, columns = tile_for(each, 4)
    run = reading.joined * depth
    by_run = weight.reshape(groups, each, depth, len(reading.offsets), reading.joined).transpose(0, 3, 4, 2, 1)
    panels = packed(by_run.reshape(groups, -1, run, each), len(columns) * LONG)
    panels = np.ascontiguousarray(panels.swapaxes(1, 2)).reshape(groups, panels.shape[2], -1)
    return Prepared(reading, panels, filters, run, rows, columns)


def convolve(
    x: Array, zero: int, prepared: Prepared, ending: Requantise, y: Array, residual: Residual | None = None
) -> None:
    """Fill y (N, places, F), uint8, with what becomes of x (N, D, H, W, C), uint8; where y is float32, nothing is rounded."""
    reading, following = prepared.reading, numbers_of(ending, residual)
    if math.prod(reading.padded) == 1:  # images of one number in each channel: as many positions of one image
        reading = reading._replace(padded=(1, 1, len(x)), starts=np.arange(len(x)))
        x, y = x.reshape(1, 1, 1, len(x), x.shape[4]), y.reshape(1, len(x), -1)

    def work(start: int, stop: int) -> None:
        room = memory.empty((math.prod(reading.padded) * x.shape[4] + SHORT,), np.int16)
        width = len(prepared.panels) * prepared.panels.shape[1] * len(prepared.columns) * LONG
        sums = np.empty((_BLOCK, width), np.int32)
        places = reading.before, reading.padded, reading.starts, reading.offsets
        tile = prepared.rows, prepared.columns
        _convolve(x, zero, room, *places, prepared.run, prepared.panels, sums, y, start, stop, *tile, *following)

    run_sliced(work, len(x) * len(reading.starts))


@compiled
def _convolve(
    x: Array,
    zero: int,
    room: Array,
    before: Any,
    padded: Any,
    starts: Array,
    offsets: Array,
    run: int,
    panels: Array,
    sums: Array,
    y: Array,
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
    """Results first..last, counted over all images."""
    count, channels, filters = len(starts), x.shape[4], y.shape[2]
    groups, per_group, _ = panels.shape
    block, width = sums.shape
    each, share = filters // groups, width // groups
    wide, line, out = share // per_group, sums.reshape(sums.size), y.reshape(y.size)
    numbers = np.arange(block)
    for image in range(first // count, (last - 1) // count + 1):
        padded_copy(x[image], zero, room, before, padded)
        begin, end = max(first - image * count, 0), min(last - image * count, count)
        for start in range(begin, end, block):
            seen = starts[start : min(start + block, end)]
            for g in range(groups):
                origin = g * (channels // groups)
                for j in range(per_group):
                    here = g * share + j * wide
                    sums_of_pairs(
                        room, origin, channels, seen, offsets, run, panels[g, j], line, here, width, rows, columns
                    )
            to = ((image * count + start) + numbers[: len(seen)]) * filters
            for g in range(groups):
                end_rows(
                    sums,
                    g * share,
                    out,
                    to,
                    g * each,
                    (g + 1) * each,
                    bias,
                    multiplier,
                    y_zero,
                    low,
                    high,
                    residual,
                    residual_zero,
                    residual_multiplier,
                )
