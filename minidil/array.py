"""What every op, kernel and layer computes with: `Array`, and what an array is when it lies in the memory of a device.

Both stand below everything that names them, so that the rest of the house knows no device: a backend whose arrays lie
elsewhere makes them of a class derived from `OnDevice`.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import DTypeLike, NDArray

from minidil.errors import ShapeError

# Of what an op is given it may use the shape, ndim, size and dtype alone, since the array may be an `OnDevice`, and only
# kernels compute with it. tests/ops/test_device_neutral.py holds every op to that.
Array: TypeAlias = NDArray[Any]


class OnDevice:
    """shape and dtype of an array in a device's memory that can do nothing by itself. All work on it is done by kernels.

    It has no operators, so that an op cannot compute on it by accident, and it is never written into once it is made.
    `np.asarray(x)` copies it to the host.
    """

    __slots__ = ("__weakref__", "dtype", "shape")
    __array_ufunc__ = None  # np.add(x, y) fails, where NumPy would otherwise copy to the host behind our back
    __hash__ = None  # type: ignore[assignment]

    def __init__(self, shape: Sequence[int], dtype: DTypeLike) -> None:
        self.shape = tuple(int(n) for n in shape)
        self.dtype = np.dtype(dtype)

    ndim = property(lambda self: len(self.shape), doc="The number of axes.")
    size = property(lambda self: math.prod(self.shape), doc="The number of elements.")
    nbytes = property(lambda self: self.size * self.dtype.itemsize, doc="The number of bytes.")

    @abstractmethod  # for mypy; an ABC would make `isinstance` slow, which every operand of every call goes through
    def copy_to_host(self) -> NDArray[Any]:
        """A NumPy array with these values, once all kernels before have run."""

    def item(self) -> Any:
        """The value of an array of one element as a Python number."""
        if self.size != 1:
            raise ShapeError(f"item: an array of shape {self.shape} is not one number")
        return self.copy_to_host().item()

    def __array__(self, dtype: DTypeLike | None = None, copy: bool | None = None) -> NDArray[Any]:
        if copy is False:
            raise ValueError("an array in device memory can only be copied to the host")
        return self.copy_to_host() if dtype is None else self.copy_to_host().astype(dtype)

    def __deepcopy__(self, memo: dict[int, Any]) -> OnDevice:
        return self  # never written into, so a copy would be indistinguishable

    def __eq__(self, other: object) -> bool:
        raise TypeError("a device array has no operators; compare with a kernel, or np.asarray(x) on the host")

    def __bool__(self) -> bool:
        raise TypeError("a device array has no truth value; use .item() for an array of one element")
