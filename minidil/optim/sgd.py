"""Stochastic gradient descent."""

from __future__ import annotations

from typing import Any

from minidil.array import Array
from minidil.errors import OptionError
from minidil.kernels.backend import active
from minidil.optim.optimizer import Group, Optimizer, Params


class SGD(Optimizer):
    """theta -= lr v with the velocity v = momentum v + (1 - dampening) (grad + weight_decay theta).

    lr: the learning rate.
    momentum: how much of the velocity stays; 0 means v is the gradient itself.
    dampening: how much of the gradient is left out of the velocity, except at the first step.
    weight_decay: the strength of L2 regularisation.
    nesterov: move along grad + momentum v, the gradient one step ahead; needs momentum > 0 and dampening 0.
    The update is `minidil.kernels.reference.update.sgd_update`, where its source is cited.
    """

    state_arrays = ("velocity",)

    def __init__(
        self,
        params: Params,
        lr: float,
        momentum: float = 0.0,
        dampening: float = 0.0,
        weight_decay: float = 0.0,
        nesterov: bool = False,
    ) -> None:
        super().__init__(
            params, lr=lr, momentum=momentum, dampening=dampening, weight_decay=weight_decay, nesterov=nesterov
        )

    def check(self, group: Group) -> None:
        super().check(group)
        self.require("momentum", group["momentum"], "a number >= 0 and < 1", lambda value: 0 <= value < 1)
        self.require("dampening", group["dampening"], "a number from 0 to 1", lambda value: 0 <= value <= 1)
        if group["nesterov"] and (not group["momentum"] or group["dampening"]):
            raise OptionError(
                f"SGD: nesterov needs momentum > 0 and dampening 0, not {group['momentum']!r} and {group['dampening']!r}"
            )

    def update(self, theta: Array, grad: Array, state: dict[str, Any], group: Group) -> Array:
        theta, velocity = active().sgd_update(
            theta,
            grad,
            state.get("velocity"),
            lr=float(group["lr"]),
            momentum=float(group["momentum"]),
            dampening=float(group["dampening"]),
            weight_decay=float(group["weight_decay"]),
            nesterov=bool(group["nesterov"]),
        )
        if velocity is not None:
            state["velocity"] = velocity
        return theta
