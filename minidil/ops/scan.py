"""Running sums and products, and what follows from them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from minidil.array import Array
from minidil.kernels.backend import active
from minidil.kernels.contract import Kernels
from minidil.ops.common import Axis, Vjps, axes_of, axis_of


def cumsum(x: Array, *, axis: int) -> tuple[Array, Vjps]:
    """The sums of the first elements along an axis: y_i = x_0 + ... + x_i."""
    k = active()
    x = _wide(k, x)
    along = axis_of("cumsum", axis, x.ndim)
    # x_i is part of y_j for every j >= i, so dL/dx_i = sum over j >= i of G_j: the running sum from the other end.
    return _scan(k, x, along, k.add, 0), (lambda grad: _scan(k, grad, along, k.add, 0, from_end=True),)


def prod(x: Array, *, axis: Axis = None, keepdims: bool = False) -> tuple[Array, Vjps]:
    """The product over the given axes (all of them by default)."""
    k = active()
    x = _wide(k, x)
    axes = axes_of("prod", axis, x.ndim)
    kept = tuple(1 if i in axes else n for i, n in enumerate(x.shape))
    # The axes that are multiplied are brought to the end and made one.
    front = [i for i in range(x.ndim) if i not in axes]
    order = (*front, *axes)
    moved = k.transpose(x, order)
    moved_shape = moved.shape
    rows = k.reshape(moved, (*(x.shape[i] for i in front), -1 if x.size else _size(x.shape, axes)))
    last = rows.ndim - 1
    running = _scan(k, rows, last, k.multiply, 1)
    ones = k.constant(1, like=rows)
    shape = kept if keepdims else tuple(x.shape[i] for i in front)
    whole = (
        k.take(running, (..., slice(-1, None)))
        if rows.shape[last]
        else k.add(k.sum(rows, axis=last, keepdims=True), ones)
    )
    back = tuple(order.index(i) for i in range(x.ndim))

    # dy/dx_i is the product of the others: of those before i times those behind. (y / x_i fails where x_i is 0.)
    def grad_x(grad: Array) -> Array:
        before = _shifted(k, running, last, 1)
        behind = _shifted(k, _scan(k, rows, last, k.multiply, 1, from_end=True), last, 1, from_end=True)
        others = k.multiply(before, behind)
        return k.transpose(k.reshape(k.multiply(k.reshape(grad, whole.shape), others), moved_shape), back)

    return k.reshape(whole, shape), (grad_x,)


def _wide(k: Kernels, x: Array) -> Array:
    """Whole numbers in 64 bits, as `sum` adds them."""
    return k.astype(x, np.int64) if x.dtype.kind in "iub" and x.dtype.itemsize < 8 else x


def _scan(
    k: Kernels, x: Array, axis: int, combine: Callable[[Array, Array], Array], neutral: float, from_end: bool = False
) -> Array:
    """x_0, x_0 x_1, x_0 x_1 x_2, ... in log2(n) passes: after the pass of distance s, each element covers 2 s of them.

    Source: Hillis & Steele 1986, Data parallel algorithms.
    """
    y, distance = x, 1
    while distance < x.shape[axis]:
        y = combine(y, _shifted(k, y, axis, distance, neutral, from_end))
        distance *= 2
    return y


def _shifted(k: Kernels, x: Array, axis: int, by: int, neutral: float = 1, from_end: bool = False) -> Array:
    """x moved along an axis, away from the start (or the end); what comes in is neutral."""
    before = (slice(None),) * axis
    kept = k.take(x, (*before, slice(by, None) if from_end else slice(None, -by)))
    width = [(0, 0)] * x.ndim
    width[axis] = (0, by) if from_end else (by, 0)
    return k.pad(kept, tuple(width), constant_values=neutral)


def _size(shape: tuple[int, ...], axes: tuple[int, ...]) -> int:
    size = 1
    for axis in axes:
        size *= shape[axis]
    return size
