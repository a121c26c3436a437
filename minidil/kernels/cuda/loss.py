"""Cross entropy and its gradient: one thread for each position, which walks over its classes.

The logits are (N, K, S) with S positions to an image, so those of position i start at (i // S) K S + i % S and are S apart, and
threads with neighbouring positions of one image read neighbouring addresses. With p the softmax of the logits z and q the wanted
distribution, ((1 - e) [c = target] + e / K) w_c,

    loss = -sum_c q_c log p_c        and        dloss/dz_c = p_c sum_j q_j - q_c.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from minidil.kernels.cuda.array import empty, indices_to_device
from minidil.kernels.cuda.copy import full
from minidil.kernels.cuda.device import Array, inline, run_each, thread_index, types
from minidil.kernels.cuda.launch import kernel
from minidil.kernels.cuda.seam import float32, uint32


@inline
def largest_logit(logits: Array, at: int, classes: int, inner: int) -> float:
    """The largest logit of a position; the exponentials are taken of what lies below it, so that none overflows."""
    largest = logits[at]
    for c in range(uint32(1), classes, uint32(1)):
        largest = max(largest, logits[uint32(at + c * inner)])
    return largest


@inline
def sum_of_powers(logits: Array, at: int, classes: int, inner: int, largest: float) -> float:
    """sum_c e^(z_c - largest)."""
    total = float32(0)
    for c in range(uint32(0), classes, uint32(1)):
        total += math.exp(logits[uint32(at + c * inner)] - largest)
    return total


@inline
def wanted(c: int, label: int, weight: Array, own: float, shared: float) -> float:
    """q_c, from own = 1 - e and shared = e / K."""
    return (shared + own if c == label else shared) * weight[c]


@kernel(types("fiffuurr"))
def losses_of(
    logits: Array, labels: Array, weight: Array, losses: Array, classes: int, inner: int, own: float, shared: float
) -> None:
    i = thread_index()
    if i < losses.size:
        at = uint32(uint32(i // inner) * uint32(classes * inner) + i % inner)
        label = uint32(labels[i])
        largest = largest_logit(logits, at, classes, inner)
        log_total = math.log(sum_of_powers(logits, at, classes, inner, largest))
        loss = float32(0)
        for c in range(uint32(0), classes, uint32(1)):
            q = wanted(c, label, weight, own, shared)
            if q != float32(0):  # what is not wanted adds nothing, also where its logit is minus infinity
                loss -= q * (logits[uint32(at + c * inner)] - largest - log_total)
        losses[i] = loss


@kernel(types("ffiffuurr"))
def slopes_of(
    grad: Array,
    logits: Array,
    labels: Array,
    weight: Array,
    slopes: Array,
    classes: int,
    inner: int,
    own: float,
    shared: float,
) -> None:
    i = thread_index()
    if i < labels.size:
        at = uint32(uint32(i // inner) * uint32(classes * inner) + i % inner)
        label = uint32(labels[i])
        largest = largest_logit(logits, at, classes, inner)
        total = sum_of_powers(logits, at, classes, inner, largest)
        mass = float32(0)
        for c in range(uint32(0), classes, uint32(1)):
            mass += wanted(c, label, weight, own, shared)
        for c in range(uint32(0), classes, uint32(1)):
            p = math.exp(logits[uint32(at + c * inner)] - largest) / total
            slopes[uint32(at + c * inner)] = grad[i] * (p * mass - wanted(c, label, weight, own, shared))


def cross_entropy(logits: Array, target: Any, weight: Array | None, label_smoothing: float) -> Array:
    """The loss at every position, (N, *S)."""
    losses = empty((logits.shape[0], *logits.shape[2:]), logits.dtype)
    labels, weights = _labels_and_weights(logits, target, weight)
    run_each(losses_of, losses.size, logits, labels, weights, losses, *_numbers(logits, label_smoothing))
    return losses


def cross_entropy_grad(grad: Array, logits: Array, target: Any, weight: Array | None, label_smoothing: float) -> Array:
    """The gradient of the logits, for the gradient of every loss."""
    slopes = empty(logits.shape, logits.dtype)
    labels, weights = _labels_and_weights(logits, target, weight)
    run_each(slopes_of, grad.size, grad, logits, labels, weights, slopes, *_numbers(logits, label_smoothing))
    return slopes


def _labels_and_weights(logits: Array, target: Any, weight: Array | None) -> tuple[Array, Array]:
    return indices_to_device(target), full((logits.shape[1],), 1.0, logits.dtype) if weight is None else weight


def _numbers(logits: Array, label_smoothing: float) -> tuple[Any, ...]:
    classes = logits.shape[1]
    sizes = np.uint32(classes), np.uint32(math.prod(logits.shape[2:]))
    return *sizes, np.float32(1 - label_smoothing), np.float32(label_smoothing / classes)
