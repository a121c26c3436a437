"""Arithmetic by channel, of which normalisation is made: x is (N, C, *S), a vector is (C,)."""

from __future__ import annotations

import numpy as np

from minidil.array import Array
from minidil.kernels.reference.elementwise import gelu, gelu_grad, relu, relu_grad


def channel_moments(x: Array) -> tuple[Array, Array]:
    """Mean and (biased) variance of every channel."""
    axes = _all_but_channel(x)
    return np.mean(x, axis=axes), np.var(x, axis=axes)


def channel_affine(x: Array, scale: Array, shift: Array, activation: str | None = None) -> Array:
    """f(scale x + shift), with one scale and one shift per channel; the activation f is None (none), "relu" or "gelu"."""
    u = np.add(x * along_channel(scale, x), along_channel(shift, x))
    return u if activation is None else relu(u) if activation == "relu" else gelu(u)


def channel_dots(grad: Array, x: Array, mean: Array) -> tuple[Array, Array]:
    """For every channel, sum(grad) and sum(grad (x - mean))."""
    axes = _all_but_channel(x)
    return np.sum(grad, axis=axes), np.sum(grad * (x - along_channel(mean, x)), axis=axes)


def channel_slope_dots(
    grad: Array, x: Array, scale: Array, shift: Array, mean: Array, activation: str
) -> tuple[Array, Array, Array]:
    """H = grad f'(scale x + shift) for the activation f; and for every channel, sum(H) and sum(H (x - mean))."""
    u = channel_affine(x, scale, shift)
    slope = relu_grad(grad, u) if activation == "relu" else gelu_grad(grad, u)
    return slope, *channel_dots(slope, x, mean)


def channel_combine(grad: Array, x: Array, a: Array, b: Array, c: Array) -> Array:
    """a grad + b x + c, with one a, b and c per channel."""
    return np.add(grad * along_channel(a, x) + x * along_channel(b, x), along_channel(c, x))


def _all_but_channel(x: Array) -> tuple[int, ...]:
    return (0, *range(2, x.ndim))


def along_channel(vector: Array, x: Array) -> Array:
    """The vector (C,), shaped so that it broadcasts along the channels of x."""
    return vector.reshape(-1, *(1,) * (x.ndim - 2))
