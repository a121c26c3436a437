"""From logits to probabilities and to the cross-entropy."""

from __future__ import annotations

import numpy as np

from minidil.array import Array
from minidil.kernels.reference.channel import along_channel
from minidil.kernels.reference.gather import one_hot


def softmax(x: Array, axis: int) -> Array:
    """e^x / sum e^x along an axis; shifted by the maximum, which changes nothing but cannot overflow."""
    exponentials = np.exp(x - np.max(x, axis=axis, keepdims=True))
    return np.divide(exponentials, np.sum(exponentials, axis=axis, keepdims=True))


def softmax_grad(grad: Array, y: Array, axis: int) -> Array:
    """y (grad - sum grad y), with the sum along the axis."""
    return np.multiply(y, grad - np.sum(grad * y, axis=axis, keepdims=True))


def log_softmax(x: Array, axis: int) -> Array:
    """x - log sum e^x along an axis, shifted like `softmax`."""
    shifted = x - np.max(x, axis=axis, keepdims=True)
    return np.subtract(shifted, np.log(np.sum(np.exp(shifted), axis=axis, keepdims=True)))


def log_softmax_grad(grad: Array, y: Array, axis: int) -> Array:
    """grad - e^y sum grad, with the sum along the axis."""
    return np.subtract(grad, np.exp(y) * np.sum(grad, axis=axis, keepdims=True))


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
    return wanted if weight is None else wanted * along_channel(weight, logits)
