"""Losses as modules, for those who like to configure them once. Each is the function of `minidil.functional` it names."""

from __future__ import annotations

import minidil.functional as F
from minidil.array import Array
from minidil.nn.module import Module
from minidil.tensor import Tensor


class CrossEntropyLoss(Module):
    """`functional.cross_entropy` of logits (N, K, *S) and class numbers (N, *S), with an optional weight (K,) per class."""

    weight: Array | None

    def __init__(
        self,
        weight: Array | None = None,
        *,
        ignore_index: int = -100,
        label_smoothing: float = 0.0,
        reduction: str = "mean",
    ) -> None:
        super().__init__()
        self.ignore_index = ignore_index
        self.register_buffer("weight", weight)
        self.label_smoothing = label_smoothing
        self.reduction = reduction

    def forward(self, logits: Tensor, target: Tensor | Array) -> Tensor:
        return F.cross_entropy(
            logits,
            target,
            weight=self.weight,
            ignore_index=self.ignore_index,
            label_smoothing=self.label_smoothing,
            reduction=self.reduction,
        )


class BCEWithLogitsLoss(Module):
    """`functional.binary_cross_entropy_with_logits` of logits and targets in 0..1 of one shape."""

    pos_weight: Array | None

    def __init__(self, *, pos_weight: Array | None = None, reduction: str = "mean") -> None:
        super().__init__()
        self.register_buffer("pos_weight", pos_weight)
        self.reduction = reduction

    def forward(self, x: Tensor, target: Tensor | Array) -> Tensor:
        return F.binary_cross_entropy_with_logits(x, target, pos_weight=self.pos_weight, reduction=self.reduction)


class MSELoss(Module):
    """`functional.mse_loss` of a prediction and a target of one shape."""

    def __init__(self, *, reduction: str = "mean") -> None:
        super().__init__()
        self.reduction = reduction

    def forward(self, x: Tensor, target: Tensor | Array) -> Tensor:
        return F.mse_loss(x, target, reduction=self.reduction)


class L1Loss(Module):
    """`functional.l1_loss` of a prediction and a target of one shape."""

    def __init__(self, *, reduction: str = "mean") -> None:
        super().__init__()
        self.reduction = reduction

    def forward(self, x: Tensor, target: Tensor | Array) -> Tensor:
        return F.l1_loss(x, target, reduction=self.reduction)


class HuberLoss(Module):
    """`functional.huber_loss` of a prediction and a target of one shape."""

    def __init__(self, reduction: str = "mean", delta: float = 1.0) -> None:
        super().__init__()
        self.reduction = reduction
        self.delta = delta

    def forward(self, x: Tensor, target: Tensor | Array) -> Tensor:
        return F.huber_loss(x, target, delta=self.delta, reduction=self.reduction)
