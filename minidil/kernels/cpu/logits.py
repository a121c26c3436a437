"""Softmax, its logarithm and cross entropy: each reads its logits once from memory, as rows that then stay in the cache.

The classes are moved to the end of a row; in channels-last images and in matrices they are there already.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from minidil.array import Array
from minidil.kernels.cpu import memory
from minidil.kernels.cpu.exponential import exp_of_minus
from minidil.kernels.cpu.flat import LEAST_ELEMENTS
from minidil.kernels.cpu.largest import largest_of
from minidil.kernels.cpu.layout import as_channels, as_rows, compiled, compiled_sum, writable
from minidil.kernels.reference import logits as reference
from minidil.kernels.threads import run_sliced


def softmax(x: Array, axis: int) -> Array:
    """e^x / sum e^x along an axis."""
    return _along(axis, _softmax, x) if _in_rows(x, axis) else reference.softmax(x, axis)


def softmax_grad(grad: Array, y: Array, axis: int) -> Array:
    """y (grad - sum grad y), with the sum along the axis."""
    return _along(axis, _softmax_grad, y, grad) if _in_rows(y, axis) else reference.softmax_grad(grad, y, axis)


def log_softmax(x: Array, axis: int) -> Array:
    """x - log sum e^x along an axis."""
    return _along(axis, _log_softmax, x) if _in_rows(x, axis) else reference.log_softmax(x, axis)


def log_softmax_grad(grad: Array, y: Array, axis: int) -> Array:
    """grad - e^y sum grad, with the sum along the axis."""
    return _along(axis, _log_softmax_grad, y, grad) if _in_rows(y, axis) else reference.log_softmax_grad(grad, y, axis)


def cross_entropy(logits: Array, target: Array, weight: Array | None, label_smoothing: float) -> Array:
    """The loss at every position."""
    if logits.dtype.kind != "f":
        return reference.cross_entropy(logits, target, weight, label_smoothing)
    rows = as_rows(logits)
    losses = memory.empty(target.shape, rows.dtype)
    _run(_losses, (rows, _flat(target, np.int64), losses.reshape(-1)), *_wanted(rows, weight, label_smoothing))
    return losses


def cross_entropy_grad(
    grad: Array, logits: Array, target: Array, weight: Array | None, label_smoothing: float
) -> Array:
    """The gradient of the logits, for the gradient of every loss. Their exponentials are computed again instead of kept."""
    if logits.dtype.kind != "f":
        return reference.cross_entropy_grad(grad, logits, target, weight, label_smoothing)
    rows = as_rows(logits)
    dx = memory.empty(rows.shape, rows.dtype)
    sliced = (rows, _flat(grad, rows.dtype), _flat(target, np.int64), dx)
    _run(_slopes, sliced, *_wanted(rows, weight, label_smoothing))
    return as_channels(dx, len(logits), logits.shape[2:])


def _in_rows(x: Array, axis: int) -> bool:
    """Whether x is an array of real numbers whose memory runs along the axis: to turn another one takes as long as NumPy does."""
    return x.dtype.kind == "f" and np.moveaxis(x, axis, -1).flags.c_contiguous


def _along(axis: int, kernel: Callable[..., None], *arrays: Array) -> Array:
    rows = [as_rows(x, axis) for x in arrays]
    y = memory.empty(rows[0].shape, rows[0].dtype)
    _run(kernel, (*rows, y))
    return np.moveaxis(y.reshape(np.moveaxis(arrays[0], axis, -1).shape), -1, axis)


def _run(kernel: Callable[..., None], sliced: Sequence[Array], *whole: Any) -> None:
    """kernel(*sliced, *whole), with the rows of the sliced arrays, first of them the logits, shared out among the threads."""
    if sliced[0].size < LEAST_ELEMENTS:
        kernel(*sliced, *whole)
    else:
        run_sliced(lambda start, stop: kernel(*(array[start:stop] for array in sliced), *whole), len(sliced[0]))


def _wanted(rows: Array, weight: Array | None, label_smoothing: float) -> tuple[Array, float, float]:
    """The class weights, what the target has of the wanted distribution, and what every class has, in the type of the rows."""
    classes, number = rows.shape[1], rows.dtype.type
    factors = np.ones(classes, number) if weight is None else writable(np.ascontiguousarray(weight))
    return factors, number(1 - label_smoothing), number(label_smoothing / classes)


def _flat(x: Array, dtype: Any) -> Array:
    return writable(np.ascontiguousarray(x, dtype)).reshape(-1)


@compiled_sum
def _softmax(x: Array, y: Array) -> None:
    rows, classes = x.shape
    for r in range(rows):
        top, total = largest_of(x[r]), x.dtype.type(0)
        for c in range(classes):
            power = exp_of_minus(top - x[r, c])
            y[r, c] = power
            total += power
        scale = x.dtype.type(1) / total
        for c in range(classes):
            y[r, c] *= scale


@compiled
def _log_softmax(x: Array, y: Array) -> None:
    rows, classes = x.shape
    for r in range(rows):
        top = largest_of(x[r])
        log_total = math.log(_total(x, r, top))
        for c in range(classes):
            y[r, c] = x[r, c] - top - log_total


@compiled_sum
def _softmax_grad(y: Array, grad: Array, dx: Array) -> None:
    rows, classes = y.shape
    for r in range(rows):
        total = y.dtype.type(0)
        for c in range(classes):
            total += grad[r, c] * y[r, c]
        for c in range(classes):
            dx[r, c] = y[r, c] * (grad[r, c] - total)


@compiled_sum
def _log_softmax_grad(y: Array, grad: Array, dx: Array) -> None:
    rows, classes = y.shape
    for r in range(rows):
        total = y.dtype.type(0)
        for c in range(classes):
            total += grad[r, c]
        for c in range(classes):
            dx[r, c] = grad[r, c] - exp_of_minus(-y[r, c]) * total


@compiled_sum
def _losses(x: Array, target: Array, losses: Array, weight: Array, own: float, every: float) -> None:
    rows, classes = x.shape
    for r in range(rows):
        top = largest_of(x[r])
        log_total = math.log(_total(x, r, top))
        loss = x.dtype.type(0)
        if every == 0:  # without smoothing, one class is wanted
            loss = _cost(own * weight[target[r]], top - x[r, target[r]] + log_total)
        else:
            for c in range(classes):
                loss += _cost((own + every if c == target[r] else every) * weight[c], top - x[r, c] + log_total)
        losses[r] = loss


@compiled
def _cost(wanted: Any, surprise: Any) -> Any:
    """What a class adds to the loss: nothing if it is not wanted, however improbable it is, since 0 log 0 = 0."""
    return wanted * surprise if wanted != 0 else wanted


@compiled_sum
def _slopes(x: Array, grad: Array, target: Array, dx: Array, weight: Array, own: float, every: float) -> None:
    rows, classes = x.shape
    weights = x.dtype.type(0)
    for c in range(classes):
        weights += weight[c]
    for r in range(rows):
        top, total = largest_of(x[r]), x.dtype.type(0)
        for c in range(classes):
            power = exp_of_minus(top - x[r, c])
            dx[r, c] = power
            total += power
        scale = (every * weights + own * weight[target[r]]) / total
        for c in range(classes):
            wanted = (own + every if c == target[r] else every) * weight[c]
            dx[r, c] = grad[r] * (scale * dx[r, c] - wanted)


@compiled_sum
def _total(x: Array, r: int, top: float) -> float:
    """The sum of the exponentials of row r, divided by e^top."""
    total = x.dtype.type(0)
    for c in range(x.shape[1]):
        total += exp_of_minus(top - x[r, c])
    return total
