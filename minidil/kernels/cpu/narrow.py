"""A convolution that gives few numbers at each place, such as dL/dx of an image of one channel: sums along the vectors.

direct.py fills a register with the numbers of a result, which with one number to each leaves seven of eight lanes empty. Here the
lanes are numbers that are read: a register holds as many of a run of the source, is multiplied by as many weights, and the sum of
its lanes is taken once, after all taps. The runs, their padding and the phases of dL/dx are those of phases.py.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from minidil.array import Array
from minidil.kernels.cpu import im2col, memory
from minidil.kernels.cpu.direct_weight import conv_grad_weight
from minidil.kernels.cpu.layout import as_channels, compiled, writable
from minidil.kernels.cpu.padded import images_of, room_for, source_of
from minidil.kernels.cpu.phases import Reading, backward, forward
from minidil.kernels.cpu.registers import equal_rows, lanes, multiply_add_each, numbers_at, sums_of_rows, taken
from minidil.kernels.geometry import Window
from minidil.kernels.threads import run_sliced

__all__ = ["conv_forward", "conv_grad_input", "conv_grad_weight", "pays"]

_ROWS = 8  # results at a time
_FEW = 1024  # of a phase: for fewer, arranging the weights takes longer than making columns


def pays(results: int, numbers: int, depth: int, window: Window, groups: int, itemsize: int) -> bool:
    """Whether it is the fastest way to make so few numbers at each place out of `depth` numbers for each tap.

    They fill registers, and the results less than half of one. im2col has loops of its own for the three numbers of a colour.
    """
    each = lanes(itemsize)
    fits = groups == 1 and depth % each == 0 and numbers in (1, 2, 4) and 2 * numbers <= each
    return fits and results >= _FEW * math.prod(window.stride)


def conv_forward(x: Array, weight: Array, window: Window, groups: int = 1, bias: Array | None = None) -> Array:
    """x (N, C, *S), weight (F, C, *K) -> (N, F, *O)."""
    filters, channels = weight.shape[:2]
    y = memory.empty((len(x), math.prod(window.out), filters), x.dtype)
    by_tap = weight.reshape(filters, channels, window.taps).transpose(0, 2, 1)
    offset = np.zeros(filters, x.dtype) if bias is None else writable(bias)
    _convolve(images_of(x, window.size), (forward(window, groups),), by_tap, offset, y)
    return as_channels(y.reshape(-1, filters), len(x), window.out)


def conv_grad_input(grad: Array, weight: Array, window: Window, groups: int = 1) -> Array:
    """dL/dx, phase by phase; by im2col where a weight is not finite, as in direct.py."""
    if not np.isfinite(weight).all():
        return im2col.conv_grad_input(grad, weight, window, groups)
    filters, channels = weight.shape[:2]
    dx = memory.zeros((len(grad), math.prod(window.size), channels), grad.dtype)
    by_tap = weight.reshape(filters, channels, window.taps).transpose(1, 2, 0)
    _convolve(images_of(grad, window.out), backward(window, groups), by_tap, np.zeros(channels, grad.dtype), dx)
    return as_channels(dx.reshape(-1, channels), len(grad), window.size)


def _convolve(source: Array, phases: tuple[Reading, ...], by_tap: Array, bias: Array, y: Array) -> None:
    """Fill y (N, places, numbers) where a phase reaches it; source (N, D, H, W, depth), by_tap (numbers, taps, depth)."""
    nothing = np.zeros(lanes(y.itemsize), y.dtype)
    for phase in phases:
        weights = np.ascontiguousarray(by_tap[:, phase.taps]).reshape(len(bias), -1)
        within_run = np.arange(0, phase.joined * source.shape[4], len(nothing))
        moves = (phase.offsets[:, None] * source.shape[4] + within_run).reshape(-1)

        def work(start: int, stop: int, phase: Reading = phase, weights: Array = weights, moves: Array = moves) -> None:
            room = room_for(source, phase)
            places = phase.before, phase.padded, phase.starts, moves
            _sum_rows(source, room, *places, weights, bias, nothing, y, phase.places, start, stop, (0,) * _ROWS, (0,))

        run_sliced(work, len(source) * len(phase.places))


@compiled
def _sum_rows(
    x: Array,
    room: Array,
    before: Any,
    padded: Any,
    starts: Array,
    moves: Array,
    weights: Array,
    bias: Array,
    nothing: Array,
    y: Array,
    places: Array,
    first: int,
    last: int,
    rows: Any,
    columns: Any,
) -> None:
    """Results first..last, counted over all images, as many at a time as there are rows.

    moves: from where a result's numbers start to each register full of them.
    """
    count, channels, numbers = len(places), x.shape[4], y.shape[2]
    for image in range(first // count, (last - 1) // count + 1):
        source, base = source_of(x, image, room, before, padded)
        begin, end = max(first - image * count, 0), min(last - image * count, count)
        for p in range(begin, end, len(rows)):
            # The last position is taken more than once, if they are no multiple of the rows.
            here = numbers_at(taken(starts, p, end, rows), 0, channels, base)
            for f in range(numbers):
                tile = equal_rows(nothing, 0, rows, columns)
                for i in range(len(moves)):
                    tile = multiply_add_each(tile, source, here, moves[i], weights[f], i * len(nothing))
                totals = sums_of_rows(tile, rows)
                for i in range(min(len(rows), end - p)):
                    y[image, places[p + i], f] = bias[f] + totals[i]
