"""Depthwise convolution, one filter per channel: directly, tap by tap on vectors of channels, for there is no matrix to multiply.

With a group per channel, im2col would hand BLAS matrices of one column. Here the taps (prod(K), C) and the inputs both have the
channels last, so each tap is one multiply-add of two contiguous vectors.
Source: Chollet 2017, "Xception", arXiv:1610.02357, section 1 (the depthwise part of a separable convolution).
"""

from __future__ import annotations

import math
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
    """dL/dx[i] = sum of w[k] G[o] over the outputs o that tap k carried x[i] to. A thread owns whole images."""
    upstream, taps, images = as_rows(grad), _taps(weight), len(grad)
    dx = memory.zeros((images * math.prod(window.size), groups), grad.dtype)
    positions = math.prod(window.out)

    def work(start: int, stop: int) -> None:
        for first, last, places in walk(window, start * positions, stop * positions, _ROWS):
            _grad_input(upstream[first:last], places, taps, dx)

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


@compiled
def _forward(x: Array, places: Array, weight: Array, bias: Array, y: Array) -> None:
    rows, taps = places.shape
    for r in range(rows):
        for c in range(len(bias)):
            y[r, c] = bias[c]
        for tap in range(taps):
            place = places[r, tap]
            if place >= 0:
                for c in range(len(bias)):
                    y[r, c] += weight[tap, c] * x[place, c]


@compiled
def _grad_input(grad: Array, places: Array, weight: Array, dx: Array) -> None:
    (rows, taps), channels = places.shape, grad.shape[1]
    for r in range(rows):
        for tap in range(taps):
            place = places[r, tap]
            if place >= 0:
                for c in range(channels):
                    dx[place, c] += weight[tap, c] * grad[r, c]


@compiled
def _grad_weight(x: Array, grad: Array, places: Array, total: Array) -> None:
    (rows, taps), channels = places.shape, grad.shape[1]
    for r in range(rows):
        for tap in range(taps):
            place = places[r, tap]
            if place >= 0:
                for c in range(channels):
                    total[tap, c] += grad[r, c] * x[place, c]
