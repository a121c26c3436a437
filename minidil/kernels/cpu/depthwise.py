"""Depthwise convolution, one filter per channel: directly, tap by tap on vectors of channels, for there is no matrix to multiply.

With a group per channel, im2col would hand BLAS matrices of one column. Here the taps (prod(K), C) and the inputs both have the
channels last, so each tap is one multiply-add of two contiguous vectors.
Source: Chollet 2017, "Xception", arXiv:1610.02357, section 1 (the depthwise part of a separable convolution).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from minidil.kernels.cpu import memory
from minidil.kernels.cpu.layout import Triple, channels_last, channels_second, compiled, volume, writable
from minidil.kernels.geometry import Window
from minidil.kernels.threads import run_sliced

Array = NDArray[Any]


def applies(channels: int, filters: int, groups: int) -> bool:
    """Whether every channel has one filter of its own."""
    return groups > 1 and channels == filters == groups


def conv_forward(x: Array, weight: Array, window: Window, groups: int = 1, bias: Array | None = None) -> Array:
    """x (N, C, *S), weight (C, 1, *K) -> (N, C, *O)."""
    v = volume(window)
    source, taps = channels_last(x), _taps(weight)
    y = memory.empty((len(x), *v.out, groups), x.dtype)
    offset = np.zeros(groups, x.dtype) if bias is None else writable(bias)

    def work(start: int, stop: int) -> None:
        _forward(source[start:stop], taps, offset, y[start:stop], v.kernel, v.stride, v.before, v.dilation)

    run_sliced(work, len(x))
    return channels_second(y, window.out)


def conv_grad_input(grad: Array, weight: Array, window: Window, groups: int = 1) -> Array:
    """dL/dx[i] = sum of w[k] G[o] over the outputs o that tap k carried x[i] to."""
    v = volume(window)
    upstream, taps = channels_last(grad), _taps(weight)
    dx = memory.zeros((len(grad), *v.size, groups), grad.dtype)

    def work(start: int, stop: int) -> None:
        _grad_input(upstream[start:stop], taps, dx[start:stop], v.kernel, v.stride, v.before, v.dilation)

    run_sliced(work, len(grad))
    return channels_second(dx, window.size)


def conv_grad_weight(x: Array, grad: Array, window: Window, groups: int = 1) -> Array:
    """dL/dw[k] = sum of G[o] x[i] over the same pairs: one partial sum per thread, added in order."""
    v = volume(window)
    source, upstream = channels_last(x), channels_last(grad)

    def work(start: int, stop: int) -> Array:
        total = np.zeros((window.taps, groups), x.dtype)
        _grad_weight(source[start:stop], upstream[start:stop], total, v.kernel, v.stride, v.before, v.dilation)
        return total

    total = np.asarray(sum(run_sliced(work, len(x))))
    return total.T.reshape(groups, 1, *window.kernel)


def _taps(weight: Array) -> Array:
    return np.ascontiguousarray(weight.reshape(weight.shape[0], -1).T)


@compiled
def _forward(
    x: Array, taps: Array, bias: Array, y: Array, kernel: Triple, stride: Triple, before: Triple, dilation: Triple
) -> None:
    images, depth, height, width, channels = x.shape
    for n in range(images):
        for od in range(y.shape[1]):
            for oh in range(y.shape[2]):
                for ow in range(y.shape[3]):
                    total = y[n, od, oh, ow]
                    for c in range(channels):
                        total[c] = bias[c]
                    tap = 0
                    for i in range(kernel[0]):
                        d = od * stride[0] + i * dilation[0] - before[0]
                        for j in range(kernel[1]):
                            h = oh * stride[1] + j * dilation[1] - before[1]
                            for k in range(kernel[2]):
                                w = ow * stride[2] + k * dilation[2] - before[2]
                                if 0 <= d < depth and 0 <= h < height and 0 <= w < width:
                                    value, factor = x[n, d, h, w], taps[tap]
                                    for c in range(channels):
                                        total[c] += factor[c] * value[c]
                                tap += 1


@compiled
def _grad_input(
    grad: Array, taps: Array, dx: Array, kernel: Triple, stride: Triple, before: Triple, dilation: Triple
) -> None:
    images, depth, height, width, channels = dx.shape
    for n in range(images):
        for od in range(grad.shape[1]):
            for oh in range(grad.shape[2]):
                for ow in range(grad.shape[3]):
                    upstream = grad[n, od, oh, ow]
                    tap = 0
                    for i in range(kernel[0]):
                        d = od * stride[0] + i * dilation[0] - before[0]
                        for j in range(kernel[1]):
                            h = oh * stride[1] + j * dilation[1] - before[1]
                            for k in range(kernel[2]):
                                w = ow * stride[2] + k * dilation[2] - before[2]
                                if 0 <= d < depth and 0 <= h < height and 0 <= w < width:
                                    target, factor = dx[n, d, h, w], taps[tap]
                                    for c in range(channels):
                                        target[c] += factor[c] * upstream[c]
                                tap += 1


@compiled
def _grad_weight(
    x: Array, grad: Array, total: Array, kernel: Triple, stride: Triple, before: Triple, dilation: Triple
) -> None:
    images, depth, height, width, channels = x.shape
    for n in range(images):
        for od in range(grad.shape[1]):
            for oh in range(grad.shape[2]):
                for ow in range(grad.shape[3]):
                    upstream = grad[n, od, oh, ow]
                    tap = 0
                    for i in range(kernel[0]):
                        d = od * stride[0] + i * dilation[0] - before[0]
                        for j in range(kernel[1]):
                            h = oh * stride[1] + j * dilation[1] - before[1]
                            for k in range(kernel[2]):
                                w = ow * stride[2] + k * dilation[2] - before[2]
                                if 0 <= d < depth and 0 <= h < height and 0 <= w < width:
                                    value, slope = x[n, d, h, w], total[tap]
                                    for c in range(channels):
                                        slope[c] += upstream[c] * value[c]
                                tap += 1
