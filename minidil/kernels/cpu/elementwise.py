"""Elementwise kernels on all threads: worth it where NumPy needs several passes or has no function.

`ravel(order="K")` lists the elements of an array in the order in which they lie in memory, and `empty_like` makes an array of the
same order, so the kernels see flat vectors whether an array is channels-first or channels-last.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from minidil.kernels.cpu import memory
from minidil.kernels.cpu.gaussian import normal
from minidil.kernels.cpu.layout import compiled, writable
from minidil.kernels.threads import run_sliced

Array = NDArray[Any]


def relu(x: Array) -> Array:
    """max(x, 0)."""
    return _map(_relu, x)


def relu_grad(grad: Array, y: Array) -> Array:
    """grad where the output y is positive, 0 elsewhere."""
    return _map(_relu_grad, y, grad)


def erf(x: Array) -> Array:
    """The error function."""
    return _map(_erf, x)


def gelu(x: Array) -> Array:
    """x P(Z <= x)."""
    return _map(_gelu, x)


def gelu_grad(grad: Array, x: Array) -> Array:
    """grad times the slope of gelu at x."""
    return _map(_gelu_grad, x, grad)


def _map(kernel: Callable[..., None], x: Array, *others: Array) -> Array:
    """Run kernel(x, *others, out) over flat pieces of arrays of one shape; the result has the memory order of x."""
    out = memory.empty_like(x)
    flat = [writable(np.ravel(_in_order(array, out), order="K")) for array in (x, *others)]
    target = out.ravel(order="K")
    run_sliced(lambda start, stop: kernel(*(array[start:stop] for array in flat), target[start:stop]), len(target))
    return out


def _in_order(array: Array, like: Array) -> Array:
    if array.strides == like.strides:
        return array
    moved = memory.empty_like(like)
    moved[...] = array
    return moved


@compiled
def _relu(x: Array, y: Array) -> None:
    for i in range(len(x)):
        y[i] = 0 if x[i] < 0 else x[i]  # in this order a NaN stays one


@compiled
def _relu_grad(y: Array, grad: Array, dx: Array) -> None:
    for i in range(len(y)):
        dx[i] = grad[i] if y[i] > 0 else 0


@compiled
def _gelu(x: Array, y: Array) -> None:
    for i in range(len(x)):
        y[i] = x[i] * normal(x[i])[0]


@compiled
def _gelu_grad(x: Array, grad: Array, dx: Array) -> None:
    for i in range(len(x)):
        below, density = normal(x[i])
        dx[i] = grad[i] * (below + x[i] * density)


@compiled
def _erf(x: Array, y: Array) -> None:
    for i in range(len(x)):
        y[i] = math.erf(x[i])
