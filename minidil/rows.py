"""Rows: a gradient of a table most of whose rows are 0, kept as the few that are not."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray


class Rows:
    """An array of this shape on the host that is 0 but for values (U, *shape[1:]) at the rows `index` (U,), increasing.

    It stands where a gradient does. Whoever does not know it gets the whole table by `np.asarray`, and so by a kernel's `place`.
    """

    __array_ufunc__ = None  # np.add(x, y) fails, where NumPy would otherwise make the whole table behind our back

    def __init__(self, index: NDArray[np.int64], values: NDArray[Any], shape: Sequence[int]) -> None:
        self.index = index
        self.values = values
        self.shape = tuple(shape)
        self.dtype = values.dtype

    ndim = property(lambda self: len(self.shape), doc="The number of axes.")
    size = property(lambda self: math.prod(self.shape), doc="The number of elements, zeros among them.")

    def __array__(self, dtype: DTypeLike | None = None, copy: bool | None = None) -> NDArray[Any]:
        whole = np.zeros(self.shape, self.dtype if dtype is None else dtype)
        whole[self.index] = self.values
        return whole

    def scaled(self, factor: float) -> Rows:
        """factor times this."""
        return Rows(self.index, self.values * self.dtype.type(factor), self.shape)

    def plus(self, other: Rows) -> Rows:
        """The sum of both."""
        index = np.union1d(self.index, other.index)
        values = np.zeros((len(index), *self.shape[1:]), self.dtype)
        for part in (self, other):
            values[np.searchsorted(index, part.index)] += part.values
        return Rows(index, values, self.shape)
