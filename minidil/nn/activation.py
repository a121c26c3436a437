"""Activation functions as layers, and dropout. They work on tensors of any shape.

`inplace`, which PyTorch knows, is refused unless False: results are never written over what a recorded graph may need.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np

import minidil.functional as F
from minidil.errors import OptionError, ShapeError
from minidil.nn.checks import check_inplace, check_rank
from minidil.nn.module import Module
from minidil.tensor import Tensor


class Identity(Module):
    """x itself: what stands in for a layer that is not wanted."""

    def forward(self, x: Tensor) -> Tensor:
        return x


class ReLU(Module):
    """max(x, 0)."""

    def __init__(self, inplace: bool = False) -> None:
        super().__init__()
        check_inplace("ReLU", inplace)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(x)


class Gate(Module):
    """tanh(a) sigmoid(b) of the two halves a and b of the channels: WaveNet's gated activation.

    Shapes: x (N, 2 C, *S) -> (N, C, *S). Raises: ShapeError if the channels are not even.
    Source: van den Oord et al. 2016, arXiv:1609.03499, equation 2.
    """

    def forward(self, x: Tensor) -> Tensor:
        if x.ndim < 2 or x.shape[1] % 2:
            raise ShapeError(f"Gate: x must be (N, 2 C, *S), an even number of channels, not {x.shape}")
        a, b = F.chunk(x, 2, axis=1)
        return F.multiply(F.tanh(a), F.sigmoid(b))


class LeakyReLU(Module):
    """x where x > 0, negative_slope x elsewhere."""

    def __init__(self, negative_slope: float = 0.01, inplace: bool = False) -> None:
        super().__init__()
        check_inplace("LeakyReLU", inplace)
        self.negative_slope = negative_slope

    def forward(self, x: Tensor) -> Tensor:
        return F.leaky_relu(x, slope=self.negative_slope)

    def extra_repr(self) -> str:
        return str(self.negative_slope)


class GELU(Module):
    """x P(Z <= x) for a standard normal Z (Hendrycks & Gimpel 2016, arXiv:1606.08415); approximate: as in `functional.gelu`."""

    def __init__(self, approximate: str = "none") -> None:
        super().__init__()
        self.approximate = approximate

    def forward(self, x: Tensor) -> Tensor:
        return F.gelu(x, approximate=self.approximate)

    def extra_repr(self) -> str:
        return "" if self.approximate == "none" else f"approximate={self.approximate!r}"


class SiLU(Module):
    """x sigmoid(x), also called swish (Elfwing, Uchibe & Doya 2018, arXiv:1702.03118)."""

    def __init__(self, inplace: bool = False) -> None:
        super().__init__()
        check_inplace("SiLU", inplace)

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


class Softmax(Module):
    """e^(x_i) / sum_j e^(x_j) along the axis dim. None is the last axis of a vector or a matrix, and is refused for others."""

    def __init__(self, dim: int | None = None) -> None:
        super().__init__()
        self.dim = dim

    def forward(self, x: Tensor) -> Tensor:
        return F.softmax(x, axis=self.dim)

    def extra_repr(self) -> str:
        return f"dim={self.dim}"


class LogSoftmax(Softmax):
    """x_i - log sum_j e^(x_j) along the axis dim, which is as for `Softmax`."""

    def forward(self, x: Tensor) -> Tensor:
        return F.log_softmax(x, axis=self.dim)


class Dropout(Module):
    """In training mode, zero each element with probability p and scale the others by 1/(1 - p); else x itself.

    rng: where the masks are drawn; by default the generator that `minidil.seed` sets, which checkpoints keep.
    Raises: OptionError unless 0 <= p < 1.
    Source: Srivastava et al. 2014, "Dropout: a simple way to prevent neural networks from overfitting".
    """

    def __init__(self, p: float = 0.5, inplace: bool = False, *, rng: np.random.Generator | None = None) -> None:
        super().__init__()
        check_inplace(type(self).__name__, inplace)
        if not isinstance(p, int | float | np.floating) or not 0 <= p < 1:
            raise OptionError(f"{type(self).__name__}: p is the probability to drop, 0 <= p < 1, not {p!r}")
        self.p = p
        self.rng = rng

    def forward(self, x: Tensor) -> Tensor:
        return F.dropout(x, p=self.p, rng=self.rng) if self.training and self.p else x

    def extra_repr(self) -> str:
        return str(self.p)


class _ChannelDropout(Dropout):
    """In training mode, zero whole channels with probability p and scale the others by 1/(1 - p); else x itself.

    Neighbours in a channel are alike, so that dropping single elements takes little away.
    Shapes: x (N, C, *S), alike out; one draw for each of the N C channels.
    Raises: OptionError unless 0 <= p < 1; ShapeError if x has another number of axes.
    Source: Tompson et al. 2015, arXiv:1411.4280, section 3.2.
    """

    ndim: ClassVar[int]

    def forward(self, x: Tensor) -> Tensor:
        check_rank(type(self).__name__, x.shape, self.ndim)
        if not self.training or not self.p:
            return x
        channels = np.ones((*x.shape[:2], *(1,) * self.ndim), x.dtype)
        return F.multiply(x, F.dropout(channels, p=self.p, rng=self.rng))


class Dropout1d(_ChannelDropout):
    """Dropout of whole channels of (N, C, L)."""

    ndim = 1


class Dropout2d(_ChannelDropout):
    """Dropout of whole channels of (N, C, H, W)."""

    ndim = 2


class Dropout3d(_ChannelDropout):
    """Dropout of whole channels of (N, C, D, H, W)."""

    ndim = 3
