"""Residual blocks: y = body(x) + x, so that a block starts near the identity and gradients have a way around it."""

from __future__ import annotations

import numpy as np

import minidil.functional as F
from minidil.errors import OptionError, ShapeError
from minidil.nn.activation import ReLU
from minidil.nn.checks import check_counts
from minidil.nn.container import Sequential
from minidil.nn.conv import conv_class
from minidil.nn.module import Module
from minidil.nn.norm import BatchNorm
from minidil.tensor import Tensor


class Residual(Module):
    """y = body(x) + shortcut(x), the shortcut being x itself by default.

    Raises: OptionError if body or shortcut is no module; ShapeError if the two sums have different shapes.
    Source: He et al. 2016, arXiv:1603.05027, equation 1 with the identity after the addition.
    """

    shortcut: Module | None

    def __init__(self, body: Module, shortcut: Module | None = None) -> None:
        super().__init__()
        for name, part in (("body", body), ("shortcut", shortcut)):
            if not isinstance(part, Module) and (part is not None or name == "body"):
                raise OptionError(f"Residual: {name} must be a module, not {part!r}")
        self.body = body
        self.shortcut = shortcut

    def forward(self, x: Tensor) -> Tensor:
        y = self.body(x)
        direct = x if self.shortcut is None else self.shortcut(x)
        if y.shape != direct.shape:
            hint = "; give a shortcut that changes the shape alike" if self.shortcut is None else ""
            raise ShapeError(
                f"Residual: body gives {y.shape} but the shortcut {direct.shape}, which cannot be added{hint}"
            )
        return F.add(y, direct)


class ResidualBlock(Module):
    """Two dilated 3-wide convolutions with batch norm around a shortcut: the basic block of a residual network.

        y = relu(bn2(conv2(relu(bn1(conv1(x))))) + shortcut(x))

    Shapes: x (N, in_channels, *S) -> (N, out_channels, *O) with O = ceil(S / stride), whatever the dilation: the padding
        grows with it. With stride > 1 or a change of channels the shortcut is a 1-wide convolution and batch norm.
    ndim: the number of spatial axes, 1, 2 or 3.
    Parameters: torchvision's names: conv1, bn1, conv2, bn2, downsample.0 and downsample.1.
    Raises: OptionError for settings that are not ints >= 1.
    Source: He et al. 2016, arXiv:1512.03385, figure 2 and option B; dilated, Yu, Koltun & Funkhouser 2017, arXiv:1705.09914.
    """

    downsample: Sequential | None

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        stride: int = 1,
        dilation: int = 1,
        *,
        ndim: int = 2,
        rng: np.random.Generator | None = None,
    ) -> None:
        super().__init__()
        check_counts("ResidualBlock", stride=stride, dilation=dilation)
        conv = conv_class(ndim)
        self.conv1 = conv(
            in_channels, out_channels, 3, stride, padding=dilation, dilation=dilation, bias=False, rng=rng
        )
        self.bn1 = BatchNorm(out_channels)
        self.conv2 = conv(out_channels, out_channels, 3, padding=dilation, dilation=dilation, bias=False, rng=rng)
        self.bn2 = BatchNorm(out_channels)
        self.relu = ReLU()
        self.downsample = None
        if stride != 1 or in_channels != out_channels:
            self.downsample = Sequential(
                conv(in_channels, out_channels, 1, stride, bias=False, rng=rng), BatchNorm(out_channels)
            )

    def forward(self, x: Tensor) -> Tensor:
        y = self.relu(self.bn1(self.conv1(x)))
        y = self.bn2(self.conv2(y))
        shortcut = x if self.downsample is None else self.downsample(x)
        return self.relu(F.add(y, shortcut))
