"""Ops that move elements and compute nothing. Each gradient moves them back: the adjoint of a gather is a scatter."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from numbers import Integral
from typing import Any

from minidil.array import Array
from minidil.errors import DtypeError, OptionError, ShapeError
from minidil.kernels.backend import active
from minidil.kernels.geometry import Ints, per_axis
from minidil.ops.common import Vjps, axis_of


def reshape(x: Array, *, shape: Sequence[int]) -> tuple[Array, Vjps]:
    """x with another shape of the same size; one entry may be -1."""
    k = active()
    known = math.prod(n for n in shape if n != -1)
    before, size = x.shape, math.prod(x.shape)
    unknown = list(shape).count(-1)
    fits = known and size % known == 0 if unknown else known == size
    if not fits or unknown > 1 or any(n < -1 for n in shape):
        raise ShapeError(f"reshape: x {x.shape} has {size} elements and cannot become {tuple(shape)}")
    return k.reshape(x, tuple(shape)), (lambda grad: k.reshape(grad, before),)


def transpose(x: Array, *, axes: Sequence[int] | None = None) -> tuple[Array, Vjps]:
    """x with its axes in another order: axis i of the result is axis axes[i] of x. By default the order is reversed."""
    k = active()
    order = tuple(axis_of("transpose", axis, x.ndim) for axis in (reversed(range(x.ndim)) if axes is None else axes))
    if sorted(order) != list(range(x.ndim)):
        raise OptionError(f"transpose: axes {axes!r} is no order of the {x.ndim} axes of x {x.shape}")
    back = tuple(order.index(axis) for axis in range(x.ndim))
    return k.transpose(x, order), (lambda grad: k.transpose(grad, back),)


def flatten(x: Array, *, start: int = 0, end: int = -1) -> tuple[Array, Vjps]:
    """x with the axes start..end (both included) made one."""
    first, last = axis_of("flatten", start, x.ndim), axis_of("flatten", end, x.ndim)
    if first > last:
        raise OptionError(f"flatten: start {start} lies behind end {end} in x {x.shape}")
    merged = math.prod(x.shape[first : last + 1])
    return reshape(x, shape=(*x.shape[:first], merged, *x.shape[last + 1 :]))


def getitem(x: Array, *, index: Any) -> tuple[Array, Vjps]:
    """x[index] for any NumPy index. An element that is taken several times collects the sum of its gradients."""
    k = active()
    try:
        y = k.take(x, index)
    except IndexError as error:
        raise ShapeError(f"getitem: {error} (x has shape {x.shape})") from None
    shape = x.shape
    return y, (lambda grad: k.scatter_add(grad, index, shape),)


def pad(x: Array, *, width: Sequence[tuple[int, int]] | Sequence[int], value: float = 0.0) -> tuple[Array, Vjps]:
    """x with constant entries added before and behind.

    width: one (before, after) pair for each axis, as in NumPy; or plain numbers as in PyTorch, where before and after of the last
        axis come first: (left, right, top, bottom).
    """
    k = active()
    each: Any = width
    if isinstance(width, Sequence) and 0 < len(width) <= 2 * x.ndim and all(isinstance(n, Integral) for n in width):
        pairs = [width[i : i + 2] for i in range(0, len(width), 2)]
        each = (*((0, 0),) * (x.ndim - len(pairs)), *reversed(pairs))
    if not x.ndim or not isinstance(each, Sequence) or len(each) != x.ndim or not all(map(_is_pair, each)):
        raise OptionError(
            f"pad: width must be one (before, after) pair of ints >= 0 for each of the {x.ndim} axes, or PyTorch's "
            f"(left, right, top, bottom, ...), not {width!r}"
        )
    inner = tuple(slice(before, before + n) for (before, _), n in zip(each, x.shape, strict=True))
    return k.pad(x, [(before, after) for before, after in each], constant_values=value), (
        lambda grad: k.take(grad, inner),
    )


def concatenate(*arrays: Array, axis: int = 0) -> tuple[Array, Vjps]:
    """Arrays joined along an existing axis; all other sizes must agree."""
    k = active()
    first = _first("concatenate", arrays)
    along = axis_of("concatenate", axis, first.ndim)
    for array in arrays:
        if array.ndim != first.ndim or any(
            a != b for i, (a, b) in enumerate(zip(array.shape, first.shape, strict=True)) if i != along
        ):
            raise ShapeError(f"concatenate: {first.shape} and {array.shape} differ outside axis {axis}")
    ends = [0]
    for array in arrays:
        ends.append(ends[-1] + array.shape[along])
    before = (slice(None),) * along
    parts = [(*before, slice(start, end)) for start, end in pairwise(ends)]
    return k.concatenate(arrays, axis=along), tuple(lambda grad, part=part: k.take(grad, part) for part in parts)


def stack(*arrays: Array, axis: int = 0) -> tuple[Array, Vjps]:
    """Arrays of one shape joined along a new axis."""
    k = active()
    first = _first("stack", arrays)
    for array in arrays:
        if array.shape != first.shape:
            raise ShapeError(f"stack: shapes {first.shape} and {array.shape} differ")
    along = axis_of("stack", axis, first.ndim + 1)
    before = (slice(None),) * along
    return k.stack(arrays, axis=along), tuple(lambda grad, i=i: k.take(grad, (*before, i)) for i in range(len(arrays)))


def insert_zeros(x: Array, *, factor: Ints) -> tuple[Array, Vjps]:
    """Put factor - 1 zeros between neighbours on every spatial axis: (N, C, *S) -> (N, C, *(factor (S - 1) + 1)).

    Applied to a kernel it spells a dilated kernel out: conv(x, w, dilation=d) = conv(x, insert_zeros(w, factor=d)).
    """
    k = active()
    if x.ndim < 3:
        raise ShapeError(f"insert_zeros: x must be (N, C, *S) with at least one spatial axis, not {x.shape}")
    factors = per_axis(factor, x.ndim - 2, "factor", "insert_zeros", least=1)
    stretched = tuple(f * (n - 1) + 1 if n else 0 for f, n in zip(factors, x.shape[2:], strict=True))
    kept = (slice(None), slice(None), *(slice(None, None, f) for f in factors))
    # y takes x at every factor-th place: its adjoint reads those places.
    return k.scatter_add(x, kept, (*x.shape[:2], *stretched)), (lambda grad: k.take(grad, kept),)


def _is_pair(pair: Any) -> bool:
    return isinstance(pair, Sequence) and len(pair) == 2 and all(isinstance(n, Integral) and int(n) >= 0 for n in pair)


def _first(op: str, arrays: tuple[Array, ...]) -> Array:
    if not arrays:
        raise ShapeError(f"{op}: needs at least one array")
    for array in arrays:
        if not hasattr(array, "shape"):
            raise DtypeError(f"{op}: takes tensors and arrays, not the number {array!r}; wrap it with minidil.tensor")
    return arrays[0]
