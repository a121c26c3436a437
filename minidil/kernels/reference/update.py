"""One step of each optimizer: arrays in, new arrays out. Nothing is written in place, so recorded graphs keep their values.

Every hyperparameter is a Python number, which leaves float32 arrays float32. `theta` is a parameter, `g` its gradient.
"""

from __future__ import annotations

import numpy as np

from minidil.array import Array


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
    """Stochastic gradient descent with momentum: the new parameter and the new velocity (None without momentum).

    velocity: None before the first step, when it becomes the gradient itself.
    Source: Sutskever et al. 2013, "On the importance of initialization and momentum in deep learning"; as in PyTorch,
    the learning rate multiplies the velocity instead of entering it, so that changing it takes effect at once.
    """
    # g' = g + weight_decay theta                      the gradient of L + weight_decay/2 |theta|^2
    # v  = momentum v + (1 - dampening) g'             v = g' at the first step
    # theta = theta - lr (g' + momentum v)             Nesterov: the gradient one momentum step ahead
    # theta = theta - lr v                             otherwise
    if weight_decay:
        g = g + weight_decay * theta
    if not momentum:
        return np.asarray(theta - lr * g), None
    velocity = g if velocity is None else momentum * velocity + (1 - dampening) * g
    direction = g + momentum * velocity if nesterov else velocity
    return np.asarray(theta - lr * direction), velocity


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
    """Adam: the new parameter and the new moving averages of the gradient and of its square, which start as zeros.

    step: 1 at the first update.
    Source: Kingma & Ba 2015, arXiv:1412.6980, algorithm 1, with the weight decay added to the gradient.
    """
    # After t steps from zero, with a gradient of constant distribution,
    #   m = (1 - b1) sum_i b1^(t-i) g_i      so  E[m] = E[g] (1 - b1) (1 + b1 + ... + b1^(t-1)) = E[g] (1 - b1^t),
    # and likewise E[v] = E[g^2] (1 - b2^t). Dividing by those factors removes the bias towards zero:
    #   theta = theta - lr (m / (1 - b1^t)) / (sqrt(v / (1 - b2^t)) + eps).
    if weight_decay:
        g = g + weight_decay * theta
    mean = beta1 * mean + (1 - beta1) * g
    square = beta2 * square + (1 - beta2) * (g * g)
    scale = np.sqrt(square / (1 - beta2**step)) + eps
    return np.asarray(theta - (lr / (1 - beta1**step)) * (mean / scale)), mean, square


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
    """Adam with decoupled weight decay: returns what `adam_update` returns.

    Source: Loshchilov & Hutter 2019, arXiv:1711.05101, algorithm 2, with the decay scaled by lr as in PyTorch.
    """
    # theta = theta - lr weight_decay theta            the decay, which Adam's division by sqrt(v) would distort
    # theta = theta - lr m^ / (sqrt(v^) + eps)         Adam's step, from a gradient without the decay
    decayed = (1 - lr * weight_decay) * theta if weight_decay else theta
    return adam_update(decayed, g, mean, square, step=step, lr=lr, beta1=beta1, beta2=beta2, eps=eps, weight_decay=0.0)


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
    """RMSprop: the new parameter and the new `square`, `mean` and `velocity`, which start as zeros.

    mean: None leaves the squares as they are; with it they are centred. velocity: None without momentum.
    Source: Tieleman & Hinton 2012, "Neural networks for machine learning", lecture 6.5; centred, Graves 2013,
    arXiv:1308.0850, equations 38-41; eps outside the root as in PyTorch.
    """
    # s = alpha s + (1 - alpha) g^2                    the average square of the gradient
    # m = alpha m + (1 - alpha) g                      and, centred, its average: E[g^2] - E[g]^2 is the variance
    # u = momentum u + g / (sqrt(s - m^2) + eps)       m = 0 if not centred, momentum = 0 if there is no velocity
    # theta = theta - lr u
    if weight_decay:
        g = g + weight_decay * theta
    square = alpha * square + (1 - alpha) * (g * g)
    spread = square
    if mean is not None:
        mean = alpha * mean + (1 - alpha) * g
        spread = np.maximum(square - mean * mean, 0)  # rounding can bring a variance of 0 below it
    direction = g / (np.sqrt(spread) + eps)
    if velocity is not None:
        velocity = direction = momentum * velocity + direction
    return np.asarray(theta - lr * direction), square, mean, velocity


def square_sum(x: Array) -> float:
    """The sum of the squares of all elements, in float64 so that a large float32 gradient neither overflows nor drifts."""
    return float(np.sum(np.square(x, dtype=np.float64)))
