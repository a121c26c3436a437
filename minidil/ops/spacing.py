"""Taps at places that are learnt: a dense kernel made of weights and of real positions, with the gradients of both.

A dilated kernel has its taps at multiples of d. Here tap m of a filter stands at any position p_m of a kernel, and shares its
weight between the whole positions q around it, as bilinear interpolation does: along one axis, with
the hat h(d) = max(0, 1 - |d|),

    K[q] = sum_m w_m h(q - p_m),

and along several axes the hats of the axes are multiplied. With the rows a[m, q] = w_m h(q - p_m) of the first axis and b[m, :]
of all others that is one matrix product, K = a^T b, and with G = dL/dK

    dL/da = b G^T,      dL/db = a G.

The slope of h(q - p) in p is 1 for 0 < q - p <= 1, -1 for -1 < q - p <= 0 and 0 elsewhere: the position above takes what the one
below loses, and a tap moves to where the loss falls. Where p is a whole number that is the slope to its right.
"""

from __future__ import annotations

import numpy as np

from minidil.array import Array
from minidil.errors import ShapeError
from minidil.kernels.backend import active
from minidil.kernels.geometry import Ints, per_axis
from minidil.ops.common import Vjps, check_floating, once, swapped


def place_taps(weight: Array, positions: Array, *, size: Ints) -> tuple[Array, Vjps]:
    """The kernel of `size` whose taps have these weights and stand at these positions, for `conv`.

    Shapes: weight (F, C, M), M taps for each filter and channel; positions (axes, F, C, M), of 1 to 3 axes, measured from the
        middle of the kernel -> y (F, C, *size). Taps at one place add up.
    A position beyond (size - 1) / 2 counts as that, and has no gradient there.
    Raises: ShapeError if the shapes do not fit, OptionError for a size below 1, DtypeError for whole numbers.
    Source: Hassani et al. 2021, "Dilated convolution with learnable spacings", arXiv:2112.03740, section 2.
    """
    check_floating("place_taps", weight=weight, positions=positions)
    axes = positions.shape[0] if positions.ndim == 4 else 0
    if weight.ndim != 3 or not 1 <= axes <= 3 or positions.shape[1:] != weight.shape:
        raise ShapeError(
            f"place_taps: weight must be (F, C, M) and positions (axes, F, C, M) with 1 to 3 axes, not {weight.shape} and "
            f"{positions.shape}"
        )
    k, taps = active(), (*weight.shape, 1)
    sizes = per_axis(size, axes, "size", "place_taps", least=1)
    hats, slopes = [], []
    for axis, n in enumerate(sizes):
        middle = (n - 1) / 2
        wanted = k.reshape(k.take(positions, axis), taps)
        off = k.subtract(k.constant(np.arange(n) - middle, like=positions), k.clip(wanted, -middle, middle))
        zero, one = k.constant(0, like=off), k.constant(1, like=off)
        near = k.less_equal(k.absolute(off), k.constant(1, like=off))
        hats.append(k.where(near, k.subtract(one, k.absolute(off)), zero))
        # 1 above p, -1 at it and below; nothing where the whole hat is passed, or p stands still at the border
        moving = k.logical_and(near, k.not_equal(off, k.constant(-1, like=off)))
        moving = k.logical_and(moving, k.less_equal(k.absolute(wanted), k.constant(middle, like=off)))
        slopes.append(k.where(moving, k.where(k.greater(off, zero), one, k.negative(one)), zero))
    weights = k.reshape(weight, taps)

    def others(rows: list[Array]) -> Array:
        """Products of the rows of all axes but the first, as one axis: (F, C, M, R)."""
        total = k.constant(np.ones((1, 1, 1, 1)), like=weight)
        for row in rows[1:]:
            outer = k.multiply(k.reshape(total, (*total.shape, 1)), k.reshape(row, (*taps, row.shape[-1])))
            total = k.reshape(outer, (*weight.shape, -1))
        return total

    rest = k.broadcast_to(others(hats), (*weight.shape, int(np.prod(sizes[1:]))))
    y = k.reshape(k.matmul(swapped(k, k.multiply(weights, hats[0])), rest), (*weight.shape[:2], *sizes))

    # Both need b G^T, (F, C, M, size[0]): what the loss gains for every row of the first axis.
    def rows_of(grad: Array) -> tuple[Array, Array]:
        flat = k.reshape(grad, (*weight.shape[:2], sizes[0], -1))
        return flat, k.matmul(rest, swapped(k, flat))

    gained = once(rows_of)

    def grad_weight(grad: Array) -> Array:
        return k.sum(k.multiply(gained(grad)[1], hats[0]), axis=3)

    def grad_positions(grad: Array) -> Array:
        flat, along = gained(grad)
        found = [k.sum(k.multiply(along, slopes[0]), axis=3)]
        across = k.matmul(hats[0], flat) if axes > 1 else flat
        for axis in range(1, axes):
            rows = [*hats[:axis], slopes[axis], *hats[axis + 1 :]]
            found.append(k.sum(k.multiply(across, others(rows)), axis=3))
        return k.multiply(k.stack(found), weight)

    return y, (grad_weight, grad_positions)
