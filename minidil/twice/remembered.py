"""An array that is the value of a tensor, and so knows how it was computed."""

from __future__ import annotations

from typing import Any

import numpy as np

from minidil.array import Array, OnDevice
from minidil.tensor import Tensor


class Remembered(OnDevice):
    """The array of the backend of `create_graph`. What it stands for is `tensor`, whose graph the kernels write."""

    __slots__ = ("tensor",)

    def __init__(self, tensor: Tensor) -> None:
        super().__init__(tensor.shape, tensor.dtype)
        self.tensor = tensor

    def copy_to_host(self) -> Array:
        """The value alone."""
        return np.array(self.tensor.numpy())


def known(x: Any) -> Any:
    """What functions of tensors take: the tensor of a Remembered, inside lists and tuples as well; all else as it is."""
    if isinstance(x, Remembered):
        return x.tensor
    if isinstance(x, list | tuple):
        return type(x)(map(known, x))
    return x


def value(x: Any) -> Any:
    """What kernels of the backend below take: the array of a Remembered, inside lists and tuples as well; all else as it is."""
    if isinstance(x, Remembered):
        return x.tensor._array
    if isinstance(x, list | tuple):
        return type(x)(map(value, x))
    return x


def remembered(x: Any) -> Any:
    """The other way: tensors, arrays, and tuples of them, as this backend has them."""
    if isinstance(x, tuple):
        return tuple(map(remembered, x))
    if isinstance(x, Remembered):
        return x
    return Remembered(x if isinstance(x, Tensor) else Tensor.of(x))
