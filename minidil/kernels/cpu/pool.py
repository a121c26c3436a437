"""Pooling, channels-last: the taps of a window are compared, or added, a vector of channels at a time."""

from __future__ import annotations

import math

import numpy as np

from minidil.array import Array
from minidil.kernels.cpu import memory
from minidil.kernels.cpu.layout import as_channels, as_rows, compiled, walk
from minidil.kernels.geometry import Window
from minidil.kernels.threads import run_sliced

_ROWS = 1024  # output positions at a time


def max_pool(x: Array, window: Window) -> tuple[Array, Array]:
    """The largest tap of every window and its number; see the reference."""
    source, images = as_rows(x), len(x)
    y = memory.empty((images * math.prod(window.out), x.shape[1]), x.dtype)
    winner = memory.empty(y.shape, np.int32)

    def work(start: int, stop: int) -> None:
        for first, last, places in walk(window, start, stop, _ROWS):
            _largest(source, places, y[first:last], winner[first:last])

    run_sliced(work, len(y))
    return as_channels(y, images, window.out), as_channels(winner, images, window.out)


def max_pool_grad(grad: Array, winner: Array, window: Window) -> Array:
    """Every output's gradient is added at the tap that won. A thread owns whole images, so none meets another."""
    upstream, which, images = as_rows(grad), as_rows(winner), len(grad)
    dx = memory.zeros((images * math.prod(window.size), grad.shape[1]), grad.dtype)
    positions = math.prod(window.out)

    def work(start: int, stop: int) -> None:
        for first, last, places in walk(window, start * positions, stop * positions, _ROWS):
            _return(upstream[first:last], which[first:last], places, dx)

    run_sliced(work, images)
    return as_channels(dx, images, window.size)


def window_sum(x: Array, window: Window) -> Array:
    """The sum of every window's taps."""
    source, images = as_rows(x), len(x)
    y = memory.empty((images * math.prod(window.out), x.shape[1]), x.dtype)

    def work(start: int, stop: int) -> None:
        for first, last, places in walk(window, start, stop, _ROWS):
            _add_up(source, places, y[first:last])

    run_sliced(work, len(y))
    return as_channels(y, images, window.out)


def window_spread(grad: Array, window: Window) -> Array:
    """Every output's gradient is added at all of its taps. A thread owns whole images, so none meets another."""
    upstream, images, positions = as_rows(grad), len(grad), math.prod(window.out)
    dx = memory.zeros((images * math.prod(window.size), grad.shape[1]), grad.dtype)

    def work(start: int, stop: int) -> None:
        for first, last, places in walk(window, start * positions, stop * positions, _ROWS):
            _spread(upstream[first:last], places, dx)

    run_sliced(work, images)
    return as_channels(dx, images, window.size)


def largest_into(x: Array, places: Array, y: Array) -> None:
    """y (N, outputs, C) = the largest taps of x (N, positions, C) without their numbers; places: `tap_places` of the window."""
    outputs = len(places)
    run_sliced(lambda start, stop: _largest_only(x, places, y, start, stop), len(x) * outputs)


@compiled
def _largest_only(x: Array, places: Array, y: Array, start: int, stop: int) -> None:
    (outputs, taps), channels = places.shape, x.shape[2]
    for r in range(start, stop):
        image, o = r // outputs, r % outputs
        row = y[image, o]
        fresh = True
        for tap in range(taps):
            place = places[o, tap]
            if place < 0:
                continue
            source = x[image, place]
            if fresh:
                for c in range(channels):
                    row[c] = source[c]
            else:
                for c in range(channels):
                    value, best = source[c], row[c]
                    row[c] = value if not value <= best and best == best else best
            fresh = False


@compiled
def _largest(x: Array, places: Array, y: Array, winner: Array) -> None:
    (rows, taps), channels = places.shape, x.shape[1]
    for r in range(rows):
        fresh = True
        for tap in range(taps):
            place, number = places[r, tap], np.int32(tap)
            if place < 0:
                continue
            if fresh:
                for c in range(channels):
                    y[r, c] = x[place, c]
                    winner[r, c] = number
            else:
                for c in range(channels):
                    value, best = x[place, c], y[r, c]
                    # `not <=` instead of `>`: like NumPy's, the maximum with a NaN is NaN
                    larger = not value <= best and best == best
                    y[r, c] = value if larger else best
                    winner[r, c] = number if larger else winner[r, c]
            fresh = False


@compiled
def _return(grad: Array, winner: Array, places: Array, dx: Array) -> None:
    (rows, taps), channels, none = places.shape, grad.shape[1], grad.dtype.type(0)
    for r in range(rows):
        for tap in range(taps):
            place, number = places[r, tap], np.int32(tap)
            if place >= 0:
                for c in range(channels):
                    dx[place, c] += grad[r, c] if winner[r, c] == number else none


@compiled
def _add_up(x: Array, places: Array, y: Array) -> None:
    (rows, taps), channels = places.shape, x.shape[1]
    for r in range(rows):
        for c in range(channels):
            y[r, c] = 0
        for tap in range(taps):
            place = places[r, tap]
            if place >= 0:
                for c in range(channels):
                    y[r, c] += x[place, c]


@compiled
def _spread(grad: Array, places: Array, dx: Array) -> None:
    (rows, taps), channels = places.shape, grad.shape[1]
    for r in range(rows):
        for tap in range(taps):
            place = places[r, tap]
            if place >= 0:
                for c in range(channels):
                    dx[place, c] += grad[r, c]
