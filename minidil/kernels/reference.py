"""The definition of every kernel, in NumPy. A faster backend replaces some of them and is tested against these.

Most kernels *are* NumPy functions under their own names; the ones written out below are those that NumPy lacks.
Kernels trust their arguments: the ops check shapes and options, and say what is wrong, before they call one.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy import (  # re-exported: this is the list of NumPy functions that a backend for another machine must bring
    absolute,
    add,
    clip,
    concatenate,
    divide,
    equal,
    exp,
    greater,
    greater_equal,
    less,
    less_equal,
    log,
    log1p,
    logical_and,
    matmul,
    max,
    maximum,
    mean,
    min,
    minimum,
    multiply,
    negative,
    not_equal,
    pad,
    power,
    reshape,
    sign,
    sqrt,
    stack,
    subtract,
    sum,
    tanh,
    transpose,
    where,
)
from numpy.typing import DTypeLike

from minidil.array import Array
from minidil.kernels.conv_reference import (
    conv_forward,
    conv_grad_input,
    conv_grad_weight,
    max_pool,
    max_pool_grad,
    window_spread,
    window_sum,
)

__all__ = [
    "absolute",
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
    "scatter_add",
    "sigmoid",
    "sign",
    "softmax",
    "sqrt",
    "stack",
    "subtract",
    "sum",
    "take",
    "tanh",
    "transpose",
    "where",
    "window_spread",
    "window_sum",
]

# Beyond this, P(Z > x) and the normal density are 0 in float64 too (e^-800). What multiplies them is limited to it, as x^2 would
# overflow and infinity times 0 is NaN, where the limit is 0.
NORMAL_ENDS = 40


def place(x: Any) -> Array:
    """x where this backend computes: on the host, which copies what is in a device's memory."""
    return np.asarray(x)


def astype(x: Array, dtype: DTypeLike) -> Array:
    """x as another number type."""
    return x.astype(dtype)


def broadcast_to(x: Array, shape: Sequence[int]) -> Array:
    """x repeated along the axes that `shape` stretches."""
    return np.broadcast_to(x, tuple(shape))


def constant(values: Any, like: Array) -> Array:
    """Host values as an array of the number type (and, on other backends, the device) of `like`."""
    return np.asarray(values, like.dtype)


# --- gathering and scattering


def take(x: Array, index: Any) -> Array:
    """x[index], for any index that NumPy knows."""
    return x[index]


def scatter_add(grad: Array, index: Any, shape: Sequence[int]) -> Array:
    """The adjoint of `take`: zeros of `shape`, plus grad added at `index`, as often as an element is named there."""
    out = np.zeros(tuple(shape), grad.dtype)
    entries = index if isinstance(index, tuple) else (index,)
    if all(entry is None or entry is Ellipsis or isinstance(entry, int | slice) for entry in entries):
        out[index] = grad  # a basic index names no element twice
    else:
        np.add.at(out, index, grad)
    return out


def one_hot(labels: Array, classes: int, dtype: DTypeLike) -> Array:
    """Labels (N, *S) -> (N, classes, *S), 1 where the class axis equals the label and 0 elsewhere."""
    return np.equal(np.expand_dims(labels, 1), np.arange(classes).reshape(-1, *(1,) * (labels.ndim - 1))).astype(dtype)


# --- activations


def relu(x: Array) -> Array:
    """max(x, 0)."""
    return np.maximum(x, 0)


def relu_grad(grad: Array, y: Array) -> Array:
    """0 where the output y is 0, grad elsewhere, also where y is NaN."""
    return np.where(y <= 0, grad.dtype.type(0), grad)


def sigmoid(x: Array) -> Array:
    """1 / (1 + e^-x), for x < 0 as e^x / (1 + e^x): no power overflows, and a small result keeps its digits."""
    power = np.exp(-np.abs(x))
    return np.divide(np.where(x < 0, power, power.dtype.type(1)), 1 + power)


def erf(x: Array) -> Array:
    """The error function, element by element from the standard library: NumPy has none."""
    return np.asarray(np.vectorize(math.erf, otypes=[np.float64])(x)).astype(x.dtype)


def gelu(x: Array) -> Array:
    """x P(Z <= x) for a standard normal Z."""
    return np.multiply(np.maximum(x, -NORMAL_ENDS), _normal_below(x))


def gelu_grad(grad: Array, x: Array) -> Array:
    """grad times the slope of gelu: P(Z <= x) + x times the normal density at x."""
    near = np.clip(x, -NORMAL_ENDS, NORMAL_ENDS)
    density = np.exp(-0.5 * near * near) / np.sqrt(2 * np.pi, dtype=x.dtype)
    return np.multiply(grad, _normal_below(x) + near * density)


def _normal_below(x: Array) -> Array:
    return 0.5 * (1 + erf(x * np.sqrt(0.5, dtype=x.dtype)))


def softmax(x: Array, axis: int) -> Array:
    """e^x / sum e^x along an axis; shifted by the maximum, which changes nothing but cannot overflow."""
    exponentials = np.exp(x - np.max(x, axis=axis, keepdims=True))
    return np.divide(exponentials, np.sum(exponentials, axis=axis, keepdims=True))


def log_softmax(x: Array, axis: int) -> Array:
    """x - log sum e^x along an axis, shifted like `softmax`."""
    shifted = x - np.max(x, axis=axis, keepdims=True)
    return np.subtract(shifted, np.log(np.sum(np.exp(shifted), axis=axis, keepdims=True)))


def cross_entropy(logits: Array, target: Array, weight: Array | None, label_smoothing: float) -> Array:
    """-sum_c q_c log p_c at every position, (N, *S): p is the softmax of the logits (N, K, *S) along axis 1.

    q: the wanted distribution, (1 - label_smoothing) [c = target] + label_smoothing / K, times the weight (K,) of the class.
    """
    wanted = _wanted(logits, target, weight, label_smoothing)
    # A class that is not wanted adds nothing, also where it is masked by a logit of minus infinity: 0 log 0 = 0.
    counted = np.where(wanted == 0, logits.dtype.type(0), log_softmax(logits, 1))
    return np.negative(np.sum(wanted * counted, axis=1))


def cross_entropy_grad(
    grad: Array, logits: Array, target: Array, weight: Array | None, label_smoothing: float
) -> Array:
    """grad (N, *S) times p_c sum_j q_j - q_c, with the names of `cross_entropy`."""
    wanted = _wanted(logits, target, weight, label_smoothing)
    slope = softmax(logits, 1) * np.sum(wanted, axis=1, keepdims=True) - wanted
    return np.multiply(np.expand_dims(grad, 1), slope)


def _wanted(logits: Array, target: Array, weight: Array | None, label_smoothing: float) -> Array:
    classes = logits.shape[1]
    wanted = one_hot(target, classes, logits.dtype) * (1 - label_smoothing) + label_smoothing / classes
    return wanted if weight is None else wanted * _along_channel(weight, logits)


def keep_mask(rng: np.random.Generator, shape: Sequence[int], drop: float, dtype: DTypeLike) -> Array:
    """Dropout's multiplier: 0 with probability `drop`, else 1 / (1 - drop)."""
    kept = rng.random(tuple(shape), dtype=np.float32) >= drop
    return np.multiply(kept, np.asarray(1 / (1 - drop), dtype))


# --- per-channel arithmetic: x is (N, C, *S), a vector is (C,)


def channel_moments(x: Array) -> tuple[Array, Array]:
    """Mean and (biased) variance of every channel."""
    axes = _all_but_channel(x)
    return np.mean(x, axis=axes), np.var(x, axis=axes)


def channel_affine(x: Array, scale: Array, shift: Array, activation: str | None = None) -> Array:
    """f(scale x + shift), with one scale and one shift per channel; the activation f is None (none), "relu" or "gelu"."""
    u = np.add(x * _along_channel(scale, x), _along_channel(shift, x))
    return u if activation is None else relu(u) if activation == "relu" else gelu(u)


def channel_dots(grad: Array, x: Array, mean: Array) -> tuple[Array, Array]:
    """For every channel, sum(grad) and sum(grad (x - mean))."""
    axes = _all_but_channel(x)
    return np.sum(grad, axis=axes), np.sum(grad * (x - _along_channel(mean, x)), axis=axes)


def channel_slope_dots(
    grad: Array, x: Array, scale: Array, shift: Array, mean: Array, activation: str
) -> tuple[Array, Array, Array]:
    """H = grad f'(scale x + shift) for the activation f; and for every channel, sum(H) and sum(H (x - mean))."""
    u = channel_affine(x, scale, shift)
    slope = relu_grad(grad, u) if activation == "relu" else gelu_grad(grad, u)
    return slope, *channel_dots(slope, x, mean)


def channel_combine(grad: Array, x: Array, a: Array, b: Array, c: Array) -> Array:
    """a grad + b x + c, with one a, b and c per channel."""
    return np.add(grad * _along_channel(a, x) + x * _along_channel(b, x), _along_channel(c, x))


def _all_but_channel(x: Array) -> tuple[int, ...]:
    return (0, *range(2, x.ndim))


def _along_channel(vector: Array, x: Array) -> Array:
    return vector.reshape(-1, *(1,) * (x.ndim - 2))
