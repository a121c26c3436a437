"""Arrays that move or change their type, without computing; NumPy has the other ones under their own names."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from minidil.array import Array


def place(x: Any) -> Array:
    """x where this backend computes: on the host, which copies what is in a device's memory."""
    return np.asarray(x)


def constant(values: Any, like: Array) -> Array:
    """Host values as an array of the number type (and, on other backends, the device) of `like`."""
    return np.asarray(values, like.dtype)


def astype(x: Array, dtype: DTypeLike) -> Array:
    """x as another number type."""
    return x.astype(dtype)


def broadcast_to(x: Array, shape: Sequence[int]) -> Array:
    """x repeated along the axes that `shape` stretches."""
    return np.broadcast_to(x, tuple(shape))


def zeros_like(x: Array) -> Array:
    """Zeros of the shape and number type of x: where a moving average starts."""
    return np.zeros_like(x)
