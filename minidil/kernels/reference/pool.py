"""Pooling: the largest tap of every window, the sum of its taps, and their adjoints. x (N, C, *S), outputs (N, C, *O)."""

from __future__ import annotations

import numpy as np

from minidil.array import Array
from minidil.kernels.geometry import Window
from minidil.kernels.reference.conv import patches, touched, unpad


def max_pool(x: Array, window: Window) -> tuple[Array, Array]:
    """The largest tap of every window, y (N, C, *O), and which tap it was: of equal ones the first in row-major order."""
    fill = -np.inf if x.dtype.kind == "f" else False if x.dtype == bool else np.iinfo(x.dtype).min
    taps = patches(x, window, fill).reshape(*x.shape[:2], window.taps, *window.out)
    winner = np.argmax(taps, axis=2)
    y = np.take_along_axis(taps, np.expand_dims(winner, 2), axis=2).squeeze(2)
    inside = patches(np.ones((1, 1, *window.size), bool), window).reshape(1, 1, window.taps, *window.out)
    # A window of nothing but the fill value ties with its padding: its first tap that is no padding wins.
    return y, np.where(y == fill, np.argmax(inside, axis=2), winner).astype(np.int32)


def max_pool_grad(grad: Array, winner: Array, window: Window) -> Array:
    """The adjoint: every output's gradient goes to the tap that won."""
    padded = np.zeros((*grad.shape[:2], *window.padded), grad.dtype)
    for number, tap in enumerate(np.ndindex(*window.kernel)):
        padded[touched(tap, window)] += np.where(winner == number, grad, grad.dtype.type(0))
    return unpad(padded, window)


def window_sum(x: Array, window: Window) -> Array:
    """The sum of every window's taps, (N, C, *O); padding counts as 0."""
    return patches(x, window).sum(axis=tuple(range(2, 2 + len(window.kernel))))


def window_spread(grad: Array, window: Window) -> Array:
    """The adjoint of `window_sum`: every output's gradient goes to all of its taps."""
    padded = np.zeros((*grad.shape[:2], *window.padded), grad.dtype)
    for tap in np.ndindex(*window.kernel):
        padded[touched(tap, window)] += grad
    return unpad(padded, window)
