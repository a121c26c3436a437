"""Adam, and Adam with decoupled weight decay."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from minidil.array import Array
from minidil.errors import OptionError
from minidil.kernels.backend import active
from minidil.kernels.contract import Kernels
from minidil.optim.optimizer import Group, Optimizer, Params


class Adam(Optimizer):
    """theta -= lr m / (sqrt(v) + eps), m and v being moving averages of the gradient and its square, corrected for their start.

    lr: the learning rate, and about the largest change of a parameter in one step.
    betas: how much of the two averages stays at each step.
    eps: keeps the division finite where gradients vanish.
    weight_decay: the strength of L2 regularisation, added to the gradient.
    The update is `minidil.kernels.reference.update.adam_update`. Source: Kingma & Ba 2015, arXiv:1412.6980.
    """

    state_arrays = ("mean", "square")
    state_counts = ("step",)

    def __init__(
        self,
        params: Params,
        lr: float = 1e-3,
        betas: Sequence[float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
    ) -> None:
        super().__init__(params, lr=lr, betas=betas, eps=eps, weight_decay=weight_decay)

    def check(self, group: Group) -> None:
        super().check(group)
        betas = group["betas"]
        if not isinstance(betas, Sequence) or len(betas) != 2:
            raise OptionError(f"{type(self).__name__}: betas must be two numbers, not {betas!r}")
        for number, beta in enumerate(betas):
            self.require(f"betas[{number}]", beta, "a number >= 0 and < 1", lambda value: 0 <= value < 1)
        self.require("eps", group["eps"], "a finite number > 0", lambda value: 0 < value < math.inf)

    def kernel(self, kernels: Kernels) -> Callable[..., tuple[Array, Array, Array]]:
        """The kernel of the update."""
        return kernels.adam_update

    def update(self, theta: Array, grad: Array, state: dict[str, Any], group: Group) -> Array:
        kernels = active()
        beta1, beta2 = map(float, group["betas"])
        step = state.get("step", 0) + 1
        theta, mean, square = self.kernel(kernels)(
            theta,
            grad,
            state["mean"] if state else kernels.zeros_like(theta),
            state["square"] if state else kernels.zeros_like(theta),
            step=step,
            lr=float(group["lr"]),
            beta1=beta1,
            beta2=beta2,
            eps=float(group["eps"]),
            weight_decay=float(group["weight_decay"]),
        )
        state.update(step=step, mean=mean, square=square)
        return theta


class AdamW(Adam):
    """Adam, with the weight decay taken off the parameter itself: theta -= lr weight_decay theta before Adam's step.

    Decay through the gradient, as in Adam, is divided by sqrt(v), so that large gradients hardly decay; here all do alike.
    The update is `minidil.kernels.reference.update.adamw_update`. Source: Loshchilov & Hutter 2019, arXiv:1711.05101.
    """

    def __init__(
        self,
        params: Params,
        lr: float = 1e-3,
        betas: Sequence[float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 1e-2,
    ) -> None:
        super().__init__(params, lr=lr, betas=betas, eps=eps, weight_decay=weight_decay)

    def kernel(self, kernels: Kernels) -> Callable[..., tuple[Array, Array, Array]]:
        return kernels.adamw_update
