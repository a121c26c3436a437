"""Normalisation layers."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import numpy as np

import minidil.functional as F
from minidil.array import Array
from minidil.errors import OptionError, ShapeError
from minidil.graph import no_grad
from minidil.kernels.backend import active
from minidil.kernels.geometry import per_axis
from minidil.nn.activation import ReLU
from minidil.nn.checks import brief, check_counts, check_range, check_rank
from minidil.nn.module import Module
from minidil.nn.parameter import Parameter
from minidil.nn.watch import anyone_watches
from minidil.tensor import Tensor


class BatchNorm(Module):
    """Normalise every channel to mean 0 and variance 1, then scale and shift: any number of spatial axes, or none.

    In training mode with the mean and biased variance of the batch, which are tracked by

        running = (1 - momentum) running + momentum observed,

    where the observed variance is the unbiased one, n/(n - 1) times the biased. In evaluation mode with the running ones.
    Shapes: x (N, num_features, *S), alike out.
    activation: "relu" or "gelu" is applied to the result in the same pass over the memory; None (the default) is not.
    momentum: None makes the running statistics the plain mean over all batches seen, momentum = 1/num_batches_tracked.
    Parameters: weight, ones, and bias, zeros, both (num_features,); None with affine=False.
    Buffers: running_mean, running_var (num_features,), num_batches_tracked (); None with track_running_stats=False, when
        evaluation uses the batch as well.
    Raises: OptionError for settings out of range; ShapeError if x has other channels, or one value per channel in training.
    Source: Ioffe & Szegedy 2015, arXiv:1502.03167; as in PyTorch, with its names.
    """

    ndims: ClassVar[tuple[int, ...]] = (0, 1, 2, 3)
    weight: Parameter | None
    bias: Parameter | None
    running_mean: Array | None
    running_var: Array | None
    num_batches_tracked: Array | None

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = True,
        track_running_stats: bool = True,
        *,
        activation: str | None = None,
    ) -> None:
        super().__init__()
        layer = type(self).__name__
        check_counts(layer, num_features=num_features)
        if activation not in (None, "relu", "gelu"):
            raise OptionError(f'{layer}: activation must be "relu", "gelu" or None, not {activation!r}')
        check_range(layer, "eps", eps, 0, math.inf)
        if momentum is not None:
            check_range(layer, "momentum", momentum, 0, 1)
        self.num_features = num_features
        self.eps = eps
        self.momentum = momentum
        self.activation = activation
        self.weight = Parameter(np.ones(num_features, np.float32)) if affine else None
        self.bias = Parameter(np.zeros(num_features, np.float32)) if affine else None
        tracked = track_running_stats
        self.register_buffer("running_mean", np.zeros(num_features, np.float32) if tracked else None)
        self.register_buffer("running_var", np.ones(num_features, np.float32) if tracked else None)
        self.register_buffer("num_batches_tracked", np.array(0) if tracked else None)

    def forward(self, x: Tensor, *, then: str | None = None) -> Tensor:
        """then: the activation of a layer that follows, if this one has none."""
        layer = type(self).__name__
        if len(self.ndims) == 1:
            check_rank(layer, x.shape, self.ndims[0])
        if x.ndim - 2 not in self.ndims or x.shape[1] != self.num_features:
            expected = f"(N, {self.num_features}, *S) with {' or '.join(map(str, self.ndims))} spatial axes"
            raise ShapeError(f"{layer}: x must be {expected}, but has shape {x.shape}")
        if self.training or self.running_mean is None:
            statistics: dict[str, Any] = {"observe": self._tracker(x)}
        else:
            statistics = {"mean": self.running_mean, "var": self.running_var}
        activation = self.activation or then
        return F.batch_norm(x, weight=self.weight, bias=self.bias, eps=self.eps, activation=activation, **statistics)

    def _tracker(self, x: Tensor) -> Callable[[Array, Array], None] | None:
        """What updates the running statistics once those of the batch x are known; None if they are not tracked."""
        mean, var, batches = self.running_mean, self.running_var, self.num_batches_tracked
        if not self.training or mean is None or var is None or batches is None:
            return None
        n = x.size // self.num_features

        def observe(batch_mean: Array, batch_var: Array) -> None:
            share = 1 / (int(batches) + 1) if self.momentum is None else self.momentum
            with no_grad():  # they are no part of what is differentiated, not even where kernels are recorded
                self.running_mean = blended(mean, batch_mean, 1 - share, share)
                self.running_var = blended(var, batch_var, 1 - share, share * n / (n - 1))
            self.num_batches_tracked = batches + 1

        return observe

    def extra_repr(self) -> str:
        shown = [str(self.num_features)]
        shown += [f"eps={self.eps}"] if self.eps != 1e-5 else []
        shown += [f"momentum={self.momentum}"] if self.momentum != 0.1 else []
        shown += ["affine=False"] if self.weight is None else []
        shown += ["track_running_stats=False"] if self.running_mean is None else []
        shown += [f"activation={self.activation!r}"] if self.activation else []
        return ", ".join(shown)


def joins(module: Module, following: Module) -> bool:
    """Whether they are batch norm and a ReLU that can be one pass over the memory, and nobody looks at what lies between."""
    return (
        isinstance(module, BatchNorm)
        and type(module).forward is BatchNorm.forward
        and module.activation is None
        and type(following) is ReLU
        and not (module._hooks or following._pre_hooks or following._hooks or anyone_watches())
    )


def blended(running: Array, observed: Array, kept: float, share: float) -> Array:
    """kept running + share observed, where the batch was seen."""
    k = active()
    return k.add(k.multiply(k.place(running), kept), k.multiply(observed, share))


class BatchNorm1d(BatchNorm):
    """BatchNorm of (N, C) or (N, C, L)."""

    ndims = (0, 1)


class BatchNorm2d(BatchNorm):
    """BatchNorm of (N, C, H, W)."""

    ndims = (2,)


class BatchNorm3d(BatchNorm):
    """BatchNorm of (N, C, D, H, W)."""

    ndims = (3,)


class LayerNorm(Module):
    """Normalise the last axes of every sample to mean 0 and variance 1, then scale and shift.

    Shapes: x (..., *normalized_shape), alike out; an int stands for the last axis.
    Parameters: weight, ones, and bias, zeros, of shape normalized_shape; None with elementwise_affine=False (bias also
        with bias=False).
    Raises: OptionError for settings out of range; ShapeError if x does not end in normalized_shape.
    Source: Ba, Kiros & Hinton 2016, arXiv:1607.06450.
    """

    weight: Parameter | None
    bias: Parameter | None

    def __init__(
        self,
        normalized_shape: int | Sequence[int],
        eps: float = 1e-5,
        elementwise_affine: bool = True,
        bias: bool = True,
    ) -> None:
        super().__init__()
        axes = 1 if isinstance(normalized_shape, int) else len(normalized_shape)
        if axes == 0:
            raise OptionError("LayerNorm: normalized_shape must name at least one axis")
        check_range("LayerNorm", "eps", eps, 0, math.inf)
        self.normalized_shape = per_axis(normalized_shape, axes, "normalized_shape", "LayerNorm", least=1)
        self.eps = eps
        affine = elementwise_affine
        self.weight = Parameter(np.ones(self.normalized_shape, np.float32)) if affine else None
        self.bias = Parameter(np.zeros(self.normalized_shape, np.float32)) if affine and bias else None

    def forward(self, x: Tensor) -> Tensor:
        return F.layer_norm(x, self.normalized_shape, self.weight, self.bias, self.eps)

    def extra_repr(self) -> str:
        shown = [brief(self.normalized_shape) if len(self.normalized_shape) == 1 else str(self.normalized_shape)]
        shown += [f"eps={self.eps}"] if self.eps != 1e-5 else []
        shown += ["elementwise_affine=False"] if self.weight is None else ["bias=False"] if self.bias is None else []
        return ", ".join(shown)
