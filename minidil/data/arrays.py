"""Any arrays of one length as a data set."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from minidil.data.collate import as_array
from minidil.data.dataset import Indices, picked, read_only, which
from minidil.errors import OptionError, ShapeError
from minidil.operand import Operand


class TensorDataset:
    """Tensors or arrays of equal length, any number of them and of any dtype: item i is the tuple of their i-th entries.

    Inputs and targets, images and masks, sequences and their lengths: TensorDataset(x, y). A `DataLoader` makes tuples
    of batches of them, with their dtype, which nothing divides by 255.

    Attributes:
        tensors: read-only NumPy views of them, not copies.
    Raises: OptionError if there is none, ShapeError if one has no axis or lengths differ.
    """

    def __init__(self, *tensors: Operand | list[Any]) -> None:
        if not tensors:
            raise OptionError("TensorDataset: takes at least one tensor or array, such as TensorDataset(x, y)")
        arrays = [_array(position, value) for position, value in enumerate(tensors)]
        for position, array in enumerate(arrays):
            if array.ndim == 0:
                raise ShapeError(f"TensorDataset: number {position} is one value without an axis of items")
            if len(array) != len(arrays[0]):
                raise ShapeError(
                    f"TensorDataset: all must have one length, but number 0 {arrays[0].shape} has {len(arrays[0])} "
                    f"items and number {position} {array.shape} has {len(array)}"
                )
        self.tensors = tuple(read_only(array) for array in arrays)

    def __len__(self) -> int:
        return len(self.tensors[0])

    def __getitem__(self, index: int | Indices) -> tuple[Any, ...]:
        """Item `index`, or for a slice, a mask or many indices the tuple of arrays that they pick."""
        at = which(index, "TensorDataset", len(self))
        return tuple(array[at] for array in self.tensors)

    def __iter__(self) -> Iterator[tuple[Any, ...]]:
        return zip(*self.tensors, strict=True)

    def subset(self, indices: Indices) -> "TensorDataset":
        """The items that `indices` (integers, a slice or a boolean mask) picks, in that order."""
        at = picked(indices)
        try:
            return TensorDataset(*(array[at] for array in self.tensors))
        except IndexError as error:
            raise OptionError(f"TensorDataset.subset: there are {len(self)} items: {error}") from error

    def batch(self, chosen: npt.NDArray[np.int64]) -> tuple[npt.NDArray[Any], ...]:
        """The items of these numbers as one batch: a copy of each array's entries."""
        return tuple(array[chosen] for array in self.tensors)

    def __repr__(self) -> str:
        shapes = ", ".join(f"{array.dtype} {array.shape[1:]}" for array in self.tensors)
        return f"TensorDataset({len(self):,} items: {shapes})"


def _array(position: int, value: Any) -> npt.NDArray[Any]:
    try:
        return as_array(value)
    except ValueError as error:  # a list of lists of several lengths
        raise ShapeError(
            f"TensorDataset: number {position} is not of one shape ({error}); make a list of its items and give "
            "DataLoader that, with collate="
        ) from error
