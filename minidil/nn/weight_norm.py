"""Weight normalisation: a convolution whose weight is trained by its length and its direction."""

from __future__ import annotations

from typing import Any

import numpy as np

from minidil.calls.lift import lift
from minidil.kernels.geometry import Ints, Padding
from minidil.nn.conv import Conv1d
from minidil.nn.parameter import Parameter
from minidil.ops import weight_norm
from minidil.tensor import Tensor

_weight_norm = lift(weight_norm.weight_norm)


class WeightNormConv1d(Conv1d):
    """A `Conv1d` with weight = weight_g weight_v / |weight_v|, each filter by itself, see `minidil.ops.weight_norm`.

    Shapes, arguments and errors are those of `Conv1d`. `weight` is computed at each use; to set it sets both its parts, so that
    one drawn or loaded is the first that is used.
    Parameters: weight_g (out_channels, 1, 1) and weight_v like the weight of `Conv1d`, the names that PyTorch's hook gives them
        (nn.utils.weight_norm); bias.
    Source: Salimans & Kingma 2016, arXiv:1602.07868.
    """

    weight_g: Parameter
    weight_v: Parameter

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Ints,
        stride: Ints = 1,
        padding: Padding = 0,
        dilation: Ints = 1,
        groups: int = 1,
        bias: bool = True,
        *,
        rng: np.random.Generator | None = None,
    ) -> None:
        super().__init__(in_channels, out_channels, kernel_size, stride, padding, dilation, groups, bias, rng=rng)

    @property
    def weight(self) -> Any:
        """The weight itself, (out_channels, in_channels/groups, kernel_size)."""
        return _weight_norm(self.weight_v, self.weight_g)

    @weight.setter
    def weight(self, weight: Tensor) -> None:
        values = np.asarray(weight.numpy())
        self.weight_g = Parameter(np.sqrt((values * values).sum(axis=(1, 2), keepdims=True)))
        self.weight_v = Parameter(values)
