"""The kernels of `minidil.kernels.contract` on tensors: each of them a function that is recorded.

Those without a slope (comparisons, classes, what is drawn) are computed by the backend below, and their values are constants.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from minidil.array import Array
from minidil.kernels.contract import KERNELS, Kernels
from minidil.kernels.running import running
from minidil.tensor import Tensor
from minidil.twice.formulas import KERNELS_OF_TENSORS
from minidil.twice.remembered import Remembered, known, remembered, value

# Boxes stay on the host, and updates take and give the arrays of parameters.
_ON_ARRAYS = ("box_iou", "nms", "sgd_update", "adam_update", "adamw_update", "rmsprop_update", "square_sum")


class Recording:
    """The kernels, computed on the backend `below`."""

    name = "create_graph"

    def __init__(self, below: Kernels) -> None:
        self.below = below
        for name in set(KERNELS) - {"place", "constant"}:
            setattr(self, name, partial(self._on_arrays if name in _ON_ARRAYS else self._call, name))

    def _call(self, name: str, *arguments: Any, **options: Any) -> Any:
        """One kernel, with the backend below active: as a function of tensors where there is one, else its value."""
        with running(self.below):
            if name in KERNELS_OF_TENSORS:
                return remembered(KERNELS_OF_TENSORS[name](*map(known, arguments), **options))
            return remembered(getattr(self.below, name)(*map(value, arguments), **options))

    def _on_arrays(self, name: str, *arguments: Any, **options: Any) -> Any:
        """One kernel whose results are arrays of the backend below."""
        return getattr(self.below, name)(*map(value, arguments), **options)

    def place(self, x: Any) -> Remembered:
        """An array as a constant, which it stays unless it is that of a tensor, see `hold`."""
        return x if isinstance(x, Remembered) else Remembered(Tensor.of(self.below.place(x)))

    def hold(self, holder: Tensor) -> Remembered:
        """What a tensor is to an op: its array, remembered to be that tensor's."""
        array: Any = holder._array
        return array if isinstance(array, Remembered) else Remembered(holder)

    def constant(self, values: Any, like: Array) -> Remembered:
        """Host values in the number type of `like`."""
        return Remembered(Tensor.of(self.below.constant(values, like=np.empty((), like.dtype))))
