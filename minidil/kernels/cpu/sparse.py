"""Gradients of a convolution when few numbers of dL/dy are not 0: each of those is taken by itself to all that it reaches.

The maximum over a sentence of 40 words passes its gradient on to one place of 40 for every filter. With i = s o + d k - p,

    dL/dx[i] += dL/dy[o, f] w[f, k]      and      dL/dw[f, k] += dL/dy[o, f] x[i],

and a term of which dL/dy is 0 is none. But 0 times infinity is not 0: factors that are not finite go another way.
"""

from __future__ import annotations

import math

import numpy as np

from minidil.array import Array
from minidil.kernels.cpu import memory, scale
from minidil.kernels.cpu.layout import as_channels, as_rows, compiled, tap_places, writable
from minidil.kernels.geometry import Window
from minidil.kernels.threads import run_sliced

_ONE_IN = 16  # numbers of dL/dy is not 0, at most: one by itself takes as long as five to ten in a product of matrices
_LEAST = 64  # channels of a group: with fewer the loop over them is too short
_AT_ONCE = 1024  # numbers that are counted, several to a vector, before the count is looked at


def pays(grad: Array, factor: Array, channels: int) -> bool:
    """Whether it is the faster way to multiply by a finite factor, x or weight, with so many channels to a group.

    The look at `grad` ends with the first number too many.
    """
    few = channels >= _LEAST and _few(writable(grad.ravel("K")), grad.size // _ONE_IN)
    return few and scale.finite(writable(factor.ravel("K")))


def conv_grad_input(grad: Array, weight: Array, window: Window, groups: int = 1) -> Array:
    """dL/dx. Each thread has images of its own."""
    filters, channels = weight.shape[:2]
    upstream, places = as_rows(grad).reshape(len(grad), math.prod(window.out), filters), tap_places(window)
    taps = writable(np.ascontiguousarray(weight.reshape(filters, channels, window.taps).transpose(0, 2, 1)))
    dx = memory.zeros((len(grad), math.prod(window.size), groups, channels), grad.dtype)
    run_sliced(lambda start, stop: _spread(upstream[start:stop], places, taps, dx[start:stop]), len(grad))
    return as_channels(dx.reshape(-1, groups * channels), len(grad), window.size)


def conv_grad_weight(x: Array, grad: Array, window: Window, groups: int = 1) -> Array:
    """dL/dweight: one partial sum per thread, added in order."""
    filters, channels = grad.shape[1], x.shape[1] // groups
    upstream, places = as_rows(grad).reshape(len(grad), math.prod(window.out), filters), tap_places(window)
    images = as_rows(x).reshape(len(x), math.prod(window.size), groups, channels)

    def work(start: int, stop: int) -> Array:
        total = memory.zeros((filters, window.taps, channels), x.dtype)
        _collect(upstream[start:stop], places, images[start:stop], total)
        return total

    total = np.asarray(sum(run_sliced(work, len(x))))
    return np.ascontiguousarray(total.transpose(0, 2, 1)).reshape(filters, channels, *window.kernel)


@compiled
def _few(numbers: Array, most: int) -> bool:
    """Whether no more than so many are not 0."""
    for start in range(0, len(numbers), _AT_ONCE):
        for number in numbers[start : start + _AT_ONCE]:
            most -= number != 0
        if most < 0:
            return False
    return True


@compiled
def _spread(upstream: Array, places: Array, taps: Array, dx: Array) -> None:
    """upstream (N, O, F), places (O, K) in an image or -1, taps (F, K, C), dx (N, S, G, C)."""
    for image in range(len(upstream)):
        for o in range(upstream.shape[1]):
            for f in range(upstream.shape[2]):
                number = upstream[image, o, f]
                if number != 0:
                    g = f * dx.shape[2] // len(taps)
                    for k in range(taps.shape[1]):
                        if places[o, k] >= 0:
                            to, weights = dx[image, places[o, k], g], taps[f, k]
                            for c in range(len(to)):
                                to[c] += number * weights[c]


@compiled
def _collect(upstream: Array, places: Array, x: Array, total: Array) -> None:
    """The same walk with x (N, S, G, C) and total (F, K, C)."""
    for image in range(len(upstream)):
        for o in range(upstream.shape[1]):
            for f in range(upstream.shape[2]):
                number = upstream[image, o, f]
                if number != 0:
                    g = f * x.shape[2] // len(total)
                    for k in range(total.shape[1]):
                        if places[o, k] >= 0:
                            to, values = total[f, k], x[image, places[o, k], g]
                            for c in range(len(to)):
                                to[c] += number * values[c]
