"""Elements together with where they were found: what max, min, sort and topk along an axis return."""

from __future__ import annotations

from typing import Any, Generic, NamedTuple, TypeVar

import numpy as np

from minidil.calls.words import understood
from minidil.errors import CallError, NoSuchNameError, OptionError
from minidil.operand import Holder
from minidil.ops.common import Axis, axis_of

T = TypeVar("T")


class Found(NamedTuple, Generic[T]):
    """Elements, and where each of them was found."""

    values: T
    indices: T

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        raise NoSuchNameError(f"this is a pair (values, indices), which has no {name!r}; write .values.{name}")


def max(
    self: Any, dim: Any = None, keepdim: bool = False, *, axis: Axis = None, keepdims: bool = False, other: Any = None
) -> Any:
    """The largest element: of all, or along axes. A NaN is the largest.

    `axis=`, NumPy's word for one axis or several, gives a tensor of the values; equal ones share the gradient.
    `dim=`, PyTorch's word, or the position gives the pair (values, indices); the first of equal ones gets the gradient.
    A tensor in that place, or other=, is compared element by element, as in `maximum`.
    Raises: OptionError for what is no axis, CallError for both words, ShapeError if there is no element.
    """
    return _extreme("max", self, other if dim is None else dim, axis, keepdim or keepdims)


def min(
    self: Any, dim: Any = None, keepdim: bool = False, *, axis: Axis = None, keepdims: bool = False, other: Any = None
) -> Any:
    """The smallest element: of all, or along axes. A NaN is the smallest. The arguments and results are those of `max`."""
    return _extreme("min", self, other if dim is None else dim, axis, keepdim or keepdims)


def _extreme(name: str, x: Any, dim: Any, axis: Axis, kept: bool) -> Any:
    if isinstance(dim, Holder | np.ndarray):
        return getattr(x, f"{name}imum")(dim)
    if dim is None:
        return getattr(x, f"a{name}")(axis=axis, keepdims=kept)
    if axis is not None:
        raise CallError(f"{name}: give axis= for the values, or dim= for (values, indices), not both")
    if isinstance(dim, tuple | list):
        raise OptionError(f"{name}: dim is one axis; over several, axis={dim!r} gives the values")
    along = axis_of(name, dim, x.ndim)
    indices = getattr(x, f"arg{name}")(axis=along, keepdims=kept)
    at = indices.numpy() if kept else np.expand_dims(indices.numpy(), along)
    index: list[Any] = list(np.indices(at.shape, sparse=True))
    index[along] = at
    values = x[tuple(index)]
    return Found(values if kept else values.squeeze(along), indices)


methods = tuple(understood(function, method=True) for function in (max, min))
