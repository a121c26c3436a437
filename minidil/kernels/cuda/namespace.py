"""The kernels of the backend "cuda": every name of `minidil.kernels.contract`, from device arrays to device arrays.

Those that are written here take what they need to the device themselves; all others are found in the files of this room.
Arguments that are still on the host enter through `to_device`, which refuses float64 and int64 by name. What a kernel returns
is a fresh array, or shares memory with its argument, which nothing writes into.

All of them have been executed in the emulator, from the PTX that numba.cuda compiles, and none on a GPU yet: that they are right
is tested, how fast they are has not been measured.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from minidil.kernels.contract import KERNELS, offered
from minidil.kernels.cuda import (
    channel,
    conv,
    conv_weight,
    copy,
    elementwise,
    gather,
    gemm,
    logarithm,
    loss,
    maps,
    mixing,
    pool,
    recurrent,
    reduce,
    row,
    update,
)
from minidil.kernels.cuda import softmax as _softmax
from minidil.kernels.cuda.array import DTYPES, DeviceArray, to_device
from minidil.kernels.cuda.device import Array
from minidil.kernels.reference import boxes, random


def _entering(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function, for arrays that may still be on the host."""

    @wraps(function)
    def enter(*arguments: Any, **options: Any) -> Any:
        return function(*(to_device(x) if isinstance(x, np.ndarray | np.generic) else x for x in arguments), **options)

    return enter


def place(x: Any) -> Any:
    """x in device memory if the device has its number type; float64 and int64 stay on the host for a kernel to judge."""
    return x if isinstance(x, DeviceArray) or np.asarray(x).dtype not in DTYPES else to_device(x)


def keep_mask(rng: np.random.Generator, shape: Sequence[int], drop: float, dtype: DTypeLike) -> Array:
    """Dropout's multiplier. It is drawn on the host, so that the same seed drops the same numbers on every backend."""
    mask: NDArray[Any] = random.keep_mask(rng, shape, drop, dtype)
    return to_device(mask)


def concatenate(arrays: Sequence[Any], axis: int = 0) -> Array:
    """Arrays joined along an existing axis."""
    return copy.concatenate([to_device(x) for x in arrays], axis)


def stack(arrays: Sequence[Any], axis: int = 0) -> Array:
    """Arrays of one shape joined along a new axis."""
    return copy.stack([to_device(x) for x in arrays], axis)


def cross_entropy(logits: Any, target: Any, weight: Any, label_smoothing: float) -> Array:
    """The loss at every position."""
    return loss.cross_entropy(to_device(logits), target, None if weight is None else to_device(weight), label_smoothing)


def cross_entropy_grad(grad: Any, logits: Any, target: Any, weight: Any, label_smoothing: float) -> Array:
    """The gradient of the logits."""
    placed = None if weight is None else to_device(weight)
    return loss.cross_entropy_grad(to_device(grad), to_device(logits), target, placed, label_smoothing)


# Constants, class numbers and positions come from the host. Boxes stay there.
constant, one_hot = maps.constant, gather.one_hot
box_iou, nms = boxes.box_iou, boxes.nms


def take(x: Any, index: Any) -> Array:
    """x[index], for any index that NumPy knows."""
    return gather.take(to_device(x), index)


def scatter_add(grad: Any, index: Any, shape: Sequence[int]) -> Array:
    """The adjoint of `take`."""
    return gather.scatter_add(to_device(grad), index, shape)


_FILES = (
    channel,
    conv,
    conv_weight,
    copy,
    elementwise,
    gather,
    gemm,
    logarithm,
    loss,
    maps,
    mixing,
    pool,
    recurrent,
    reduce,
    row,
    _softmax,
    update,
)
globals().update({name: _entering(kernel) for name, kernel in offered(*_FILES).items() if name not in globals()})
__all__ = list(KERNELS)
