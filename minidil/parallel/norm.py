"""Batch norm with the mean and variance of the whole batch, whichever rank its items are on."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

import minidil.functional as F
from minidil.array import Array
from minidil.calls.lift import lift
from minidil.errors import ShapeError
from minidil.graph import no_grad
from minidil.kernels.backend import active
from minidil.nn import BatchNorm, Module
from minidil.nn.norm import blended
from minidil.ops.common import Vjps, check_floating, once
from minidil.parallel.team import Team, total
from minidil.tensor import Tensor

Observer = Callable[[Array, Array, int], None]


def batch_norm_over_ranks(
    x: Array,
    weight: Array | None = None,
    bias: Array | None = None,
    *,
    team: Team,
    eps: float = 1e-5,
    observe: Observer | None = None,
) -> tuple[Array, Vjps]:
    """Normalise every channel by the mean and biased variance that it has on all ranks together: y = weight h + bias.

    Shapes: x (N, C, *S), N of each rank's own; weight, bias (C,) -> y like x.
    observe: called with (mean, var, number of values of a channel on all ranks).
    The gradients of weight and bias are this rank's part; their sum over the ranks is the whole one. That of x is whole if what
    each rank differentiates is its part of a sum, as `Gradients` wants it.
    Raises: ShapeError if a channel has a single value on all ranks.
    Source: Ioffe & Szegedy 2015, arXiv:1502.03167; over several processors, Peng et al. 2018, arXiv:1711.07240.
    """
    check_floating("batch_norm_over_ranks", x=x)
    k = active()
    channels = x.shape[1]
    own = math.prod(x.shape) // channels
    # With n_r values, mean m_r and variance v_r of a channel on rank r, and n = sum_r n_r, those of all are
    #   mean = sum_r n_r m_r / n,        var = sum_r n_r (v_r + (m_r - mean)^2) / n:
    # deviations from the common mean, since a difference of two large mean squares would lose what is small.
    own_mean, own_var = (np.asarray(each) for each in k.channel_moments(x))
    sums = total(team, np.append(own * own_mean, x.dtype.type(own)))
    count = int(sums[-1])
    if count < 2:
        raise ShapeError(
            f"batch_norm_over_ranks: x {x.shape} has {count} value per channel on all ranks; at least 2 are needed"
        )
    host_mean = sums[:-1] / x.dtype.type(count)
    host_var = total(team, own * (own_var + np.square(own_mean - host_mean))) / x.dtype.type(count)
    mean, var = k.place(host_mean), k.place(host_var)
    if observe is not None:
        observe(mean, var, count)
    inverse = k.divide(1.0, k.sqrt(k.add(var, eps)))
    scale = inverse if weight is None else k.multiply(weight, inverse)
    shift = k.negative(k.multiply(mean, scale))
    if bias is not None:
        shift = k.add(shift, bias)
    y = k.channel_affine(x, scale, shift)

    # As in minidil/ops/norm.py, where the batch is that of all ranks. Let L be the sum of the ranks' losses, G = dL/dy, and
    # h = (x - mean) r with r = 1/sqrt(var + eps). Every x_j of every rank moves mean and var, and through them every y_i:
    #   dL/dx_j = w r (G_j - S/n - h_j P/n)      with S = sum G, P = sum G h over all i of all ranks,
    # again a G + b x + c per channel. Rank r knows S_r and P_r of its own items, which are its parts of dL/db and dL/dw; added up
    # over the ranks they are S and P. So backward, too, sends two numbers a channel.
    def own_sums(grad: Array) -> tuple[Array, Array]:
        s, product = k.channel_dots(grad, x, mean)
        return s, k.multiply(product, inverse)

    each = once(own_sums)

    def grad_x(grad: Array) -> Array:
        s, p = np.split(total(team, np.concatenate([np.asarray(part) for part in each(grad)])), 2)
        b = k.negative(k.multiply(k.multiply(scale, inverse), k.divide(k.place(p), count)))
        c = k.negative(k.add(k.multiply(scale, k.divide(k.place(s), count)), k.multiply(b, mean)))
        return k.channel_combine(grad, x, scale, b, c)

    return y, (
        grad_x,
        None if weight is None else lambda grad: each(grad)[1],
        None if bias is None else lambda grad: each(grad)[0],
    )


_batch_norm_over_ranks = lift(batch_norm_over_ranks)


class SyncBatchNorm(BatchNorm):
    """The batch norm `norm`, with its parameters, buffers and mode, by the statistics of the whole batch while it trains."""

    def __init__(self, norm: BatchNorm, team: Team) -> None:
        super().__init__(norm.num_features, norm.eps, norm.momentum, activation=norm.activation)
        self.team = team
        self.weight, self.bias = norm.weight, norm.bias
        self.running_mean, self.running_var = norm.running_mean, norm.running_var
        self.num_batches_tracked = norm.num_batches_tracked
        self.training, self.frozen = norm.training, norm.frozen

    def forward(self, x: Tensor, *, then: str | None = None) -> Tensor:
        """then: as of `BatchNorm`."""
        if not self.training:
            return super().forward(x, then=then)
        options: dict[str, Any] = {"team": self.team, "eps": self.eps, "observe": self._track}
        y = _batch_norm_over_ranks(x, weight=self.weight, bias=self.bias, **options)
        activation = self.activation or then
        return y if activation is None else getattr(F, activation)(y)

    def _track(self, mean: Array, var: Array, n: int) -> None:
        """Move the running statistics towards those of the batch of n values a channel, if they are tracked."""
        running_mean, running_var, batches = self.running_mean, self.running_var, self.num_batches_tracked
        if running_mean is None or running_var is None or batches is None:
            return
        share = 1 / (int(batches) + 1) if self.momentum is None else self.momentum
        with no_grad():
            self.running_mean = blended(running_mean, mean, 1 - share, share)
            self.running_var = blended(running_var, var, 1 - share, share * n / (n - 1))
        self.num_batches_tracked = batches + 1


def synchronise(model: Module, team: Team) -> Module:
    """`model` with a `SyncBatchNorm` in place of every batch norm inside it; parameters and names stay what they are.

    Two numbers a channel are sent forward and two backward, and every layer waits for them: worth it where a rank's part of the
    batch is too small for statistics of its own, as in segmentation.
    """
    if isinstance(model, BatchNorm):
        return SyncBatchNorm(model, team)
    for module in list(model.modules()):
        for name, child in module.own_children().items():
            if isinstance(child, BatchNorm):
                setattr(module, name, SyncBatchNorm(child, team))
    return model
