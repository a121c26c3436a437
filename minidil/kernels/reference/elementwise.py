"""The maps that NumPy lacks: activations, element by element, and the gradients that have a kernel of their own."""

from __future__ import annotations

import math

import numpy as np

from minidil.array import Array

# Beyond this, P(Z > x) and the normal density are 0 in float64 too (e^-800). What multiplies them is limited to it, as x^2 would
# overflow and infinity times 0 is NaN, where the limit is 0.
NORMAL_ENDS = 40
# The same for the sigmoid, and for its distance to 1.
SIGMOID_ENDS = 1000


def relu(x: Array) -> Array:
    """max(x, 0)."""
    return np.maximum(x, 0)


def relu_grad(grad: Array, y: Array) -> Array:
    """0 where the output y is 0, grad elsewhere, also where y is NaN."""
    return np.where(y <= 0, grad.dtype.type(0), grad)


def sigmoid(x: Array) -> Array:
    """1 / (1 + e^-x), for x < 0 as e^x / (1 + e^x): no power overflows, and a small result keeps its digits."""
    power = np.exp(-np.abs(x))
    return np.divide(np.where(x < 0, power, power.dtype.type(1)), 1 + power)


def sigmoid_grad(grad: Array, y: Array) -> Array:
    """grad y (1 - y)."""
    return np.multiply(grad, y * (1 - y))


def erf(x: Array) -> Array:
    """The error function, element by element from the standard library: NumPy has none."""
    return np.asarray(np.vectorize(math.erf, otypes=[np.float64])(x)).astype(x.dtype)


def gelu(x: Array) -> Array:
    """x P(Z <= x) for a standard normal Z."""
    return np.multiply(np.maximum(x, -NORMAL_ENDS), _normal_below(x))


def gelu_grad(grad: Array, x: Array) -> Array:
    """grad times the slope of gelu: P(Z <= x) + x times the normal density at x."""
    near = np.clip(x, -NORMAL_ENDS, NORMAL_ENDS)
    density = np.exp(-0.5 * near * near) / np.sqrt(2 * np.pi, dtype=x.dtype)
    return np.multiply(grad, _normal_below(x) + near * density)


def silu(x: Array) -> Array:
    """x sigmoid(x)."""
    return np.multiply(np.maximum(x, -SIGMOID_ENDS), sigmoid(x))


def silu_grad(grad: Array, x: Array) -> Array:
    """grad times the slope of silu: s + x s (1 - s) for s = sigmoid(x)."""
    gate = sigmoid(x)
    return np.multiply(grad, gate + np.clip(x, -SIGMOID_ENDS, SIGMOID_ENDS) * gate * (1 - gate))


def _normal_below(x: Array) -> Array:
    return 0.5 * (1 + erf(x * np.sqrt(0.5, dtype=x.dtype)))
