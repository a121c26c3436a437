"""Elementwise kernels on all threads: worth it where NumPy needs several passes or has no function."""

from __future__ import annotations

import math

from minidil.array import Array
from minidil.kernels.cpu.flat import mapped
from minidil.kernels.cpu.gaussian import gelu_of, gelu_slope_of
from minidil.kernels.cpu.layout import compiled


def relu(x: Array) -> Array:
    """max(x, 0)."""
    return mapped(_relu, x)[0]


def relu_grad(grad: Array, y: Array) -> Array:
    """0 where the output y is 0, grad elsewhere, also where y is NaN."""
    return mapped(_relu_grad, y, grad)[0]


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
