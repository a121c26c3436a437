"""Depthwise convolution, one filter per channel: directly, tap by tap on vectors of channels, for there is no matrix to multiply.

With a group per channel, im2col would hand BLAS matrices of one column. Here the taps (prod(K), C) and the inputs both have the
channels last, so each tap is one multiply-add of two contiguous vectors.
Source: Chollet 2017, "Xception", arXiv:1610.02357, section 1 (the depthwise part of a separable convolution).
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from minidil.kernels.cpu import memory
from minidil.kernels.cpu.layout import as_channels, as_rows, compiled, walk, writable
from minidil.kernels.geometry import Window
from minidil.kernels.threads import run_sliced

Array = NDArray[Any]

_ROWS = 1024  # output positions at a time


def applies(channels: int, filters: int, groups: int) -> bool:
    """Whether every channel has one filter of its own."""
    return groups > 1 and channels == filters == groups


def conv_forward(x: Array, weight: Array, window: Window, groups: int = 1, bias: Array | None = None) -> Array:
    """x (N, C, *S), weight (C, 1, *K) -> (N, C, *O)."""
    source, taps = as_rows(x), _taps(weight)
    y = memory.empty((len(x) * math.prod(window.out), groups), x.dtype)
    offset = np.zeros(groups, x.dtype) if bias is None else writable(bias)

    def work(start: int, stop: int) -> None:
        for first, last, places in walk(window, start, stop, _ROWS):
            _forward(source, places, taps, offset, y[first:last])

    run_sliced(work, len(y))
    return as_channels(y, len(x), window.out)


def conv_grad_input(grad: Array, weight: Array, window: Window, groups: int = 1) -> Array:
    """dL/dx[i] = sum of w[k] G[o] over the outputs o that tap k carried x[i] to.

    With stride 1 these are o = i + before - k d, and with the taps reversed that is a forward pass over G, which writes each
    position once. With another stride the products are added where they belong, each thread to images of its own.
    """
    if all(stride == 1 for stride in window.stride):
        return conv_forward(grad, np.flip(weight, tuple(range(2, weight.ndim))), _reversed(window), groups)
    upstream, taps, images = as_rows(grad), _taps(weight), len(grad)
    dx = memory.zeros((images * math.prod(window.size), groups), grad.dtype)
    positions = math.prod(window.out)

    def work(start: int, stop: int) -> None:
        for first, last, places in walk(window, start * positions, stop * positions, _ROWS):
            _scatter(upstream[first:last], places, taps, dx)

    run_sliced(work, images)
    return as_channels(dx, images, window.size)


def conv_grad_weight(x: Array, grad: Array, window: Window, groups: int = 1) -> Array:
    """dL/dw[k] = sum of G[o] x[i] over the same pairs: one partial sum per thread, added in order."""
    source, upstream = as_rows(x), as_rows(grad)

    def work(start: int, stop: int) -> Array:
        total = np.zeros((window.taps, groups), x.dtype)
        for first, last, places in walk(window, start, stop, _ROWS):
            _grad_weight(source, upstream[first:last], places, total)
        return total

    total = np.asarray(sum(run_sliced(work, len(upstream))))
    return total.T.reshape(groups, 1, *window.kernel)


def _taps(weight: Array) -> Array:
    return np.ascontiguousarray(weight.reshape(weight.shape[0], -1).T)


def _reversed(window: Window) -> Window:
    """The window that leads from dL/dy back to dL/dx: out = size + before + after - (span - 1), so that it gives size again."""
    reach = [span - 1 for span in window.span]
    padding = [(r - before, r - after) for r, (before, after) in zip(reach, window.padding, strict=True)]
    return replace(window, size=window.out, padding=tuple(padding))


@compiled
def _forward(x: Array, places: Array, weight: Array, bias: Array, y: Array) -> None:
    """Nine taps at a time where none of them is on the padding, so that y is stored once for each 3x3 kernel."""
    rows, taps = places.shape
    for r in range(rows):
        for c in range(len(bias)):
            y[r, c] = bias[c]
        t = 0
        while t < taps:
            inside = t + 9 <= taps
            for tap in range(t, min(t + 9, taps)):
                inside = inside and places[r, tap] >= 0
            if inside:
                p0, p1, p2 = places[r, t], places[r, t + 1], places[r, t + 2]
                p3, p4, p5 = places[r, t + 3], places[r, t + 4], places[r, t + 5]
                p6, p7, p8 = places[r, t + 6], places[r, t + 7], places[r, t + 8]
                for c in range(len(bias)):
                    first = weight[t, c] * x[p0, c] + weight[t + 1, c] * x[p1, c] + weight[t + 2, c] * x[p2, c]
                    second = weight[t + 3, c] * x[p3, c] + weight[t + 4, c] * x[p4, c] + weight[t + 5, c] * x[p5, c]
                    third = weight[t + 6, c] * x[p6, c] + weight[t + 7, c] * x[p7, c] + weight[t + 8, c] * x[p8, c]
                    y[r, c] += first + second + third
            else:
                for tap in range(t, min(t + 9, taps)):
                    place = places[r, tap]
                    if place >= 0:
                        for c in range(len(bias)):
                            y[r, c] += weight[tap, c] * x[place, c]
            t += 9


@compiled
def _scatter(grad: Array, places: Array, weight: Array, dx: Array) -> None:
    (rows, taps), channels = places.shape, grad.shape[1]
    for r in range(rows):
        for tap in range(taps):
            place = places[r, tap]
            if place >= 0:
                for c in range(channels):
                    dx[place, c] += weight[tap, c] * grad[r, c]


@compiled
def _grad_weight(x: Array, grad: Array, places: Array, total: Array) -> None:
    """Four positions at a time where none falls on the padding, so that the sum is fetched and stored a quarter as often."""
    (rows, taps), channels = places.shape, grad.shape[1]
    for first in range(0, rows, 4):
        last = min(first + 4, rows)
        for tap in range(taps):
            inside = last - first == 4
            for r in range(first, last):
                inside = inside and places[r, tap] >= 0
            if inside:
                p0, p1, p2, p3 = (
                    places[first, tap],
                    places[first + 1, tap],
                    places[first + 2, tap],
                    places[first + 3, tap],
                )
                for c in range(channels):
                    total[tap, c] += (
                        grad[first, c] * x[p0, c]
                        + grad[first + 1, c] * x[p1, c]
                        + grad[first + 2, c] * x[p2, c]
                        + grad[first + 3, c] * x[p3, c]
                    )
            else:
                for r in range(first, last):
                    place = places[r, tap]
                    if place >= 0:
                        for c in range(channels):
                            total[tap, c] += grad[r, c] * x[place, c]
