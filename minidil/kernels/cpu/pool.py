"""Max-pooling, channels-last: the taps of a window are compared a vector of channels at a time."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from minidil.kernels.cpu import memory
from minidil.kernels.cpu.layout import Triple, channels_last, channels_second, compiled, volume
from minidil.kernels.geometry import Window
from minidil.kernels.threads import run_sliced

Array = NDArray[Any]


def max_pool(x: Array, window: Window) -> tuple[Array, Array]:
    """The largest tap of every window and its number; see the reference."""
    v = volume(window)
    source = channels_last(x)
    y = memory.empty((x.shape[0], *v.out, x.shape[1]), x.dtype)
    winner = memory.empty(y.shape, np.int32)

    def work(start: int, stop: int) -> None:
        part = slice(start, stop)
        _largest(source[part], y[part], winner[part], v.kernel, v.stride, v.before, v.dilation)

    run_sliced(work, len(y))
    return channels_second(y, window.out), channels_second(winner, window.out)


def max_pool_grad(grad: Array, winner: Array, window: Window) -> Array:
    """Every output's gradient is added at the tap that won."""
    v = volume(window)
    rows, taps = channels_last(grad), channels_last(winner)
    dx = memory.zeros((grad.shape[0], *v.size, grad.shape[1]), grad.dtype)

    def work(start: int, stop: int) -> None:
        part = slice(start, stop)
        _return(rows[part], taps[part], dx[part], v.kernel, v.stride, v.before, v.dilation)

    run_sliced(work, len(dx))
    return channels_second(dx, window.size)


@compiled
def _largest(
    x: Array, y: Array, winner: Array, kernel: Triple, stride: Triple, before: Triple, dilation: Triple
) -> None:
    images, depth, height, width, channels = x.shape
    for n in range(images):
        for od in range(y.shape[1]):
            for oh in range(y.shape[2]):
                for ow in range(y.shape[3]):
                    best, which = y[n, od, oh, ow], winner[n, od, oh, ow]
                    tap, fresh = 0, True
                    for i in range(kernel[0]):
                        d = od * stride[0] + i * dilation[0] - before[0]
                        for j in range(kernel[1]):
                            h = oh * stride[1] + j * dilation[1] - before[1]
                            for k in range(kernel[2]):
                                w = ow * stride[2] + k * dilation[2] - before[2]
                                if 0 <= d < depth and 0 <= h < height and 0 <= w < width:
                                    value = x[n, d, h, w]
                                    for c in range(channels):
                                        # `not <=` instead of `>`: like NumPy's, the maximum with a NaN is NaN
                                        larger = fresh or (not value[c] <= best[c] and best[c] == best[c])
                                        best[c] = value[c] if larger else best[c]
                                        which[c] = tap if larger else which[c]
                                    fresh = False
                                tap += 1


@compiled
def _return(
    grad: Array, winner: Array, dx: Array, kernel: Triple, stride: Triple, before: Triple, dilation: Triple
) -> None:
    images, depth, height, width, channels = dx.shape
    for n in range(images):
        for od in range(grad.shape[1]):
            for oh in range(grad.shape[2]):
                for ow in range(grad.shape[3]):
                    upstream, which = grad[n, od, oh, ow], winner[n, od, oh, ow]
                    tap = 0
                    for i in range(kernel[0]):
                        d = od * stride[0] + i * dilation[0] - before[0]
                        for j in range(kernel[1]):
                            h = oh * stride[1] + j * dilation[1] - before[1]
                            for k in range(kernel[2]):
                                w = ow * stride[2] + k * dilation[2] - before[2]
                                if 0 <= d < depth and 0 <= h < height and 0 <= w < width:
                                    target = dx[n, d, h, w]
                                    for c in range(channels):
                                        target[c] += upstream[c] if which[c] == tap else 0
                                tap += 1
