"""Elementwise kernels on all threads: worth it where NumPy needs several passes or has no function."""

from __future__ import annotations

import math

import numpy as np

from minidil.array import Array
from minidil.kernels.cpu import memory
from minidil.kernels.cpu.exponential import exp_of_minus, tanh_of
from minidil.kernels.cpu.flat import mapped
from minidil.kernels.cpu.gaussian import gelu_of, gelu_slope_of
from minidil.kernels.cpu.layout import compiled


def add(a: Array | float, b: Array | float) -> Array:
    """a + b; where b goes over a map of its own type, in memory that is used again."""
    if (
        isinstance(a, np.ndarray)
        and isinstance(b, np.ndarray)
        and a.dtype == b.dtype
        and np.broadcast_shapes(a.shape, b.shape) == a.shape
    ):
        return np.add(a, b, out=memory.empty_like(a))
    return np.add(a, b)


def relu(x: Array) -> Array:
    """max(x, 0)."""
    return mapped(_relu, x)[0]


def relu_grad(grad: Array, y: Array) -> Array:
    """0 where the output y is 0, grad elsewhere, also where y is NaN."""
    return mapped(_relu_grad, y, grad)[0]


def sigmoid(x: Array) -> Array:
    """1 / (1 + e^-x)."""
    return mapped(sigmoid_into, x)[0]


def tanh(x: Array) -> Array:
    """The hyperbolic tangent; NumPy's in other types than float32."""
    return mapped(tanh_into, x)[0] if x.dtype == np.float32 else np.tanh(x)


def erf(x: Array) -> Array:
    """The error function."""
    return mapped(_erf, x)[0]


def gelu(x: Array) -> Array:
    """x P(Z <= x)."""
    return mapped(_gelu, x)[0]


def gelu_grad(grad: Array, x: Array) -> Array:
    """grad times the slope of gelu at x."""
    return mapped(_gelu_grad, x, grad)[0]


@compiled
def _relu(x: Array, y: Array) -> None:
    for i in range(len(x)):
        y[i] = 0 if x[i] < 0 else x[i]  # in this order a NaN stays one


@compiled
def _relu_grad(y: Array, grad: Array, dx: Array) -> None:
    for i in range(len(y)):
        dx[i] = 0 if y[i] <= 0 else grad[i]


@compiled
def sigmoid_into(x: Array, y: Array) -> None:
    """y = 1 / (1 + e^-x) of vectors, which may be the same."""
    one = x.dtype.type(1)
    for i in range(len(x)):
        power = exp_of_minus(abs(x[i]))
        y[i] = (power if x[i] < 0 else one) / (one + power)


@compiled
def tanh_into(x: Array, y: Array) -> None:
    """y = tanh x of vectors, which may be the same."""
    for i in range(len(x)):
        y[i] = tanh_of(x[i])


@compiled
def _gelu(x: Array, y: Array) -> None:
    for i in range(len(x)):
        y[i] = gelu_of(x[i])


@compiled
def _gelu_grad(x: Array, grad: Array, dx: Array) -> None:
    for i in range(len(x)):
        dx[i] = grad[i] * gelu_slope_of(x[i])


@compiled
def _erf(x: Array, y: Array) -> None:
    for i in range(len(x)):
        y[i] = math.erf(x[i])
