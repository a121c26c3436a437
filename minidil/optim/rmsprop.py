"""RMSprop."""

from __future__ import annotations

import math
from typing import Any

from minidil.array import Array
from minidil.kernels.backend import active
from minidil.optim.optimizer import Group, Optimizer, Params


class RMSprop(Optimizer):
    """theta -= lr grad / (sqrt(v) + eps), v being a moving average of the gradient's square.

    lr: the learning rate.
    alpha: how much of the average stays at each step.
    eps: keeps the division finite where gradients vanish.
    weight_decay: the strength of L2 regularisation, added to the gradient.
    momentum: how much of the last step's direction stays.
    centered: divide by the standard deviation of the gradient instead, v minus the square of its moving average.
    The update is `minidil.kernels.reference.update.rmsprop_update`, where its source is cited.
    """

    state_arrays = ("square",)
    sometimes = ("mean", "velocity")

    def __init__(
        self,
        params: Params,
        lr: float = 1e-2,
        alpha: float = 0.99,
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        momentum: float = 0.0,
        centered: bool = False,
    ) -> None:
        options = {"alpha": alpha, "eps": eps, "weight_decay": weight_decay, "momentum": momentum, "centered": centered}
        super().__init__(params, lr=lr, **options)

    def check(self, group: Group) -> None:
        super().check(group)
        self.require("alpha", group["alpha"], "a number >= 0 and < 1", lambda value: 0 <= value < 1)
        self.require("momentum", group["momentum"], "a number >= 0 and < 1", lambda value: 0 <= value < 1)
        self.require("eps", group["eps"], "a finite number > 0", lambda value: 0 < value < math.inf)

    def update(self, theta: Array, grad: Array, state: dict[str, Any], group: Group) -> Array:
        kernels = active()

        def kept(name: str) -> Array:
            return state.get(name, kernels.zeros_like(theta))

        theta, square, mean, velocity = kernels.rmsprop_update(
            theta,
            grad,
            kept("square"),
            kept("mean") if group["centered"] else None,
            kept("velocity") if group["momentum"] else None,
            lr=float(group["lr"]),
            alpha=float(group["alpha"]),
            eps=float(group["eps"]),
            weight_decay=float(group["weight_decay"]),
            momentum=float(group["momentum"]),
        )
        state["square"] = square
        state.update({name: value for name, value in (("mean", mean), ("velocity", velocity)) if value is not None})
        return theta
