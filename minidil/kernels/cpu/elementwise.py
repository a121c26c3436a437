"""Elementwise kernels on all threads: worth it where NumPy needs several passes or has no function."""

from __future__ import annotations

import math
from typing import Any, TypeGuard

import numpy as np

from minidil.array import Array
from minidil.kernels.cpu import memory
from minidil.kernels.cpu.exponential import exp_of_minus, tanh_of
from minidil.kernels.cpu.flat import mapped
from minidil.kernels.cpu.gaussian import gelu_of, gelu_slope_of
from minidil.kernels.cpu.layout import compiled
from minidil.kernels.reference.elementwise import SIGMOID_ENDS

_ONE, _ENDS = np.float32(1), np.float32(SIGMOID_ENDS)  # beside a float64 they become one


def add(a: Array | float, b: Array | float) -> Array:
    """a + b; where b goes over a map of its own type, in memory that is used again."""
    return np.add(a, b, out=memory.empty_like(a)) if _holds(a, b) else np.add(a, b)


def multiply(a: Array | float, b: Array | float) -> Array:
    """a b, as `add`."""
    return np.multiply(a, b, out=memory.empty_like(a)) if _holds(a, b) else np.multiply(a, b)


def _holds(a: Array | float, b: Array | float) -> TypeGuard[Array]:
    """Whether a is an array of the shape and number type of its sum or product with b."""
    if not isinstance(a, np.ndarray):
        return False
    if not isinstance(b, np.ndarray):
        return type(b) in (int, float) and a.dtype.kind == "f"  # a scalar of NumPy has a type of its own
    return a.dtype == b.dtype and (a.shape == b.shape or np.broadcast_shapes(a.shape, b.shape) == a.shape)


def relu(x: Array) -> Array:
    """max(x, 0)."""
    return mapped(_relu, x)[0]


def relu_grad(grad: Array, y: Array) -> Array:
    """0 where the output y is 0, grad elsewhere, also where y is NaN."""
    return mapped(_relu_grad, y, grad)[0]


def sigmoid(x: Array) -> Array:
    """1 / (1 + e^-x)."""
    return mapped(sigmoid_into, x)[0]


def sigmoid_grad(grad: Array, y: Array) -> Array:
    """grad y (1 - y)."""
    return mapped(_sigmoid_grad, y, grad)[0]


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


def silu(x: Array) -> Array:
    """x sigmoid(x)."""
    return mapped(_silu, x)[0]


def silu_grad(grad: Array, x: Array) -> Array:
    """grad times the slope of silu at x."""
    return mapped(_silu_grad, x, grad)[0]


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
    for i in range(len(x)):
        y[i] = _sigmoid_of(x[i])


@compiled
def _sigmoid_grad(y: Array, grad: Array, dx: Array) -> None:
    for i in range(len(y)):
        dx[i] = grad[i] * (y[i] * (_ONE - y[i]))


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
def _silu(x: Array, y: Array) -> None:
    for i in range(len(x)):
        y[i] = max(x[i], -_ENDS) * _sigmoid_of(x[i])


@compiled
def _silu_grad(x: Array, grad: Array, dx: Array) -> None:
    for i in range(len(x)):
        s = _sigmoid_of(x[i])
        dx[i] = grad[i] * (s + min(max(x[i], -_ENDS), _ENDS) * s * (_ONE - s))


@compiled
def _sigmoid_of(x: Any) -> Any:
    power = exp_of_minus(abs(x))
    return (power if x < 0 else _ONE) / (_ONE + power)


@compiled
def _erf(x: Array, y: Array) -> None:
    for i in range(len(x)):
        y[i] = math.erf(x[i])
