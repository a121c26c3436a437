"""A causal network, one piece of a signal after the other: one compiled call for all layers; see reference/stream.py.

A convolution is the matrix product of registers.py, whose rows of numbers lie partly in the ring, partly in the piece: a table
says where, for every tap and position. A piece of many positions is made in tiles, so that a weight is loaded once for several of
them. A single position is made with all its sums in registers, and its time is that of reading every weight once. Either way
the sums of a position are the same, in the same order: how a signal is cut does not change a bit of the result.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from minidil.array import Array
from minidil.kernels.cpu.gaussian import gelu_of
from minidil.kernels.cpu.layout import compiled
from minidil.kernels.cpu.registers import (
    BYTES,
    COLUMNS,
    ROWS,
    equal_rows,
    multiply_add,
    numbers_at,
    store,
    taken,
)
from minidil.kernels.reference.stream import (
    ACROSS,
    ADD,
    BIAS,
    CHANNELS,
    CONV,
    DILATION,
    FILTERS,
    GATE,
    GELU,
    GELU_TANH,
    GROUPED,
    GROUPS,
    HEAD,
    KIND,
    LARGEST,
    LEAKY,
    OTHER,
    RELU,
    RING,
    SCALE,
    SIGMOID,
    SILU,
    SOURCE,
    STRIDE,
    TANH,
    TAPS,
    TARGET,
    WAIT,
    WEIGHT,
)

WIDTH_BYTES = BYTES
_ROWS, _COLUMNS = (0,) * ROWS, (0,) * COLUMNS
_FOUR, _EIGHT = (0,) * 4, (0,) * 8
_FEW = 2  # positions that are made one by one: a tile would waste most of its rows


@compiled
def advance(
    x: Array, y: Array, memory: Array, weights: Array, program: Array, counters: Array, block: int, wide: int
) -> int:
    """Take in x (C, n) and write what comes out to y (F, m); returns m. `memory` and `counters` move on."""
    full = BYTES // memory.itemsize  # numbers in a register
    channels, n = x.shape
    size = block * wide
    layers = len(program)
    counts = np.zeros(layers + 1, np.int64)  # of each slot
    places = np.empty((program[:, TAPS].max(), block), np.int64)
    lines = np.arange(block)
    made = 0
    for start in range(0, n, block):
        count = min(block, n - start)
        for t in range(count):
            for c in range(channels):
                memory[t * wide + c] = x[c, start + t]
        counts[0] = count
        for i in range(layers):
            layer = program[i]
            source, target, came = layer[SOURCE] * size, layer[TARGET] * size, counts[layer[SOURCE]]
            answers = came
            if layer[KIND] <= LARGEST:
                answers = _windowed(
                    memory, weights, layer, counters[i], source, target, came, wide, places, lines, full
                )
            else:
                width = layer[CHANNELS]
                for t in range(0, came * wide, wide):
                    row = memory[target + t : target + t + width]
                    if source != target:
                        _copy(memory[source + t : source + t + width], row)
                    if layer[KIND] == ADD:
                        other = layer[OTHER] * size + t
                        _add(memory[other : other + width], row)
                    else:
                        _pointwise(row, weights[layer[BIAS] :], layer[KIND])
            counts[layer[TARGET]] = answers
        last = program[layers - 1, TARGET]
        for t in range(counts[last]):
            for f in range(len(y)):
                y[f, made + t] = memory[last * size + t * wide + f]
        made += counts[last]
    return made


@compiled
def _windowed(
    memory: Array,
    weights: Array,
    layer: Array,
    counter: Array,
    source: int,
    target: int,
    came: int,
    wide: int,
    places: Array,
    lines: Array,
    full: int,
) -> int:
    """The rows of a layer that looks back, for `came` rows of its source; returns how many. Its ring moves on."""
    taps, dilation, stride, channels = layer[TAPS], layer[DILATION], layer[STRIDE], layer[CHANNELS]
    behind, head, first, ring = (taps - 1) * dilation, counter[HEAD], counter[WAIT], layer[RING]
    answers = max(0, came - first if stride == 1 else (came - first + stride - 1) // stride)
    for k in range(taps):
        back = (taps - 1 - k) * dilation
        for r in range(answers):
            t = first + r * stride - back
            if t >= 0:
                places[k, r] = source + t * wide
            else:
                row = head + behind + t
                places[k, r] = ring + (row - behind if row >= behind else row) * channels
    if layer[KIND] == CONV:
        _dense(memory, weights, layer, target, answers, wide, places, lines, full)
    else:
        for r in range(answers):
            if layer[KIND] == GROUPED:
                _grouped(memory, weights, layer, target + r * wide, places, r)
            else:
                _largest(memory, layer, target + r * wide, places, r)
    counter[WAIT] = first + answers * stride - came
    if behind > 0:
        row = head + max(0, came - behind)
        while row >= behind:
            row -= behind
        for t in range(max(0, came - behind), came):
            at, to = source + t * wide, ring + row * channels
            _copy(memory[at : at + channels], memory[to : to + channels])
            row = row + 1 if row + 1 < behind else 0
        counter[HEAD] = row
    return answers


@compiled
def _dense(
    memory: Array,
    weights: Array,
    layer: Array,
    target: int,
    answers: int,
    wide: int,
    places: Array,
    lines: Array,
    full: int,
) -> None:
    j, across = 0, layer[ACROSS]
    if answers <= _FEW:
        for r in range(answers):
            j = 0
            while j + 8 * full <= across:
                _products(memory, weights, layer, target, r, r + 1, j, wide, places, lines, (0,), _EIGHT)
                j += 8 * full
            while j + 4 * full <= across:
                _products(memory, weights, layer, target, r, r + 1, j, wide, places, lines, (0,), _FOUR)
                j += 4 * full
            while j < across:
                _products(memory, weights, layer, target, r, r + 1, j, wide, places, lines, (0,), (0,))
                j += full
        return
    while j + len(_COLUMNS) * full <= across:
        _products(memory, weights, layer, target, 0, answers, j, wide, places, lines, _ROWS, _COLUMNS)
        j += len(_COLUMNS) * full
    while j < across:
        _products(memory, weights, layer, target, 0, answers, j, wide, places, lines, _ROWS, (0,))
        j += full


@compiled
def _products(
    memory: Array,
    weights: Array,
    layer: Array,
    target: int,
    first: int,
    last: int,
    j: int,
    wide: int,
    places: Array,
    lines: Array,
    rows: Any,
    columns: Any,
) -> None:
    """Of the rows first .. last - 1, the numbers j and after it, as many as there are lanes in the columns."""
    across, channels, bias = layer[ACROSS], layer[CHANNELS], layer[BIAS] + j
    for r in range(first, last, len(rows)):
        tile = equal_rows(weights, bias, rows, columns)
        at = layer[WEIGHT] + j
        for k in range(layer[TAPS]):
            seen = taken(
                places[k], r, last, rows
            )  # the last position more than once, if they are no multiple of the rows
            for c in range(channels):
                tile = multiply_add(tile, memory, seen, c, weights, at)
                at += across
        store(tile, memory, numbers_at(taken(lines, r, last, rows), 0, wide, target + j))


@compiled
def _grouped(memory: Array, weights: Array, layer: Array, target: int, places: Array, r: int) -> None:
    each, inputs = layer[FILTERS] // layer[GROUPS], layer[CHANNELS] // layer[GROUPS]
    made = memory[target : target + layer[FILTERS]]
    _copy(weights[layer[BIAS] : layer[BIAS] + len(made)], made)
    at = layer[WEIGHT]
    for k in range(layer[TAPS]):
        x = memory[places[k, r] : places[k, r] + layer[CHANNELS]]
        if each == 1 and inputs == 1:
            weight = weights[at : at + len(x)]
            for c in range(len(x)):
                made[c] += x[c] * weight[c]
            at += len(x)
        else:
            for c in range(len(x)):
                to = c // inputs * each
                for f in range(each):
                    made[to + f] += x[c] * weights[at + f]
                at += each


@compiled
def _largest(memory: Array, layer: Array, target: int, places: Array, r: int) -> None:
    made = memory[target : target + layer[CHANNELS]]
    for k in range(layer[TAPS]):
        x = memory[places[k, r] : places[k, r] + len(made)]
        for c in range(len(made)):
            made[c] = made[c] if k > 0 and (made[c] >= x[c] or made[c] != made[c]) else x[c]


@compiled
def _copy(x: Array, y: Array) -> None:
    for c in range(len(y)):
        y[c] = x[c]


@compiled
def _add(x: Array, y: Array) -> None:
    for c in range(len(y)):
        y[c] += x[c]


@compiled
def _pointwise(row: Array, own: Array, kind: int) -> None:
    """A layer that looks at no other position, in place; `own` begins with its numbers."""
    n = len(row)
    if kind == SCALE:
        for c in range(n):
            row[c] = row[c] * own[c] + own[n + c]
    elif kind == RELU:
        nothing = row.dtype.type(0)
        for c in range(n):
            row[c] = nothing if row[c] < nothing else row[c]
    elif kind == LEAKY:
        for c in range(n):
            row[c] = row[c] if row[c] > 0 else row[c] * own[0]
    elif kind == SIGMOID:
        for c in range(n):
            row[c] = 1 / (1 + math.exp(-row[c]))
    elif kind == TANH:
        for c in range(n):
            row[c] = math.tanh(row[c])
    elif kind == GATE:
        for c in range(n // 2):
            row[c] = math.tanh(row[c]) / (1 + math.exp(-row[n // 2 + c]))
    elif kind == SILU:
        for c in range(n):
            row[c] = row[c] / (1 + math.exp(-row[c]))
    elif kind == GELU:
        for c in range(n):
            row[c] = gelu_of(row[c])
    elif kind == GELU_TANH:
        for c in range(n):
            value = row[c]
            inner = math.sqrt(2 / math.pi) * (value + 0.044715 * value * value * value)
            row[c] = value / 2 * (1 + math.tanh(inner))
