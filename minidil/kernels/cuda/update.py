"""One step of each optimizer: a thread moves one number of a parameter, in one launch but for RMSprop. The formulas are derived
in `minidil.kernels.reference.update`, whose functions these replace.
"""

from __future__ import annotations

import math

import numpy as np

from minidil.kernels.cuda import elementwise
from minidil.kernels.cuda.array import empty
from minidil.kernels.cuda.copy import zeros_like
from minidil.kernels.cuda.device import Array, run_each, thread_index, types
from minidil.kernels.cuda.launch import kernel
from minidil.kernels.cuda.seam import uint32


@kernel(types("fffrr"))
def sgd(theta: Array, g: Array, moved: Array, lr: float, decay: float) -> None:
    i = thread_index()
    if i < moved.size:
        moved[i] = theta[i] - lr * (g[i] + decay * theta[i])


@kernel(types("fffffrrrru"))
def sgd_momentum(
    theta: Array,
    g: Array,
    velocity: Array,
    moved: Array,
    faster: Array,
    lr: float,
    decay: float,
    momentum: float,
    share: float,
    nesterov: int,
) -> None:
    """faster: the new velocity; share: how much of the gradient enters it."""
    i = thread_index()
    if i < moved.size:
        gradient = g[i] + decay * theta[i]
        v = momentum * velocity[i] + share * gradient
        faster[i] = v
        if nesterov != uint32(0):
            v = gradient + momentum * v
        moved[i] = theta[i] - lr * v


@kernel(types("fffffffrrrrrrrrr"))
def adam(
    theta: Array,
    g: Array,
    mean: Array,
    square: Array,
    moved: Array,
    new_mean: Array,
    new_square: Array,
    rate: float,
    beta1: float,
    beta2: float,
    share1: float,
    share2: float,
    eps: float,
    correction: float,
    decay: float,
    shrink: float,
) -> None:
    """share: 1 - beta, exactly rounded; rate: lr / (1 - beta1^t); correction: 1 - beta2^t.

    decay is for the gradient (Adam), shrink for the parameter (AdamW).
    """
    i = thread_index()
    if i < moved.size:
        gradient = g[i] + decay * theta[i]
        m = beta1 * mean[i] + share1 * gradient
        v = beta2 * square[i] + share2 * (gradient * gradient)
        new_mean[i], new_square[i] = m, v
        moved[i] = shrink * theta[i] - rate * (m / (math.sqrt(v / correction) + eps))


def sgd_update(
    theta: Array,
    g: Array,
    velocity: Array | None,
    *,
    lr: float,
    momentum: float,
    dampening: float,
    weight_decay: float,
    nesterov: bool,
) -> tuple[Array, Array | None]:
    """The new parameter and the new velocity (None without momentum)."""
    moved = empty(theta.shape, theta.dtype)
    if not momentum:
        run_each(sgd, moved.size, theta, g, moved, *map(np.float32, (lr, weight_decay)))
        return moved, None
    faster = empty(theta.shape, theta.dtype)
    # The first velocity is the gradient itself: nothing of an old one, all of the new.
    first = velocity is None
    before, share = (zeros_like(theta), 1.0) if first else (velocity, 1 - dampening)
    numbers = map(np.float32, (lr, weight_decay, momentum, share))
    run_each(sgd_momentum, moved.size, theta, g, before, moved, faster, *numbers, np.uint32(nesterov))
    return moved, faster


def adam_update(
    theta: Array,
    g: Array,
    mean: Array,
    square: Array,
    *,
    step: int,
    lr: float,
    beta1: float,
    beta2: float,
    eps: float,
    weight_decay: float,
) -> tuple[Array, Array, Array]:
    """Adam: the new parameter and the new moving averages of the gradient and of its square."""
    return _adam(theta, g, mean, square, step, lr, beta1, beta2, eps, decay=weight_decay, shrink=1.0)


def adamw_update(
    theta: Array,
    g: Array,
    mean: Array,
    square: Array,
    *,
    step: int,
    lr: float,
    beta1: float,
    beta2: float,
    eps: float,
    weight_decay: float,
) -> tuple[Array, Array, Array]:
    """Adam with decoupled weight decay."""
    return _adam(theta, g, mean, square, step, lr, beta1, beta2, eps, decay=0.0, shrink=1 - lr * weight_decay)


def rmsprop_update(
    theta: Array,
    g: Array,
    square: Array,
    mean: Array | None,
    velocity: Array | None,
    *,
    lr: float,
    alpha: float,
    eps: float,
    weight_decay: float,
    momentum: float,
) -> tuple[Array, Array, Array | None, Array | None]:
    """RMSprop, composed of elementwise kernels: a launch for each operation."""
    add, multiply, subtract = elementwise.add, elementwise.multiply, elementwise.subtract
    if weight_decay:
        g = add(g, multiply(theta, weight_decay))
    square = add(multiply(square, alpha), multiply(multiply(g, g), 1 - alpha))
    spread = square
    if mean is not None:
        mean = add(multiply(mean, alpha), multiply(g, 1 - alpha))
        spread = elementwise.maximum(subtract(square, multiply(mean, mean)), 0)
    direction = elementwise.divide(g, add(elementwise.sqrt(spread), eps))
    if velocity is not None:
        velocity = direction = add(multiply(velocity, momentum), direction)
    return subtract(theta, multiply(direction, lr)), square, mean, velocity


def _adam(
    theta: Array,
    g: Array,
    mean: Array,
    square: Array,
    step: int,
    lr: float,
    beta1: float,
    beta2: float,
    eps: float,
    decay: float,
    shrink: float,
) -> tuple[Array, Array, Array]:
    moved, new_mean, new_square = (empty(theta.shape, theta.dtype) for _ in range(3))
    rate, correction = lr / (1 - beta1**step), 1 - beta2**step
    numbers = map(np.float32, (rate, beta1, beta2, 1 - beta1, 1 - beta2, eps, correction, decay, shrink))
    run_each(adam, moved.size, theta, g, mean, square, moved, new_mean, new_square, *numbers)
    return moved, new_mean, new_square
