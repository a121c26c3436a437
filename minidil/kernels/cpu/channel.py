"""Per-channel arithmetic, the substance of batch normalisation: each pass reads the memory once, on all threads.

An array (N, C, *S) is taken as rows of C contiguous numbers. Sums are kept in float64, one per thread and channel, and added in
the order of the threads.
"""

from __future__ import annotations

import numpy as np

from minidil.array import Array
from minidil.kernels.cpu import memory
from minidil.kernels.cpu.gaussian import gelu_of, gelu_slope_of
from minidil.kernels.cpu.layout import as_channels, as_rows, compiled, writable
from minidil.kernels.threads import run_sliced


def channel_moments(x: Array) -> tuple[Array, Array]:
    """Mean and (biased) variance of every channel."""
    rows = as_rows(x)
    origin = rows[0].astype(
        np.float64
    )  # sums of x - origin: a variance that is small beside the mean is not lost in rounding
    count = len(rows)
    total, squares = sum(run_sliced(lambda start, stop: _moments(rows[start:stop], origin), count))
    shift = total / count
    return (origin + shift).astype(x.dtype), (squares / count - shift**2).clip(0).astype(x.dtype)


def channel_dots(grad: Array, x: Array, mean: Array) -> tuple[Array, Array]:
    """For every channel, sum(grad) and sum(grad (x - mean))."""
    gradients, rows = as_rows(grad), as_rows(x)
    centre = writable(mean)
    sums = run_sliced(lambda start, stop: _dots(gradients[start:stop], rows[start:stop], centre), len(rows))
    total, product = sum(sums)
    return total.astype(x.dtype), product.astype(x.dtype)


def channel_affine(x: Array, scale: Array, shift: Array, activation: str | None = None) -> Array:
    """f(scale x + shift), with one scale and one shift per channel; the activation f is None (none), "relu" or "gelu"."""
    rows = as_rows(x)
    y = memory.empty(rows.shape, rows.dtype)
    a, b = writable(scale), writable(shift)
    kernel = {None: _affine, "relu": _affine_relu, "gelu": _affine_gelu}[activation]
    run_sliced(lambda start, stop: kernel(rows[start:stop], y[start:stop], a, b), len(rows))
    return as_channels(y, len(x), x.shape[2:])


def channel_slope_dots(
    grad: Array, x: Array, scale: Array, shift: Array, mean: Array, activation: str
) -> tuple[Array, Array, Array]:
    """H = grad f'(scale x + shift) for the activation f; and for every channel, sum(H) and sum(H (x - mean))."""
    gradients, rows = as_rows(grad), as_rows(x)
    slope = memory.empty(rows.shape, rows.dtype)
    a, b, centre = writable(scale), writable(shift), writable(mean)
    kernel = {"relu": _slope_dots_relu, "gelu": _slope_dots_gelu}[activation]

    def work(start: int, stop: int) -> Array:
        return kernel(gradients[start:stop], rows[start:stop], slope[start:stop], a, b, centre)

    total, product = np.asarray(sum(run_sliced(work, len(rows))))
    return as_channels(slope, len(x), x.shape[2:]), total.astype(x.dtype), product.astype(x.dtype)


def channel_combine(grad: Array, x: Array, a: Array, b: Array, c: Array) -> Array:
    """a grad + b x + c, with one a, b and c per channel."""
    gradients, rows = as_rows(grad), as_rows(x)
    y = memory.empty(rows.shape, rows.dtype)
    a, b, c = writable(a), writable(b), writable(c)
    run_sliced(lambda start, stop: _combine(gradients[start:stop], rows[start:stop], y[start:stop], a, b, c), len(rows))
    return as_channels(y, len(x), x.shape[2:])


@compiled
def _moments(x: Array, origin: Array) -> Array:
    rows, channels = x.shape
    sums = np.zeros((2, channels))
    for r in range(rows):
        for c in range(channels):
            value = np.float64(x[r, c]) - origin[c]
            sums[0, c] += value
            sums[1, c] += value * value
    return sums


@compiled
def _dots(grad: Array, x: Array, centre: Array) -> Array:
    rows, channels = x.shape
    sums = np.zeros((2, channels))
    for r in range(rows):
        for c in range(channels):
            sums[0, c] += grad[r, c]
            sums[1, c] += grad[r, c] * (x[r, c] - centre[c])
    return sums


@compiled
def _affine(x: Array, y: Array, scale: Array, shift: Array) -> None:
    rows, channels = x.shape
    for r in range(rows):
        for c in range(channels):
            y[r, c] = scale[c] * x[r, c] + shift[c]


@compiled
def _affine_relu(x: Array, y: Array, scale: Array, shift: Array) -> None:
    rows, channels = x.shape
    for r in range(rows):
        for c in range(channels):
            u = scale[c] * x[r, c] + shift[c]
            y[r, c] = 0 if u < 0 else u


@compiled
def _affine_gelu(x: Array, y: Array, scale: Array, shift: Array) -> None:
    rows, channels = x.shape
    for r in range(rows):
        for c in range(channels):
            y[r, c] = gelu_of(scale[c] * x[r, c] + shift[c])


@compiled
def _slope_dots_relu(grad: Array, x: Array, slope: Array, scale: Array, shift: Array, centre: Array) -> Array:
    rows, channels = x.shape
    sums, zero = np.zeros((2, channels)), grad.dtype.type(0)
    for r in range(rows):
        # Two loops, the first of which reads grad in any case: so both become vector instructions, up to nine times as fast.
        for c in range(channels):
            h = grad[r, c]
            slope[r, c] = zero if scale[c] * x[r, c] + shift[c] <= 0 else h
        for c in range(channels):
            sums[0, c] += slope[r, c]
            sums[1, c] += slope[r, c] * (x[r, c] - centre[c])
    return sums


@compiled
def _slope_dots_gelu(grad: Array, x: Array, slope: Array, scale: Array, shift: Array, centre: Array) -> Array:
    rows, channels = x.shape
    sums = np.zeros((2, channels))
    for r in range(rows):
        for c in range(channels):
            h = grad[r, c] * gelu_slope_of(scale[c] * x[r, c] + shift[c])
            slope[r, c] = h
            sums[0, c] += h
            sums[1, c] += h * (x[r, c] - centre[c])
    return sums


@compiled
def _combine(grad: Array, x: Array, y: Array, a: Array, b: Array, c: Array) -> None:
    rows, channels = x.shape
    for r in range(rows):
        for i in range(channels):
            y[r, i] = a[i] * grad[r, i] + b[i] * x[r, i] + c[i]
