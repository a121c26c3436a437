"""A causal network, one piece of a signal after the other: what is computed, in NumPy.

A *program* is a table with a row of whole numbers for each layer; its columns are named below. All numbers that it works on
lie in one flat array, `memory`: first *slots*, each with room for `block` rows of `wide` numbers, a row for every position of a
piece; then the *rings*. A layer that looks back (K - 1) d positions keeps so many rows of its input, and no more:

    y[t] = bias + sum_k W_k x[t - (K - 1 - k) d],       x[t] for t < 0 from the ring, where x[-j] is row (head - j) mod (K - 1) d.

Then the piece's last rows take the place of the oldest ones. With stride s a layer answers every s-th position, and `wait` says
how many rows of the next piece it lets pass before it does.
Source: Paine et al. 2016, "Fast WaveNet generation algorithm", arXiv:1611.09482.
"""

from __future__ import annotations

import numpy as np
from numpy.lib.stride_tricks import as_strided

from minidil.array import Array
from minidil.kernels.reference.elementwise import gelu, sigmoid

# The columns of a program. Places are counted in numbers, from the start of `memory` or of `weights`.
KIND = 0
SOURCE, TARGET, OTHER = 1, 2, 3  # the slot that is read, the one that is written, and the second that a sum reads
CHANNELS, FILTERS = 4, 5  # numbers in a row of the source, and of the target
TAPS, DILATION, STRIDE, GROUPS = 6, 7, 8, 9
RING = 10  # where in `memory` the ring lies
WEIGHT, ACROSS = 11, 12  # where in `weights` the matrix lies, a row for each tap and channel, and the numbers of a row
BIAS = 13  # where in `weights` the bias lies, or what else a layer has
FIELDS = 14

# The kinds of layer. Up to LARGEST they look back, and the others work position by position.
CONV, GROUPED, LARGEST, ADD, SCALE, RELU, LEAKY, GELU, GELU_TANH, TANH, SIGMOID, SILU, GATE = range(13)

HEAD, WAIT = 0, 1  # the columns of `counters`
WIDTH_BYTES = 1  # of what is computed at once: rows of weights are filled up to it


def advance(
    x: Array, y: Array, memory: Array, weights: Array, program: Array, counters: Array, block: int, wide: int
) -> int:
    """Take in x (C, n) and write what comes out to y (F, m); returns m. `memory` and `counters` move on.

    Slot 0 is the input's, and the last row's target the output's.
    Shapes: program (layers, fields), counters (layers, 2) with `HEAD` and `WAIT`.
    """
    slots = memory[: (1 + program[:, [SOURCE, TARGET, OTHER]].max()) * block * wide]
    slots = slots.reshape(-1, block, wide)
    counts = np.zeros(len(slots), np.int64)
    made = 0
    for start in range(0, x.shape[1], block):
        piece = x[:, start : start + block]
        counts[0] = piece.shape[1]
        slots[0, : counts[0], : len(x)] = piece.T
        for layer, counter in zip(program, counters, strict=True):
            source = slots[layer[SOURCE], : counts[layer[SOURCE]], : layer[CHANNELS]]
            if layer[KIND] <= LARGEST:
                rows = _windowed(source, memory, weights, layer, counter)
            elif layer[KIND] == ADD:
                rows = source + slots[layer[OTHER], : len(source), : layer[CHANNELS]]
            else:
                rows = _pointwise(source, weights, layer)
            slots[layer[TARGET], : len(rows), : rows.shape[1]] = rows
            counts[layer[TARGET]] = len(rows)
        last = program[-1, TARGET]
        y[:, made : made + counts[last]] = slots[last, : counts[last], : len(y)].T
        made += int(counts[last])
    return made


def _windowed(source: Array, memory: Array, weights: Array, layer: Array, counter: Array) -> Array:
    """The rows of a convolution or a maximum over a window; its ring moves on."""
    taps, dilation, stride, channels = (int(layer[field]) for field in (TAPS, DILATION, STRIDE, CHANNELS))
    behind, n = (taps - 1) * dilation, len(source)
    ring = memory[layer[RING] :][: behind * channels].reshape(behind, channels)
    seen = np.concatenate([np.roll(ring, -counter[HEAD], axis=0), source])
    first = int(counter[WAIT])
    answers = max(0, -(-(n - first) // stride))
    step = seen.strides[0]
    shape, strides = (answers, taps, channels), (stride * step, dilation * step, seen.strides[1])
    looked_at = as_strided(seen[first:], shape, strides, writeable=False) if answers else np.empty(shape, seen.dtype)
    if layer[KIND] == LARGEST:
        rows = looked_at.max(axis=1)
    else:
        filters, groups, across = (int(layer[field]) for field in (FILTERS, GROUPS, ACROSS))
        matrix = weights[layer[WEIGHT] :][: taps * channels * across]
        matrix = matrix.reshape(taps, groups, channels // groups, across)[..., : filters // groups]
        grouped = looked_at.reshape(answers, taps, groups, channels // groups)
        bias = weights[layer[BIAS] :][:filters]
        rows = np.einsum("rkgc,kgcf->rgf", grouped, matrix).reshape(answers, filters) + bias
    counter[WAIT] = first + answers * stride - n
    if behind:
        ring[...] = seen[n:]
        counter[HEAD] = 0
    return rows


def _pointwise(rows: Array, weights: Array, layer: Array) -> Array:
    kind, at, n = layer[KIND], layer[BIAS], rows.shape[1]
    if kind == SCALE:
        return rows * weights[at : at + n] + weights[at + n : at + 2 * n]
    if kind == RELU:
        return np.maximum(rows, 0)
    if kind == LEAKY:
        return np.where(rows > 0, rows, rows * weights[at])
    if kind == GELU_TANH:
        return 0.5 * rows * (1 + np.tanh(np.sqrt(2 / np.pi) * (rows + 0.044715 * rows**3)))
    if kind == GELU:
        return gelu(rows)
    if kind == TANH:
        return np.tanh(rows)
    if kind == GATE:
        return np.tanh(rows[:, : n // 2]) * sigmoid(rows[:, n // 2 :])
    gate = sigmoid(rows)
    return gate if kind == SIGMOID else rows * gate
