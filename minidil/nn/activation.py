"""Activation functions as layers, and dropout. They work on tensors of any shape."""

from __future__ import annotations

import numpy as np

import minidil.functional as F
from minidil.errors import OptionError
from minidil.nn.module import Module
from minidil.tensor import Tensor


class Identity(Module):
    """x itself: what stands in for a layer that is not wanted."""

    def forward(self, x: Tensor) -> Tensor:
        return x


class ReLU(Module):
    """max(x, 0)."""

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(x)


class LeakyReLU(Module):
    """x where x > 0, negative_slope x elsewhere."""

    def __init__(self, negative_slope: float = 0.01) -> None:
        super().__init__()
        self.negative_slope = negative_slope

    def forward(self, x: Tensor) -> Tensor:
        return F.leaky_relu(x, slope=self.negative_slope)

    def extra_repr(self) -> str:
        return str(self.negative_slope)


class GELU(Module):
    """x P(Z <= x) for a standard normal Z (Hendrycks & Gimpel 2016, arXiv:1606.08415)."""

    def forward(self, x: Tensor) -> Tensor:
        return F.gelu(x)


class SiLU(Module):
    """x sigmoid(x), also called swish (Elfwing, Uchibe & Doya 2018, arXiv:1702.03118)."""

    def forward(self, x: Tensor) -> Tensor:
        return F.silu(x)


class Sigmoid(Module):
    """1 / (1 + e^-x)."""

    def forward(self, x: Tensor) -> Tensor:
        return F.sigmoid(x)


class Tanh(Module):
    """The hyperbolic tangent."""

    def forward(self, x: Tensor) -> Tensor:
        return F.tanh(x)


class Dropout(Module):
    """In training mode, zero each element with probability p and scale the others by 1/(1 - p); else x itself.

    rng: where the masks are drawn; by default the generator that `minidil.seed` sets, which checkpoints keep.
    Raises: OptionError unless 0 <= p < 1.
    Source: Srivastava et al. 2014, "Dropout: a simple way to prevent neural networks from overfitting".
    """

    def __init__(self, p: float = 0.5, *, rng: np.random.Generator | None = None) -> None:
        super().__init__()
        if not 0 <= p < 1:
            raise OptionError(f"Dropout: p is the probability to drop, 0 <= p < 1, not {p!r}")
        self.p = p
        self.rng = rng

    def forward(self, x: Tensor) -> Tensor:
        return F.dropout(x, p=self.p, rng=self.rng) if self.training and self.p else x

    def extra_repr(self) -> str:
        return str(self.p)
