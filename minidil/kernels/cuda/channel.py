"""Per-channel arithmetic, the substance of batch normalisation: x is (N, C, *S), a vector is (C,).

With `inner` positions to an image, element e of channel c (of its N inner ones) stands at ((e // inner) C + c) inner + e % inner.
A block of 256 threads takes a part of a channel; the parts' sums are added by `sum`.

Mean and variance come from one pass. With d = x - x_0, the distance to the channel's first element,
    mean = x_0 + sum(d)/n        and        var = sum(d^2)/n - (sum(d)/n)^2,
which is exact for every x_0. Without it (x_0 = 0) the two terms would nearly cancel where the variance is small beside the mean.
"""

from __future__ import annotations

import math

import numpy as np

from minidil.kernels.cuda.array import empty
from minidil.kernels.cuda.copy import take_slice
from minidil.kernels.cuda.device import (
    THREADS,
    WARPS,
    Array,
    block_sum,
    ceil_div,
    inline,
    run,
    run_each,
    thread_index,
    types,
)
from minidil.kernels.cuda.elementwise import gelu_of, gelu_slope
from minidil.kernels.cuda.launch import Kernel, kernel
from minidil.kernels.cuda.reduce import ENOUGH, sum
from minidil.kernels.cuda.seam import cuda, float32, uint32


@inline
def element(e: int, channel: int, channels: int, inner: int) -> int:
    """Where element e of a channel stands."""
    return uint32((uint32(e // inner) * channels + channel) * inner + e % inner)


@kernel(types("ffuuuu"))
def moment_parts(x: Array, sums: Array, count: int, channels: int, inner: int, parts: int) -> None:
    """sums (2, channels, parts): sum(d) and sum(d^2) of every part of every channel."""
    first, second = cuda.shared.array(WARPS, float32), cuda.shared.array(WARPS, float32)
    thread, block = uint32(cuda.threadIdx.x), uint32(cuda.blockIdx.x)
    channel, part = uint32(block // parts), uint32(block % parts)
    origin = x[uint32(channel * inner)]
    total, squares = float32(0), float32(0)
    for e in range(uint32(part * uint32(THREADS) + thread), count, uint32(parts * uint32(THREADS))):
        distance = x[element(e, channel, channels, inner)] - origin
        total += distance
        squares += distance * distance
    total = block_sum(total, first)
    squares = block_sum(squares, second)
    if thread == uint32(0):
        sums[block] = total
        sums[uint32(channels * parts + block)] = squares


@kernel(types("ffffuuuu"))
def dot_parts(
    grad: Array, x: Array, mean: Array, sums: Array, count: int, channels: int, inner: int, parts: int
) -> None:
    """sums (2, channels, parts): sum(grad) and sum(grad (x - mean)) of every part of every channel."""
    first, second = cuda.shared.array(WARPS, float32), cuda.shared.array(WARPS, float32)
    thread, block = uint32(cuda.threadIdx.x), uint32(cuda.blockIdx.x)
    channel, part = uint32(block // parts), uint32(block % parts)
    centre = mean[channel]
    total, product = float32(0), float32(0)
    for e in range(uint32(part * uint32(THREADS) + thread), count, uint32(parts * uint32(THREADS))):
        at = element(e, channel, channels, inner)
        total += grad[at]
        product += grad[at] * (x[at] - centre)
    total = block_sum(total, first)
    product = block_sum(product, second)
    if thread == uint32(0):
        sums[block] = total
        sums[uint32(channels * parts + block)] = product


@kernel(types("ffffuuu"))
def finish_moments(x: Array, sums: Array, mean: Array, variance: Array, count: int, channels: int, inner: int) -> None:
    channel = thread_index()
    if channel < channels:
        shift = sums[channel] / float32(count)
        mean[channel] = x[uint32(channel * inner)] + shift
        spread = sums[uint32(channels + channel)] / float32(count) - shift * shift
        # A NaN stays one; rounding can leave a little less than nothing.
        variance[channel] = float32(0) if spread < float32(0) else spread


@kernel(types("ffffuu"))
def affine(x: Array, scale: Array, shift: Array, y: Array, channels: int, inner: int) -> None:
    i = thread_index()
    if i < y.size:
        channel = uint32(uint32(i // inner) % channels)
        y[i] = scale[channel] * x[i] + shift[channel]


@kernel(types("ffffuu"))
def affine_relu(x: Array, scale: Array, shift: Array, y: Array, channels: int, inner: int) -> None:
    i = thread_index()
    if i < y.size:
        channel = uint32(uint32(i // inner) % channels)
        u = scale[channel] * x[i] + shift[channel]
        y[i] = float32(0) if u < float32(0) else u


@kernel(types("ffffuu"))
def affine_gelu(x: Array, scale: Array, shift: Array, y: Array, channels: int, inner: int) -> None:
    i = thread_index()
    if i < y.size:
        channel = uint32(uint32(i // inner) % channels)
        y[i] = gelu_of(scale[channel] * x[i] + shift[channel])


@kernel(types("fffffuu"))
def slope_relu(grad: Array, x: Array, scale: Array, shift: Array, y: Array, channels: int, inner: int) -> None:
    i = thread_index()
    if i < y.size:
        channel = uint32(uint32(i // inner) % channels)
        u = scale[channel] * x[i] + shift[channel]
        y[i] = float32(0) if u <= float32(0) else grad[i]


@kernel(types("fffffuu"))
def slope_gelu(grad: Array, x: Array, scale: Array, shift: Array, y: Array, channels: int, inner: int) -> None:
    i = thread_index()
    if i < y.size:
        channel = uint32(uint32(i // inner) % channels)
        y[i] = grad[i] * gelu_slope(scale[channel] * x[i] + shift[channel])


AFFINE = {None: affine, "relu": affine_relu, "gelu": affine_gelu}
SLOPE = {"relu": slope_relu, "gelu": slope_gelu}


@kernel(types("ffffffuu"))
def combine(grad: Array, x: Array, a: Array, b: Array, c: Array, y: Array, channels: int, inner: int) -> None:
    i = thread_index()
    if i < y.size:
        channel = uint32(uint32(i // inner) % channels)
        y[i] = a[channel] * grad[i] + b[channel] * x[i] + c[channel]


def channel_moments(x: Array) -> tuple[Array, Array]:
    """Mean and (biased) variance of every channel."""
    channels, inner = x.shape[1], math.prod(x.shape[2:])
    count = x.shape[0] * inner
    sums = _summed(moment_parts, x, channels, inner)
    mean, variance = empty((channels,), x.dtype), empty((channels,), x.dtype)
    run_each(finish_moments, channels, x, sums, mean, variance, *map(np.uint32, (count, channels, inner)))
    return mean, variance


def channel_dots(grad: Array, x: Array, mean: Array) -> tuple[Array, Array]:
    """For every channel, sum(grad) and sum(grad (x - mean))."""
    channels = x.shape[1]
    sums = _summed(dot_parts, grad, channels, math.prod(x.shape[2:]), x, mean)
    return take_slice(sums, 0), take_slice(sums, 1)


def channel_affine(x: Array, scale: Array, shift: Array, activation: str | None = None) -> Array:
    """f(scale x + shift), with one scale and one shift per channel; the activation f is None (none), "relu" or "gelu"."""
    y = empty(x.shape, x.dtype)
    run_each(AFFINE[activation], y.size, x, scale, shift, y, np.uint32(x.shape[1]), np.uint32(math.prod(x.shape[2:])))
    return y


def channel_slope_dots(
    grad: Array, x: Array, scale: Array, shift: Array, mean: Array, activation: str
) -> tuple[Array, Array, Array]:
    """H = grad f'(scale x + shift) for the activation f; and for every channel, sum(H) and sum(H (x - mean))."""
    slope = empty(x.shape, x.dtype)
    sizes = np.uint32(x.shape[1]), np.uint32(math.prod(x.shape[2:]))
    run_each(SLOPE[activation], slope.size, grad, x, scale, shift, slope, *sizes)
    return slope, *channel_dots(slope, x, mean)


def channel_combine(grad: Array, x: Array, a: Array, b: Array, c: Array) -> Array:
    """a grad + b x + c, with one a, b and c per channel."""
    y = empty(x.shape, x.dtype)
    run_each(combine, y.size, grad, x, a, b, c, y, np.uint32(x.shape[1]), np.uint32(math.prod(x.shape[2:])))
    return y


def _summed(kernel: Kernel, x: Array, channels: int, inner: int, *others: Array) -> Array:
    """The two sums of every channel, (2, channels)."""
    count = x.shape[0] * inner
    parts = max(1, min(ceil_div(count, 4 * THREADS), ceil_div(ENOUGH, max(channels, 1))))
    sums = empty((2, channels, parts), x.dtype)
    run(kernel, channels * parts, THREADS, x, *others, sums, *map(np.uint32, (count, channels, inner, parts)))
    return sum(sums, axis=2)
