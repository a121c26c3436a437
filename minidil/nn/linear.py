"""The fully connected layer."""

from __future__ import annotations

import math

import numpy as np

import minidil.functional as F
from minidil.errors import ShapeError
from minidil.nn.checks import check_counts
from minidil.nn.init import he_normal
from minidil.nn.module import Module
from minidil.nn.parameter import Parameter
from minidil.tensor import Tensor


class Linear(Module):
    """y = x W^T + b over the last axis.

    Shapes: x (..., in_features) -> (..., out_features).
    Parameters: weight (out_features, in_features), drawn by `he_normal` from rng; bias (out_features,), zeros, or None.
    Raises: OptionError unless both sizes are ints >= 1; ShapeError if the last axis of x has another size.
    """

    bias: Parameter | None

    def __init__(
        self, in_features: int, out_features: int, bias: bool = True, *, rng: np.random.Generator | None = None
    ) -> None:
        super().__init__()
        check_counts("Linear", in_features=in_features, out_features=out_features)
        self.in_features = in_features
        self.out_features = out_features
        self.weight = Parameter(he_normal((out_features, in_features), rng=rng))
        self.bias = Parameter(np.zeros(out_features, np.float32)) if bias else None

    def forward(self, x: Tensor) -> Tensor:
        if x.ndim == 0 or x.shape[-1] != self.in_features:
            flat = x.ndim > 2 and math.prod(x.shape[1:]) == self.in_features
            hint = "; put a Flatten() before it" if flat else ""
            raise ShapeError(f"Linear: the last axis of x {x.shape} must be in_features={self.in_features}{hint}")
        return F.linear(x, self.weight, self.bias)

    def multiply_adds(self, input_shape: tuple[int, ...], output_shape: tuple[int, ...]) -> int:
        return math.prod(output_shape) * self.in_features

    def extra_repr(self) -> str:
        return f"{self.in_features}, {self.out_features}" + (", bias=False" if self.bias is None else "")
