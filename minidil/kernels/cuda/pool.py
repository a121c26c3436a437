"""Pooling. Forward, a thread computes one output; backward, a thread collects one element of the input's gradient.

Scattering gradients from outputs to inputs would have several threads add to one element, with atomic additions whose order
changes from run to run. Instead every input asks which outputs could have seen it: it has at most as many as the window has taps.
"""

from __future__ import annotations

import numpy as np

from minidil.kernels.cuda.array import empty
from minidil.kernels.cuda.grid import Array, Triple, run_each, thread_index, types
from minidil.kernels.cuda.launch import kernel
from minidil.kernels.cuda.seam import float32, int32, uint32
from minidil.kernels.cuda.window import GEOMETRY, coordinates, geometry, inside, output, position
from minidil.kernels.geometry import Window


@kernel(types("ffi" + GEOMETRY), types("iii" + GEOMETRY))
def max_forward(
    x: Array,
    y: Array,
    winner: Array,
    size: Triple,
    kernel: Triple,
    stride: Triple,
    before: Triple,
    dilation: Triple,
    out: Triple,
) -> None:
    i = thread_index()
    if i < y.size:
        plane, oz, oy, ox = coordinates(i, out)
        best, which, tap = y.dtype.type(0), int32(-1), int32(0)
        for a in range(kernel[0]):
            z = position(oz, a, stride[0], before[0], dilation[0])
            for b in range(kernel[1]):
                h = position(oy, b, stride[1], before[1], dilation[1])
                for c in range(kernel[2]):
                    w = position(ox, c, stride[2], before[2], dilation[2])
                    if inside(z, size[0]) and inside(h, size[1]) and inside(w, size[2]):
                        value = x[uint32(((plane * size[0] + z) * size[1] + h) * size[2] + w)]
                        # The first of equal ones wins, and nothing beats a NaN, the only number that differs from itself.
                        if which < 0 or (best == best and not value <= best):
                            best, which = value, tap
                    tap = int32(tap + 1)
        y[i], winner[i] = best, which


@kernel(types("fif" + GEOMETRY))
def max_backward(
    grad: Array,
    winner: Array,
    dx: Array,
    size: Triple,
    kernel: Triple,
    stride: Triple,
    before: Triple,
    dilation: Triple,
    out: Triple,
) -> None:
    i = thread_index()
    if i < dx.size:
        plane, z, h, w = coordinates(i, size)
        total, tap = float32(0), int32(0)
        for a in range(kernel[0]):
            oz = output(z, a, stride[0], before[0], dilation[0], out[0])
            for b in range(kernel[1]):
                oy = output(h, b, stride[1], before[1], dilation[1], out[1])
                for c in range(kernel[2]):
                    ox = output(w, c, stride[2], before[2], dilation[2], out[2])
                    if oz >= 0 and oy >= 0 and ox >= 0:
                        o = uint32(((plane * out[0] + oz) * out[1] + oy) * out[2] + ox)
                        if winner[o] == tap:
                            total += grad[o]
                    tap = int32(tap + 1)
        dx[i] = total


@kernel(types("ff" + GEOMETRY))
def sum_forward(
    x: Array,
    y: Array,
    size: Triple,
    kernel: Triple,
    stride: Triple,
    before: Triple,
    dilation: Triple,
    out: Triple,
) -> None:
    i = thread_index()
    if i < y.size:
        plane, oz, oy, ox = coordinates(i, out)
        total = float32(0)
        for a in range(kernel[0]):
            z = position(oz, a, stride[0], before[0], dilation[0])
            for b in range(kernel[1]):
                h = position(oy, b, stride[1], before[1], dilation[1])
                for c in range(kernel[2]):
                    w = position(ox, c, stride[2], before[2], dilation[2])
                    if inside(z, size[0]) and inside(h, size[1]) and inside(w, size[2]):
                        total += x[uint32(((plane * size[0] + z) * size[1] + h) * size[2] + w)]
        y[i] = total


@kernel(types("ff" + GEOMETRY))
def sum_backward(
    grad: Array,
    dx: Array,
    size: Triple,
    kernel: Triple,
    stride: Triple,
    before: Triple,
    dilation: Triple,
    out: Triple,
) -> None:
    i = thread_index()
    if i < dx.size:
        plane, z, h, w = coordinates(i, size)
        total = float32(0)
        for a in range(kernel[0]):
            oz = output(z, a, stride[0], before[0], dilation[0], out[0])
            for b in range(kernel[1]):
                oy = output(h, b, stride[1], before[1], dilation[1], out[1])
                for c in range(kernel[2]):
                    ox = output(w, c, stride[2], before[2], dilation[2], out[2])
                    if oz >= 0 and oy >= 0 and ox >= 0:
                        total += grad[uint32(((plane * out[0] + oz) * out[1] + oy) * out[2] + ox)]
        dx[i] = total


def max_pool(x: Array, window: Window) -> tuple[Array, Array]:
    """The largest tap of every window, y (N, C, *O), and which tap it was: of equal ones the first in row-major order."""
    y, winner = empty((*x.shape[:2], *window.out), x.dtype), empty((*x.shape[:2], *window.out), np.int32)
    run_each(max_forward, y.size, x, y, winner, *geometry(window))
    return y, winner


def max_pool_grad(grad: Array, winner: Array, window: Window) -> Array:
    """The adjoint: every output's gradient goes to the tap that won."""
    dx = empty((*grad.shape[:2], *window.size), grad.dtype)
    run_each(max_backward, dx.size, grad, winner, dx, *geometry(window))
    return dx


def window_sum(x: Array, window: Window) -> Array:
    """The sum of every window's taps, (N, C, *O); padding counts as 0."""
    y = empty((*x.shape[:2], *window.out), x.dtype)
    run_each(sum_forward, y.size, x, y, *geometry(window))
    return y


def window_spread(grad: Array, window: Window) -> Array:
    """The adjoint of `window_sum`: every output's gradient goes to all of its taps."""
    dx = empty((*grad.shape[:2], *window.size), grad.dtype)
    run_each(sum_backward, dx.size, grad, dx, *geometry(window))
    return dx
