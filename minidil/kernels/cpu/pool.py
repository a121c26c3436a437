"""Pooling, channels-last: the taps of a window are compared, or added, a vector of channels at a time."""

from __future__ import annotations

import math
from typing import Any

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
    """The first four taps in one pass where none of them is on the padding: those of a 2x2 window."""
    (outputs, taps), channels = places.shape, x.shape[2]
    for r in range(start, stop):
        image, o = r // outputs, r % outputs
        row = y[image, o]
        done = 4 if taps >= 4 and min(places[o, 0], places[o, 1], places[o, 2], places[o, 3]) >= 0 else 0
        if done:
            x0, x1, x2, x3 = (
                x[image, places[o, 0]],
                x[image, places[o, 1]],
                x[image, places[o, 2]],
                x[image, places[o, 3]],
            )
            for c in range(channels):
                row[c] = _larger_of(_larger_of(x0[c], x1[c]), _larger_of(x2[c], x3[c]))
        fresh = done == 0
        for tap in range(done, taps):
            place = places[o, tap]
            if place < 0:
                continue
            source = x[image, place]
            if fresh:
                for c in range(channels):
                    row[c] = source[c]
            else:
                for c in range(channels):
                    row[c] = _larger_of(row[c], source[c])
            fresh = False


@compiled
def _wins(value: Any, best: Any) -> Any:
    """Whether a number is larger than the best before it; like NumPy's, the maximum with a NaN is NaN."""
    return not value <= best and best == best


@compiled
def _larger_of(best: Any, value: Any) -> Any:
    return value if _wins(value, best) else best


@compiled
def _largest(x: Array, places: Array, y: Array, winner: Array) -> None:
    """The first four taps in one pass where none of them is on the padding: those of a 2x2 window."""
    (rows, taps), channels = places.shape, x.shape[1]
    for r in range(rows):
        done = 4 if taps >= 4 and min(places[r, 0], places[r, 1], places[r, 2], places[r, 3]) >= 0 else 0
        if done:
            p0, p1, p2, p3 = places[r, 0], places[r, 1], places[r, 2], places[r, 3]
            for c in range(channels):
                first, at_first = _larger(x[p0, c], np.int32(0), x[p1, c], np.int32(1))
                second, at_second = _larger(x[p2, c], np.int32(2), x[p3, c], np.int32(3))
                y[r, c], winner[r, c] = _larger(first, at_first, second, at_second)
        fresh = done == 0
        for tap in range(done, taps):
            place, number = places[r, tap], np.int32(tap)
            if place < 0:
                continue
            if fresh:
                for c in range(channels):
                    y[r, c] = x[place, c]
                    winner[r, c] = number
            else:
                for c in range(channels):
                    y[r, c], winner[r, c] = _larger(y[r, c], winner[r, c], x[place, c], number)
            fresh = False


@compiled
def _larger(best: Any, number: Any, value: Any, other: Any) -> tuple[Any, Any]:
    """The larger of two numbers, of equal ones the first, and its tap."""
    larger = _wins(value, best)
    return (value if larger else best), (other if larger else number)


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
    """The first four taps in one pass where none of them is on the padding: those of a 2x2 window."""
    (rows, taps), channels = places.shape, x.shape[1]
    for r in range(rows):
        done = 4 if taps >= 4 and min(places[r, 0], places[r, 1], places[r, 2], places[r, 3]) >= 0 else 0
        if done:
            p0, p1, p2, p3 = places[r, 0], places[r, 1], places[r, 2], places[r, 3]
            for c in range(channels):
                y[r, c] = x[p0, c] + x[p1, c] + x[p2, c] + x[p3, c]
        else:
            for c in range(channels):
                y[r, c] = 0
        for tap in range(done, taps):
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
