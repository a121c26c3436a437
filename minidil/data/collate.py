"""Making one batch of many items."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from minidil.errors import DtypeError, ShapeError
from minidil.tensor import Tensor

_WAY_OUT = "give DataLoader collate=, a function that makes one batch of a list of items"


def stack(items: Sequence[Any], numbers: Sequence[int], part: str = "") -> Any:
    """Items of one shape as a batch: arrays, tensors and numbers gain a first axis of length len(items).

    A tuple becomes a tuple with one batch for each of its parts, a mapping a dict. Nothing is cast: whole numbers are
    int64, and Python's floats float32, as everywhere in minidil.

    Args:
        numbers: which items of the set these are, for the messages.
        part: which part of the items, for the messages.
    Raises: ShapeError if shapes or numbers of parts differ, DtypeError if number types differ or it is text, naming
        the items and what they are.
    """
    first = items[0]
    if isinstance(first, tuple | Mapping):
        keys = _keys(first)
        for number, item in zip(numbers, items, strict=True):
            if type(item) is not type(first) or _keys(item) != keys:
                raise ShapeError(
                    f"DataLoader: item {number}{part} is {_described(item)}, but item {numbers[0]}, the first of its "
                    f"batch, is {_described(first)}; {_WAY_OUT}"
                )
        parts = {key: stack([item[key] for item in items], numbers, f"{part}[{key!r}]") for key in keys}
        return tuple(parts.values()) if isinstance(first, tuple) else parts
    arrays = [_array(item, number, part) for number, item in zip(numbers, items, strict=True)]
    for number, array in zip(numbers, arrays, strict=True):
        for what, error in (("shape", ShapeError), ("dtype", DtypeError)):
            mine, others = getattr(array, what), getattr(arrays[0], what)
            if mine != others:
                raise error(
                    f"DataLoader: item {number}{part} has the {what} {mine}, but item {numbers[0]}{part}, the first of "
                    f"its batch, has {others}; {_WAY_OUT}"
                )
    return np.stack(arrays)


def as_array(value: Any) -> npt.NDArray[Any]:
    """A tensor, array, number or list as an array; Python's floats are float32, so that they go with a model."""
    if isinstance(value, Tensor):
        return value.numpy()
    array = np.asarray(value)
    return array.astype(np.float32) if array.dtype == np.float64 and _of_python(value) else array


def _of_python(value: Any) -> bool:
    return isinstance(value, float | list) and not isinstance(value, np.generic)


def _array(value: Any, number: int, part: str) -> npt.NDArray[Any]:
    try:
        array = as_array(value)
    except ValueError as error:  # a list of lists of several lengths
        raise ShapeError(f"DataLoader: item {number}{part} is not of one shape ({error}); {_WAY_OUT}") from error
    if array.dtype.kind not in "biufc":
        raise DtypeError(f"DataLoader: item {number}{part} is {_described(value)}, which is no number; {_WAY_OUT}")
    return array


def _keys(item: Any) -> list[Any]:
    return list(item) if isinstance(item, Mapping) else list(range(len(item)))


def _described(item: Any) -> str:
    if isinstance(item, tuple):
        return f"a tuple of {len(item)}"
    if isinstance(item, Mapping):
        return f"a mapping with the keys {', '.join(map(repr, item))}"
    return f"of type {type(item).__name__}"
