"""Where elements stand and what holds of them: answers that NumPy finds on the host, and that have no gradient."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from minidil.array import Array
from minidil.errors import OptionError, ShapeError
from minidil.ops.common import Axis, Vjps, axes_of, axis_of


def argmax(x: Array, *, axis: int | None = None, keepdims: bool = False) -> tuple[Array, Vjps]:
    """Where the largest element stands along an axis, the first of equal ones (in x flattened by default); without gradient."""
    return _place("argmax", x, axis, keepdims)


def argmin(x: Array, *, axis: int | None = None, keepdims: bool = False) -> tuple[Array, Vjps]:
    """Where the smallest element stands along an axis, the first of equal ones (in x flattened by default); without gradient."""
    return _place("argmin", x, axis, keepdims)


def any(x: Array, *, axis: Axis = None, keepdims: bool = False) -> tuple[Array, Vjps]:
    """Whether an element is true (other than 0); without gradient."""
    return np.any(np.asarray(x), axis=axes_of("any", axis, x.ndim), keepdims=keepdims), (None,)


def all(x: Array, *, axis: Axis = None, keepdims: bool = False) -> tuple[Array, Vjps]:
    """Whether every element is true (other than 0); without gradient."""
    return np.all(np.asarray(x), axis=axes_of("all", axis, x.ndim), keepdims=keepdims), (None,)


def _place(op: str, x: Array, axis: int | None, keepdims: bool) -> tuple[Array, Vjps]:
    along = range(x.ndim) if axis is None else [axis_of(op, axis, x.ndim)]
    if 0 in [x.shape[i] for i in along]:
        raise ShapeError(f"{op}: x {x.shape} has no elements along axes {tuple(along)}")
    return getattr(np, op)(np.asarray(x), axis=axis, keepdims=keepdims), (None,)


def parts(op: str, shape: tuple[int, ...], sizes: int | Sequence[int], axis: int) -> list[tuple[slice, ...]]:
    """The index of each part when an axis is cut into pieces of one size (the last may be smaller), or of these sizes."""
    along = axis_of(op, axis, len(shape))
    length = shape[along]
    if isinstance(sizes, int | np.integer):
        if sizes < 1:
            raise OptionError(f"{op}: a part has at least one element, not {sizes}")
        cuts = [*range(0, length, int(sizes)), length] if length else [0, 0]
    else:
        if not isinstance(sizes, Sequence) or [size for size in sizes if not isinstance(size, int | np.integer)]:
            raise OptionError(f"{op}: sizes is an int, or a list of one for each part, not {sizes!r}")
        cuts = [0, *np.cumsum(sizes).tolist()]
        if cuts[-1] != length or min(sizes, default=0) < 0:
            raise ShapeError(
                f"{op}: parts {tuple(sizes)} add up to {cuts[-1]}, but axis {along} of {shape} has {length}"
            )
    before = (slice(None),) * along
    return [(*before, slice(start, stop)) for start, stop in pairwise(cuts)]


def order(op: str, x: Array, axis: int, descending: bool, first: int | None = None) -> tuple[Array, tuple[Array, ...]]:
    """Where the elements in order come from along an axis, the `first` of them; and the index that takes them from x.

    Equal elements stay in their order.
    """
    along = axis_of(op, axis, x.ndim)
    if not isinstance(first, int | np.integer | None):
        raise OptionError(f"{op}: k must be an int, not {first!r}")
    if first is not None and not 0 <= first <= x.shape[along]:
        raise ShapeError(f"{op}: k is {first}, but axis {along} of x {x.shape} has {x.shape[along]} elements")
    source = np.flip(x, along) if descending else x
    places = np.argsort(source, axis=along, kind="stable")
    if descending:  # the flipped order of the flipped elements: still stable
        places = x.shape[along] - 1 - np.flip(places, along)
    places = np.take(places, range(x.shape[along] if first is None else first), axis=along)
    index: list[Any] = list(np.indices(places.shape, sparse=True))
    index[along] = places
    return places, tuple(index)
