"""Ops that name positions along an axis. What comes out are integers, which have no gradient."""

from __future__ import annotations

from numbers import Integral

import numpy as np

from minidil.array import Array
from minidil.errors import DtypeError, OptionError
from minidil.kernels.backend import active
from minidil.ops.common import Vjps


def one_hot(index: Array, *, num_classes: int = -1) -> tuple[Array, Vjps]:
    """1 where the new last axis equals the index and 0 elsewhere, in the integer type of the index; no gradient.

    Shapes: index (*S) of integers in 0..num_classes-1 -> (*S, num_classes); -1 stands for the largest index plus one.
    Raises: DtypeError if the index holds no integers, OptionError if one is out of range.
    """
    if getattr(index, "dtype", np.dtype(object)).kind not in "iu":
        kind = getattr(index, "dtype", type(index).__name__)
        raise DtypeError(f"one_hot: index must be an array or a tensor of integers, not {kind}")
    if not isinstance(num_classes, Integral) or isinstance(num_classes, bool) or num_classes < -1 or num_classes == 0:
        raise OptionError(f"one_hot: num_classes must be an int >= 1, or -1 to count, not {num_classes!r}")
    k = active()
    if not index.size and num_classes == -1:
        raise OptionError(f"one_hot: no class can be counted in an empty index {index.shape}; give num_classes")
    if index.size:
        lowest, highest = int(k.min(index).item()), int(k.max(index).item())
        if lowest < 0 or (num_classes != -1 and highest >= num_classes):
            known = f"0..{num_classes - 1}" if num_classes != -1 else ">= 0"
            raise OptionError(f"one_hot: index holds {lowest}..{highest} but the classes are {known}")
        num_classes = highest + 1 if num_classes == -1 else num_classes
    classes = k.constant(np.arange(num_classes), like=index)
    return k.astype(k.equal(k.reshape(index, (*index.shape, 1)), classes), index.dtype), (None,)
