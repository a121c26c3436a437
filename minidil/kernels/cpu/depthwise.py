"""Depthwise convolution, one filter per channel: directly, on vectors of channels, for there is no matrix to multiply.

With a group per channel, im2col would hand BLAS matrices of one column. Here the taps (prod(K), C) and the inputs both have the
channels last, so each tap is one multiply-add of two contiguous vectors. What costs is fetching them, and so the sums of a few
positions and vectors stay in registers over all taps (registers.py), and the other loops handle several taps or positions each
time that they fetch and store a sum. Where the taps fall is the same for all images.
Source: Chollet 2017, "Xception", arXiv:1610.02357, section 1 (the depthwise part of a separable convolution).
"""

from __future__ import annotations

import math
from dataclasses import replace
from functools import lru_cache
from typing import Any

import numpy as np

from minidil.array import Array
from minidil.kernels.cpu import memory
from minidil.kernels.cpu.layout import as_channels, as_rows, compiled, tap_places, writable
from minidil.kernels.cpu.registers import equal_rows, lanes, multiply_add_each, numbers_at, store
from minidil.kernels.geometry import Window
from minidil.kernels.threads import run_sliced


def applies(channels: int, filters: int, groups: int) -> bool:
    """Whether every channel has one filter of its own."""
    return groups > 1 and channels == filters == groups


def conv_forward(x: Array, weight: Array, window: Window, groups: int = 1, bias: Array | None = None) -> Array:
    """x (N, C, *S), weight (C, 1, *K) -> (N, C, *O). Each thread has a part of the positions, in all images."""
    images, taps, (places, alike) = _images(x), _taps(weight), _positions(window)
    y = memory.empty((len(x), len(places), groups), x.dtype)
    offset = np.zeros(groups, x.dtype) if bias is None else writable(np.ascontiguousarray(bias))
    vector = lanes(x.itemsize)
    tiles = (0,) * 4, (0,) * min(groups // vector, 2), (0,) * min(groups // vector, 8)

    def work(start: int, stop: int) -> None:
        if groups >= vector:
            step = window.stride[-1] * groups
            _in_registers(images, places, alike, start, stop, step, taps, offset, y, vector, *tiles)
        else:
            _forward(images, places, start, stop, taps, offset, y)

    run_sliced(work, len(places))
    return as_channels(y, len(x), window.out)


def conv_grad_input(grad: Array, weight: Array, window: Window, groups: int = 1) -> Array:
    """dL/dx[i] = sum of w[k] G[o] over the outputs o that tap k carried x[i] to.

    With stride 1 these are o = i + before - k d, and with the taps reversed that is a forward pass over G, which writes each
    position once. With another stride the products are added where they belong, each thread to images of its own.
    """
    if all(stride == 1 for stride in window.stride):
        return conv_forward(grad, np.flip(weight, tuple(range(2, weight.ndim))), _reversed(window), groups)
    upstream, taps, places = _images(grad), _taps(weight), tap_places(window)
    dx = memory.zeros((len(grad), math.prod(window.size), groups), grad.dtype)
    run_sliced(lambda start, stop: _scatter(upstream[start:stop], places, taps, dx[start:stop]), len(grad))
    return as_channels(dx, len(grad), window.size)


def conv_grad_weight(x: Array, grad: Array, window: Window, groups: int = 1) -> Array:
    """dL/dw[k] = sum of G[o] x[i] over the same pairs: one partial sum per thread, added in order."""
    images, upstream, places = _images(x), _images(grad), tap_places(window)

    def work(start: int, stop: int) -> Array:
        total = np.zeros((window.taps, groups), x.dtype)
        _grad_weight(images, upstream, places, start, stop, total)
        return total

    total = np.asarray(sum(run_sliced(work, len(places))))
    return total.T.reshape(groups, 1, *window.kernel)


def _images(x: Array) -> Array:
    """(N, C, *S) -> (N, prod(S), C), contiguous."""
    return as_rows(x).reshape(len(x), math.prod(x.shape[2:]), x.shape[1])


def _taps(weight: Array) -> Array:
    return np.ascontiguousarray(weight.reshape(weight.shape[0], -1).T)


def _reversed(window: Window) -> Window:
    """The window that leads from dL/dy back to dL/dx: out = size + before + after - (span - 1), so that it gives size again."""
    reach = [span - 1 for span in window.span]
    padding = [(r - before, r - after) for r, (before, after) in zip(reach, window.padding, strict=True)]
    return replace(window, size=window.out, padding=tuple(padding))


@lru_cache(maxsize=32)
def _positions(window: Window) -> tuple[Array, Array]:
    """Where the taps of each position fall, and how many positions from it on follow each other alike."""
    places = tap_places(window)
    return places, _alike(places, window.stride[-1])


@compiled
def _alike(places: Array, step: int) -> Array:
    """For each position, how many from it on have the same taps on the padding, and the others each `step` behind the last."""
    found = np.ones(len(places), np.int64)
    for r in range(len(places) - 2, -1, -1):
        alike = True
        for tap in range(places.shape[1]):
            here, there = places[r, tap], places[r + 1, tap]
            alike = alike and (there == here + step if here >= 0 else there < 0)
        if alike:
            found[r] += found[r + 1]
    return found


@compiled
def _in_registers(
    x: Array,
    places: Array,
    alike: Array,
    start: int,
    stop: int,
    step: int,
    weight: Array,
    bias: Array,
    y: Array,
    vector: int,
    rows: Any,
    columns: Any,
    broad: Any,
) -> None:
    """Four positions that are alike at a time, whose numbers lie `step` apart; of one that is not, more channels.

    The last four of those that are alike, and the last channels, end with the last one.
    """
    taps, channels = weight.shape
    source, filters, results = x.reshape(x.size), weight.reshape(weight.size), y.reshape(y.size)
    lines = (0, step, 2 * step, 3 * step)
    for n in range(len(x)):
        r, base, line = start, n * x.shape[1], n * len(places)
        while r < stop:
            together = min(alike[r], stop - r)
            if together >= len(rows):
                for block in range(0, channels, len(columns) * vector):
                    c = min(block, channels - len(columns) * vector)
                    tile = equal_rows(bias, c, rows, columns)
                    for tap in range(taps):
                        if places[r, tap] >= 0:
                            at = (base + places[r, tap]) * channels + c
                            tile = multiply_add_each(tile, source, lines, at, filters, tap * channels + c)
                    store(tile, results, numbers_at((r, r + 1, r + 2, r + 3), line, channels, c))
                r += min(together - len(rows), len(rows)) if together > len(rows) else len(rows)
            else:
                for block in range(0, channels, len(broad) * vector):
                    c = min(block, channels - len(broad) * vector)
                    row = equal_rows(bias, c, (0,), broad)
                    for tap in range(taps):
                        if places[r, tap] >= 0:
                            at = (base + places[r, tap]) * channels + c
                            row = multiply_add_each(row, source, (0,), at, filters, tap * channels + c)
                    store(row, results, ((line + r) * channels + c,))
                r += 1


@compiled
def _forward(x: Array, places: Array, start: int, stop: int, weight: Array, bias: Array, y: Array) -> None:
    """The first nine taps in one pass where none of them is on the padding, so that y is stored once for a 3x3 kernel."""
    taps = places.shape[1]
    for n in range(len(x)):
        for r in range(start, stop):
            done = 9 if taps >= 9 else 0
            for tap in range(done):
                if places[r, tap] < 0:
                    done = 0
            if done:
                p0, p1, p2 = places[r, 0], places[r, 1], places[r, 2]
                p3, p4, p5 = places[r, 3], places[r, 4], places[r, 5]
                p6, p7, p8 = places[r, 6], places[r, 7], places[r, 8]
                for c in range(len(bias)):
                    y[n, r, c] = (
                        bias[c]
                        + weight[0, c] * x[n, p0, c]
                        + weight[1, c] * x[n, p1, c]
                        + weight[2, c] * x[n, p2, c]
                        + weight[3, c] * x[n, p3, c]
                        + weight[4, c] * x[n, p4, c]
                        + weight[5, c] * x[n, p5, c]
                        + weight[6, c] * x[n, p6, c]
                        + weight[7, c] * x[n, p7, c]
                        + weight[8, c] * x[n, p8, c]
                    )
            else:
                for c in range(len(bias)):
                    y[n, r, c] = bias[c]
            for tap in range(done, taps):
                place = places[r, tap]
                if place >= 0:
                    for c in range(len(bias)):
                        y[n, r, c] += weight[tap, c] * x[n, place, c]


@compiled
def _scatter(grad: Array, places: Array, weight: Array, dx: Array) -> None:
    (rows, taps), (images, _, channels) = places.shape, dx.shape
    for n in range(images):
        for r in range(rows):
            for tap in range(taps):
                place = places[r, tap]
                if place >= 0:
                    for c in range(channels):
                        dx[n, place, c] += weight[tap, c] * grad[n, r, c]


@compiled
def _grad_weight(x: Array, grad: Array, places: Array, start: int, stop: int, total: Array) -> None:
    """Four positions at a time where none falls on the padding, so that the sum is fetched and stored a quarter as often."""
    taps, channels = total.shape
    for n in range(len(x)):
        for r in range(start, stop, 4):
            last = min(r + 4, stop)
            for tap in range(taps):
                inside = last - r == 4
                for o in range(r, last):
                    inside = inside and places[o, tap] >= 0
                if inside:
                    p0, p1, p2, p3 = places[r, tap], places[r + 1, tap], places[r + 2, tap], places[r + 3, tap]
                    for c in range(channels):
                        one = grad[n, r, c] * x[n, p0, c] + grad[n, r + 1, c] * x[n, p1, c]
                        two = grad[n, r + 2, c] * x[n, p2, c] + grad[n, r + 3, c] * x[n, p3, c]
                        total[tap, c] += one + two
                else:
                    for o in range(r, last):
                        place = places[o, tap]
                        if place >= 0:
                            for c in range(channels):
                                total[tap, c] += grad[n, o, c] * x[n, place, c]
