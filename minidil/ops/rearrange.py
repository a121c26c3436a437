"""Ops that give elements other places, or repeat them. The adjoint of a repetition is a sum."""

from __future__ import annotations

import math
from collections.abc import Sequence
from numbers import Integral

from minidil.array import Array
from minidil.errors import OptionError, ShapeError
from minidil.kernels.backend import active
from minidil.ops.common import Axis, Vjps, axes_of, axis_of, sum_to
from minidil.ops.shape import reshape


def squeeze(x: Array, *, axis: Axis = None) -> tuple[Array, Vjps]:
    """x without its axes of size 1: all of them, or those given.

    Raises: ShapeError if an axis that is given has another size. (PyTorch then leaves it.)
    """
    axes = [i for i, n in enumerate(x.shape) if n == 1] if axis is None else axes_of("squeeze", axis, x.ndim)
    for i in axes:
        if x.shape[i] != 1:
            raise ShapeError(f"squeeze: axis {i} of x {x.shape} has size {x.shape[i]}, not 1")
    return reshape(x, shape=[n for i, n in enumerate(x.shape) if i not in axes])


def unsqueeze(x: Array, *, axis: int) -> tuple[Array, Vjps]:
    """x with a new axis of size 1, which is axis `axis` of the result."""
    place = axis_of("unsqueeze", axis, x.ndim + 1)
    return reshape(x, shape=[*x.shape[:place], 1, *x.shape[place:]])


def expand(x: Array, *, shape: Sequence[int]) -> tuple[Array, Vjps]:
    """x repeated along axes of size 1, and along new ones in front, to this shape; -1 keeps the size of an axis."""
    k = active()
    before, new = x.shape, len(shape) - x.ndim
    wanted = tuple(before[i - new] if n == -1 and i >= new else n for i, n in enumerate(shape))
    if new < 0 or min(wanted, default=0) < 0 or any(n not in (1, wanted[new + i]) for i, n in enumerate(before)):
        raise ShapeError(f"expand: x {before} cannot be repeated to {tuple(shape)}; only axes of size 1 grow")
    # y repeats x, so dL/dx sums G over the repetitions.
    return k.broadcast_to(x, wanted), (lambda grad: sum_to(k, grad, before),)


def repeat(x: Array, *, counts: Sequence[int]) -> tuple[Array, Vjps]:
    """x laid side by side counts[i] times along axis i; more counts than axes add axes in front. (NumPy calls it tile.)"""
    k = active()
    counts = (counts,) if isinstance(counts, int) else counts
    new = len(counts) - x.ndim
    if new < 0 or not all(isinstance(n, Integral) and n >= 1 for n in counts):
        raise OptionError(
            f"repeat: needs an int >= 1 for each of the {x.ndim} axes of x {x.shape}, not {tuple(counts)}"
        )
    before = x.shape
    ones = (1,) * new + before
    # Axis i becomes the pair (counts[i], n): x is repeated along the first, and the two are made one.
    paired = [size for n in ones for size in (1, n)]
    spread = tuple(size for c, n in zip(counts, ones, strict=True) for size in (int(c), n))
    y = k.reshape(
        k.broadcast_to(k.reshape(x, tuple(paired)), spread), tuple(map(math.prod, zip(counts, ones, strict=True)))
    )
    return y, (lambda grad: k.reshape(sum_to(k, k.reshape(grad, spread), tuple(paired)), before),)


def flip(x: Array, *, axis: Axis = None) -> tuple[Array, Vjps]:
    """x with the order of its elements reversed along the given axes (all of them by default)."""
    k = active()
    axes = axes_of("flip", axis, x.ndim)
    back = tuple(slice(None, None, -1) if i in axes else slice(None) for i in range(x.ndim))
    # Reversing twice changes nothing, so the gradient is reversed as well.
    return k.take(x, back), (lambda grad: k.take(grad, back),)
