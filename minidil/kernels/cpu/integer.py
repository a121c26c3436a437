"""Convolution in whole numbers: what all its algorithms share. kernels/reference/integer.py says what it computes.

The image is copied first, with its padding, as int16 numbers x - zero: 0 is then the real 0, of the padding as well, and nothing
has to be put right afterwards. Two of these numbers and two weights, int16 as well, meet in one instruction (`multiply_add_pairs`
of integer_registers.py), so weights lie in panels where the numbers of a pair are neighbours:

    panel[(k / 2, f, k % 2)] = w[k, f],      k < K, f < the filters of a panel,

with zeros for a missing last k. What an odd run is multiplied by beyond its end is such a zero.
Sums are int32 modulo 2^32, and so exact whenever the result is an int32, whatever happens in between.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from minidil.array import Array
from minidil.kernels.cpu.integer_registers import multiply_add_pairs, plus_bytes, save_rounded, scaled
from minidil.kernels.cpu.layout import compiled, compiled_exactly
from minidil.kernels.cpu.registers import equal_rows, lanes, load, numbers_at, store, taken
from minidil.kernels.reference.integer import Requantise

SHORT, LONG = lanes(2), lanes(4)  # int16 and int32 numbers in a register


class Residual(NamedTuple):
    """What is added before rounding: multiplier (q - zero), for q of the shape of the result."""

    numbers: Array
    zero: int
    multiplier: float


def packed(matrix: Array, wide: int) -> Array:
    """(..., K, F) -> panels (..., ceil(F / wide), ceil(K / 2) * wide * 2), int16."""
    *others, depth, filters = matrix.shape
    pairs, panels = -(-depth // 2), -(-filters // wide)
    padded = np.zeros((*others, pairs * 2, panels * wide), np.int16)
    padded[..., :depth, :filters] = matrix
    by_panel = padded.reshape(*others, pairs, 2, panels, wide)
    ahead = tuple(range(len(others)))
    pairs_axis, pair, panel, lane = range(len(others), len(others) + 4)
    return np.ascontiguousarray(by_panel.transpose(*ahead, panel, pairs_axis, lane, pair)).reshape(*others, panels, -1)


def numbers_of(ending: Requantise, residual: Residual | None) -> tuple[Any, ...]:
    """What `end_row` needs, for compiled code."""
    kind = np.float32
    added, zero, multiplier = residual or (np.empty(0, np.uint8), 0, 0.0)
    limits = kind(ending.zero), kind(ending.low), kind(ending.high)
    return ending.bias, ending.multiplier, *limits, added.reshape(-1), kind(zero), kind(multiplier)


@compiled
def padded_copy(image: Array, zero: int, room: Array, before: Any, padded: Any) -> None:
    """Write image (D, H, W, C) less `zero` into the room, of size `padded`, with zeros around it."""
    depth, height, width, channels = image.shape
    line, shift = padded[2] * channels, np.int16(zero)
    first, count = before[2] * channels, width * channels
    for d in range(padded[0]):
        for h in range(padded[1]):
            row = room[(d * padded[1] + h) * line : (d * padded[1] + h + 1) * line]
            inside = 0 <= d - before[0] < depth and 0 <= h - before[1] < height
            if not inside:
                row[:] = 0
                continue
            source, into = image[d - before[0], h - before[1]].reshape(count), row[first : first + count]
            row[:first] = 0
            for i in range(count):
                into[i] = np.int16(np.int16(source[i]) - shift)
            row[first + count :] = 0


@compiled
def sums_of_pairs(
    source: Array,
    origin: int,
    channels: int,
    starts: Array,
    offsets: Array,
    run: int,
    panel: Array,
    sums: Array,
    to: int,
    width: int,
    rows: Any,
    columns: Any,
) -> None:
    """sums[to + width p] and after it = the sums over the runs that begin at channels (starts[p] + offsets[t]) + origin."""
    count, wide = len(starts), len(columns) * LONG
    nothing, lines = np.zeros(wide, np.int32), np.arange(count)
    for p in range(0, count, len(rows)):
        seen = taken(starts, p, count, rows)  # the last one more than once, if they are no multiple of the rows
        tile = equal_rows(nothing, 0, rows, columns)
        at = 0
        for t in range(len(offsets)):
            here = numbers_at(seen, offsets[t], channels, origin)
            for k in range(0, run, 2):
                tile = multiply_add_pairs(tile, source, here, k, panel, at)
                at += 2 * wide
        store(tile, sums, numbers_at(taken(lines, p, count, rows), 0, width, to))


@compiled_exactly
def end_rows(
    sums: Array,
    at: int,
    y: Array,
    to: Array,
    first: int,
    last: int,
    bias: Array,
    multiplier: Array,
    zero: Any,
    low: Any,
    high: Any,
    residual: Array,
    residual_zero: Any,
    residual_multiplier: Any,
) -> None:
    """Filters first..last of results: y[to[p] + f] of sums[p, at + f - first], as kernels/reference/integer.py does it.

    A result with to[p] < 0 is left out. Where y is float32, sums are multiplied and no more.
    """
    width, line = sums.shape[1], sums.reshape(sums.size)
    whole = first + (last - first) // LONG * LONG
    for p in range(len(to)):
        here, into = p * width + at - first, to[p]
        if into < 0:
            continue
        for f in range(first, whole, LONG):
            value = scaled(load(line, here + f), bias, multiplier, f)
            if residual.size > 0:
                value = plus_bytes(value, residual, into + f, residual_zero, residual_multiplier)
            save_rounded(value, y, into + f, zero, low, high)
    if whole == last:
        return
    count, own = last - whole, np.zeros(LONG, y.dtype)  # what does not fill a register goes through one of its own
    shift, factor, added = np.zeros(LONG, np.int32), np.zeros(LONG, np.float32), np.zeros(LONG, np.uint8)
    shift[:count], factor[:count] = bias[whole:last], multiplier[whole:last]
    for p in range(len(to)):
        here, into = p * width + at - first + whole, to[p] + whole
        if to[p] < 0:
            continue
        value = scaled(load(line, here), shift, factor, 0)
        if residual.size > 0:
            added[:count] = residual[into : into + count]
            value = plus_bytes(value, added, 0, residual_zero, residual_multiplier)
        save_rounded(value, own, 0, zero, low, high)
        y[into : into + count] = own[:count]


@compiled_exactly
def add_lines(
    one: Array,
    one_zero: Any,
    one_multiplier: Any,
    other: Array,
    other_zero: Any,
    other_multiplier: Any,
    y: Array,
    zero: Any,
    low: Any,
    high: Any,
    first: int,
    last: int,
) -> None:
    """y = rint(the sum of multiplier (q - zero) of one and of other, which may be empty) + zero, limited; lines of uint8."""
    nothing, whole = load(np.zeros(LONG, np.float32), 0), first + (last - first) // LONG * LONG
    for i in range(first, whole, LONG):
        value = plus_bytes(nothing, one, i, one_zero, one_multiplier)
        if other.size > 0:
            value = plus_bytes(value, other, i, other_zero, other_multiplier)
        save_rounded(value, y, i, zero, low, high)
    count, own, part = last - whole, np.zeros(LONG, np.uint8), np.zeros(LONG, np.uint8)
    if count == 0:
        return
    part[:count] = one[whole:last]
    value = plus_bytes(nothing, part, 0, one_zero, one_multiplier)
    if other.size > 0:
        part[:count] = other[whole:last]
        value = plus_bytes(value, part, 0, other_zero, other_multiplier)
    save_rounded(value, own, 0, zero, low, high)
    y[whole:last] = own[:count]


@compiled
def channel_sums(x: Array, sums: Array) -> None:
    """sums (N, C), int32, of x (N, positions, C), uint8."""
    for n in range(len(x)):
        row = sums[n]
        row[:] = 0
        for p in range(x.shape[1]):
            source = x[n, p]
            for c in range(len(row)):
                row[c] += source[c]


@compiled_exactly
def to_grid(x: Array, scale: Any, zero: Any, high: Any, y: Array) -> bool:
    """y (N, positions, C) = rint(x / scale) + zero, within 0..high, of x (N, C, positions).

    Returns: whether a number is NaN.
    """
    least, strange = np.float32(0), False
    for n in range(len(x)):
        image = y[n]
        for c in range(x.shape[1]):
            row = x[n, c]
            for p in range(len(row)):
                value = np.rint(row[p] / scale) + zero
                strange |= value != value
                value = min(max(value, least), high)
                image[p, c] = np.uint8(np.int32(value))
    return strange
