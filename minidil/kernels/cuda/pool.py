"""Pooling. Forward, a thread computes one output; backward, a thread collects one element of the input's gradient.

Scattering gradients from outputs to inputs would have several threads add to one element, with atomic additions whose order
changes from run to run. Instead every input asks which outputs could have seen it: it has at most as many as the window has taps.
That is a walk over the taps of the turned geometry (see `window`), so the sum over windows is its own adjoint.
"""

from __future__ import annotations

import numpy as np

from minidil.kernels.cuda.array import empty
from minidil.kernels.cuda.device import Array, Sizes, run_each, thread_index, types
from minidil.kernels.cuda.launch import kernel
from minidil.kernels.cuda.seam import float32, int32
from minidil.kernels.cuda.window import KERNEL, axes, geometry, inside, output, place, position, turned
from minidil.kernels.geometry import Window


@kernel(types("ffig"), types("iiig"))
def max_taps(x: Array, y: Array, winner: Array, g: Sizes) -> None:
    """The largest number that each window sees, and the tap that saw it."""
    i = thread_index()
    if i < y.size:
        deep, high, wide = axes(g)
        plane, oz, oh, ow = output(i, g)
        best, which, tap = y.dtype.type(0), int32(-1), int32(0)
        for a in range(deep[KERNEL]):
            z = position(oz, a, deep)
            for b in range(high[KERNEL]):
                h = position(oh, b, high)
                for c in range(wide[KERNEL]):
                    w = position(ow, c, wide)
                    if inside(z, deep) and inside(h, high) and inside(w, wide):
                        value = x[place(plane, z, h, w, deep, high, wide)]
                        # The first of equal ones wins, and nothing beats a NaN, the only number that differs from itself.
                        if which < 0 or (best == best and not value <= best):
                            best, which = value, tap
                    tap = int32(tap + 1)
        y[i], winner[i] = best, which


@kernel(types("fifg"))
def sum_won(grad: Array, winner: Array, dx: Array, g: Sizes) -> None:
    """g: turned. The sum of the gradients of the windows that an input has won."""
    i = thread_index()
    if i < dx.size:
        deep, high, wide = axes(g)
        plane, z, h, w = output(i, g)
        total, tap = float32(0), int32(0)
        for a in range(deep[KERNEL]):
            oz = position(z, a, deep)
            for b in range(high[KERNEL]):
                oh = position(h, b, high)
                for c in range(wide[KERNEL]):
                    ow = position(w, c, wide)
                    if inside(oz, deep) and inside(oh, high) and inside(ow, wide):
                        o = place(plane, oz, oh, ow, deep, high, wide)
                        if winner[o] == tap:
                            total += grad[o]
                    tap = int32(tap + 1)
        dx[i] = total


@kernel(types("ffg"))
def sum_taps(x: Array, y: Array, g: Sizes) -> None:
    """The sum of what each window sees."""
    i = thread_index()
    if i < y.size:
        deep, high, wide = axes(g)
        plane, oz, oh, ow = output(i, g)
        total = float32(0)
        for a in range(deep[KERNEL]):
            z = position(oz, a, deep)
            for b in range(high[KERNEL]):
                h = position(oh, b, high)
                for c in range(wide[KERNEL]):
                    w = position(ow, c, wide)
                    if inside(z, deep) and inside(h, high) and inside(w, wide):
                        total += x[place(plane, z, h, w, deep, high, wide)]
        y[i] = total


def max_pool(x: Array, window: Window) -> tuple[Array, Array]:
    """The largest tap of every window, y (N, C, *O), and which tap it was: of equal ones the first in row-major order."""
    y, winner = empty((*x.shape[:2], *window.out), x.dtype), empty((*x.shape[:2], *window.out), np.int32)
    run_each(max_taps, y.size, x, y, winner, geometry(window))
    return y, winner


def max_pool_grad(grad: Array, winner: Array, window: Window) -> Array:
    """The adjoint: every output's gradient goes to the tap that won."""
    dx = empty((*grad.shape[:2], *window.size), grad.dtype)
    run_each(sum_won, dx.size, grad, winner, dx, turned(geometry(window)))
    return dx


def window_sum(x: Array, window: Window) -> Array:
    """The sum of every window's taps, (N, C, *O); padding counts as 0."""
    y = empty((*x.shape[:2], *window.out), x.dtype)
    run_each(sum_taps, y.size, x, y, geometry(window))
    return y


def window_spread(grad: Array, window: Window) -> Array:
    """The adjoint of `window_sum`: every output's gradient goes to all of its taps."""
    dx = empty((*grad.shape[:2], *window.size), grad.dtype)
    run_each(sum_taps, dx.size, grad, dx, turned(geometry(window)))
    return dx
