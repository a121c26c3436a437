"""The kernels of the backend "cuda": every name of `reference` and `update`, from device arrays to device arrays.

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

from minidil.kernels import reference
from minidil.kernels.cuda import channel, conv, copy, elementwise, gather, gemm, loss, maps, pool, reduce, update
from minidil.kernels.cuda import softmax as _softmax
from minidil.kernels.cuda.array import DTYPES, DeviceArray, to_device
from minidil.kernels.cuda.device import Array

__all__ = [
    "absolute",
    "adam_update",
    "adamw_update",
    "add",
    "astype",
    "broadcast_to",
    "channel_affine",
    "channel_combine",
    "channel_dots",
    "channel_moments",
    "channel_slope_dots",
    "clip",
    "concatenate",
    "constant",
    "conv_forward",
    "conv_grad_input",
    "conv_grad_weight",
    "cross_entropy",
    "cross_entropy_grad",
    "divide",
    "equal",
    "erf",
    "exp",
    "gelu",
    "gelu_grad",
    "greater",
    "greater_equal",
    "keep_mask",
    "less",
    "less_equal",
    "log",
    "log1p",
    "log_softmax",
    "logical_and",
    "matmul",
    "max",
    "max_pool",
    "max_pool_grad",
    "maximum",
    "mean",
    "min",
    "minimum",
    "multiply",
    "negative",
    "not_equal",
    "one_hot",
    "pad",
    "place",
    "power",
    "relu",
    "relu_grad",
    "reshape",
    "rmsprop_update",
    "scatter_add",
    "sgd_update",
    "sigmoid",
    "sign",
    "softmax",
    "sqrt",
    "square_sum",
    "stack",
    "subtract",
    "sum",
    "take",
    "tanh",
    "transpose",
    "where",
    "window_spread",
    "window_sum",
    "zeros_like",
]


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
    mask: NDArray[Any] = reference.keep_mask(rng, shape, drop, dtype)
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


# These take what they need to the device themselves: constants, class numbers and positions come from the host.
constant, one_hot = maps.constant, gather.one_hot


def take(x: Any, index: Any) -> Array:
    """x[index], for any index that NumPy knows."""
    return gather.take(to_device(x), index)


def scatter_add(grad: Any, index: Any, shape: Sequence[int]) -> Array:
    """The adjoint of `take`."""
    return gather.scatter_add(to_device(grad), index, shape)


channel_affine = _entering(channel.channel_affine)
channel_combine = _entering(channel.channel_combine)
channel_dots = _entering(channel.channel_dots)
channel_moments = _entering(channel.channel_moments)
channel_slope_dots = _entering(channel.channel_slope_dots)

conv_forward = _entering(conv.conv_forward)
conv_grad_input = _entering(conv.conv_grad_input)
conv_grad_weight = _entering(conv.conv_grad_weight)

broadcast_to = _entering(copy.broadcast_to)
pad = _entering(copy.pad)
reshape = _entering(copy.reshape)
transpose = _entering(copy.transpose)
zeros_like = _entering(copy.zeros_like)

absolute = _entering(elementwise.absolute)
add = _entering(elementwise.add)
astype = _entering(maps.astype)
clip = _entering(elementwise.clip)
divide = _entering(elementwise.divide)
equal = _entering(elementwise.equal)
erf = _entering(elementwise.erf)
exp = _entering(elementwise.exp)
gelu = _entering(elementwise.gelu)
gelu_grad = _entering(elementwise.gelu_grad)
greater = _entering(elementwise.greater)
greater_equal = _entering(elementwise.greater_equal)
less = _entering(elementwise.less)
less_equal = _entering(elementwise.less_equal)
log = _entering(elementwise.log)
log1p = _entering(elementwise.log1p)
logical_and = _entering(elementwise.logical_and)
maximum = _entering(elementwise.maximum)
minimum = _entering(elementwise.minimum)
multiply = _entering(elementwise.multiply)
negative = _entering(elementwise.negative)
not_equal = _entering(elementwise.not_equal)
power = _entering(elementwise.power)
relu = _entering(elementwise.relu)
relu_grad = _entering(elementwise.relu_grad)
sigmoid = _entering(elementwise.sigmoid)
sign = _entering(elementwise.sign)
sqrt = _entering(elementwise.sqrt)
subtract = _entering(elementwise.subtract)
tanh = _entering(elementwise.tanh)
where = _entering(elementwise.where)

matmul = _entering(gemm.matmul)

max_pool = _entering(pool.max_pool)
max_pool_grad = _entering(pool.max_pool_grad)
window_spread = _entering(pool.window_spread)
window_sum = _entering(pool.window_sum)

max = _entering(reduce.max)
mean = _entering(reduce.mean)
min = _entering(reduce.min)
square_sum = _entering(reduce.square_sum)
sum = _entering(reduce.sum)

log_softmax = _entering(_softmax.log_softmax)
softmax = _entering(_softmax.softmax)

adam_update = _entering(update.adam_update)
adamw_update = _entering(update.adamw_update)
rmsprop_update = _entering(update.rmsprop_update)
sgd_update = _entering(update.sgd_update)
