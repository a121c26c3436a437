"""The optimizers' updates, each in one pass, and the sum of squares. `minidil.kernels.reference.update` derives the formulas."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

import numpy as np

from minidil.array import Array
from minidil.kernels.cpu.flat import flattened, mapped
from minidil.kernels.cpu.layout import compiled, compiled_sum
from minidil.kernels.reference import update
from minidil.kernels.threads import run_sliced

_LEAST_ELEMENTS = 1 << 16  # of a smaller array, NumPy is through before the work is handed out


def _of_large_arrays(kernel: Callable[..., Any]) -> Callable[..., Any]:
    """Leave small arrays to the function of the same name and arguments in `kernels.reference.update`."""
    small = getattr(update, kernel.__name__)

    @wraps(kernel)
    def either(x: Array, *others: Array | None, **options: Any) -> Any:
        return (kernel if x.size >= _LEAST_ELEMENTS else small)(x, *others, **options)

    return either


@_of_large_arrays
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
    """Stochastic gradient descent with momentum: the new parameter and the new velocity (None without momentum)."""
    if not momentum:
        return mapped(_descend, theta, g, constants=(lr, weight_decay))[0], None
    if velocity is None:  # the first velocity is the gradient itself: momentum 0 + (1 - 0) g'
        velocity, dampening = np.zeros_like(theta), 0.0
    constants = (lr, momentum, 1 - dampening, weight_decay, nesterov)
    new, velocity = mapped(_roll, theta, g, velocity, constants=constants, outputs=2)
    return new, velocity


@_of_large_arrays
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
    return _adam_update(theta, g, mean, square, step, lr, beta1, beta2, eps, kept=1.0, weight_decay=weight_decay)


@_of_large_arrays
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
    """Adam with decoupled weight decay: returns what `adam_update` returns."""
    kept = 1 - lr * weight_decay
    return _adam_update(theta, g, mean, square, step, lr, beta1, beta2, eps, kept=kept, weight_decay=0.0)


@_of_large_arrays
def square_sum(x: Array) -> float:
    """The sum of the squares of all elements, in float64; every thread adds up its part."""
    vector = flattened(x, np.empty_like(x))
    return float(sum(run_sliced(lambda start, stop: _square_sum(vector[start:stop]), len(vector))))


def _adam_update(
    theta: Array,
    g: Array,
    mean: Array,
    square: Array,
    step: int,
    lr: float,
    beta1: float,
    beta2: float,
    eps: float,
    *,
    kept: float,
    weight_decay: float,
) -> tuple[Array, Array, Array]:
    """Adam's step from kept theta, with weight_decay theta added to the gradient."""
    averaging = (beta1, 1 - beta1, beta2, 1 - beta2, 1 / (1 - beta2**step))
    constants = (*averaging, lr / (1 - beta1**step), eps, kept, weight_decay)
    new, mean, square = mapped(_adam, theta, g, mean, square, constants=constants, outputs=3)
    return new, mean, square


@compiled
def _descend(theta: Array, g: Array, new: Array, lr: float, weight_decay: float) -> None:
    for i in range(len(theta)):
        slope = g[i] + weight_decay * theta[i] if weight_decay else g[i]
        new[i] = theta[i] - lr * slope


@compiled
def _roll(
    theta: Array,
    g: Array,
    velocity: Array,
    new: Array,
    new_velocity: Array,
    lr: float,
    momentum: float,
    share: float,
    weight_decay: float,
    nesterov: float,
) -> None:
    for i in range(len(theta)):
        slope = g[i] + weight_decay * theta[i] if weight_decay else g[i]
        v = momentum * velocity[i] + share * slope
        new_velocity[i] = v
        new[i] = theta[i] - lr * (slope + momentum * v if nesterov else v)


@compiled
def _adam(
    theta: Array,
    g: Array,
    mean: Array,
    square: Array,
    new: Array,
    new_mean: Array,
    new_square: Array,
    beta1: float,
    share1: float,
    beta2: float,
    share2: float,
    unbias2: float,
    rate: float,
    eps: float,
    kept: float,
    weight_decay: float,
) -> None:
    for i in range(len(theta)):
        slope = g[i] + weight_decay * theta[i] if weight_decay else g[i]
        m = beta1 * mean[i] + share1 * slope
        v = beta2 * square[i] + share2 * (slope * slope)
        new_mean[i] = m
        new_square[i] = v
        new[i] = kept * theta[i] - rate * (m / (np.sqrt(v * unbias2) + eps))


@compiled_sum
def _square_sum(x: Array) -> float:
    total = 0.0
    for i in range(len(x)):
        value = np.float64(x[i])
        total += value * value
    return total
