"""Residual networks for 224x224 images, with torchvision's names, so that weights made there load by name.

Source: He et al. 2016, arXiv:1512.03385, table 1. As in torchvision, a bottleneck halves the image in its 3x3 convolution and not
in the 1x1 before it, which "ResNet v1.5" stands for.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

import minidil.functional as F
from minidil.models.dense import denser
from minidil.models.resnet import ResNet
from minidil.nn import BatchNorm2d, Conv2d, Linear, MaxPool2d, Module, ReLU, ResidualBlock, Sequential
from minidil.tensor import Tensor

_WIDTHS = (64, 128, 256, 512)
_EXPANSION = 4


class Bottleneck(Module):
    """1x1 to `width` channels, 3x3 with the stride, 1x1 to four times as many, around a shortcut.

        y = relu(bn3(conv3(relu(bn2(conv2(relu(bn1(conv1(x)))))))) + shortcut(x))

    Shapes: x (N, in_channels, H, W) -> (N, 4 width, ceil(H / stride), ceil(W / stride)).
    Parameters: torchvision's names: conv1, bn1, ..., bn3, downsample.0 and downsample.1.
    """

    downsample: Sequential | None

    def __init__(
        self, in_channels: int, width: int, stride: int = 1, *, rng: np.random.Generator | None = None
    ) -> None:
        super().__init__()
        out_channels = _EXPANSION * width
        self.conv1 = Conv2d(in_channels, width, 1, bias=False, rng=rng)
        self.bn1 = BatchNorm2d(width)
        self.conv2 = Conv2d(width, width, 3, stride, padding=1, bias=False, rng=rng)
        self.bn2 = BatchNorm2d(width)
        self.conv3 = Conv2d(width, out_channels, 1, bias=False, rng=rng)
        self.bn3 = BatchNorm2d(out_channels)
        self.relu = ReLU()
        self.downsample = None
        if stride != 1 or in_channels != out_channels:
            self.downsample = Sequential(
                Conv2d(in_channels, out_channels, 1, stride, bias=False, rng=rng), BatchNorm2d(out_channels)
            )

    def forward(self, x: Tensor) -> Tensor:
        y = self.relu(self.bn1(self.conv1(x)))
        y = self.relu(self.bn2(self.conv2(y)))
        y = self.bn3(self.conv3(y))
        return self.relu(F.add(y, x if self.downsample is None else self.downsample(x)))


def resnet18(
    num_classes: int = 1000,
    *,
    in_channels: int = 3,
    output_stride: int | None = None,
    rng: np.random.Generator | None = None,
) -> ResNet:
    """ResNet-18, 11,689,512 parameters for 1000 classes: see `resnet50`, with two 3x3 convolutions a block."""
    return _resnet(_basic, 1, (2, 2, 2, 2), num_classes, in_channels, output_stride, rng)


def resnet34(
    num_classes: int = 1000,
    *,
    in_channels: int = 3,
    output_stride: int | None = None,
    rng: np.random.Generator | None = None,
) -> ResNet:
    """ResNet-34, 21,797,672 parameters for 1000 classes: see `resnet50`, with two 3x3 convolutions a block."""
    return _resnet(_basic, 1, (3, 4, 6, 3), num_classes, in_channels, output_stride, rng)


def resnet50(
    num_classes: int = 1000,
    *,
    in_channels: int = 3,
    output_stride: int | None = None,
    rng: np.random.Generator | None = None,
) -> ResNet:
    """ResNet-50 with torchvision's names, conv1.weight ... fc.bias; 25,557,032 parameters for 1000 classes and 3 channels.

    Shapes: (N, in_channels, H, W) -> logits (N, num_classes). `model.features(x)` is the map (N, 2048, H/32, W/32) before them.
    output_stride: how many times smaller that map is: 32, the default, 16, 8 ... 1, by `analysis.dilate`, with the same weights.
    Raises: OptionError for an output stride that these strides do not multiply to.
    """
    return _resnet(Bottleneck, _EXPANSION, (3, 4, 6, 3), num_classes, in_channels, output_stride, rng)


def _basic(in_channels: int, width: int, stride: int = 1, *, rng: np.random.Generator | None = None) -> ResidualBlock:
    return ResidualBlock(in_channels, width, stride, rng=rng)


def _resnet(
    block: Callable[..., Module],
    expansion: int,
    layers: Sequence[int],
    num_classes: int,
    in_channels: int,
    output_stride: int | None,
    rng: np.random.Generator | None,
) -> ResNet:
    stem = Conv2d(in_channels, 64, 7, 2, padding=3, bias=False, rng=rng)
    stages, channels = [], 64
    for number, (width, blocks) in enumerate(zip(_WIDTHS, layers, strict=True)):
        stage = Sequential()
        for place in range(blocks):
            stage.append(block(channels, width, 2 if number and not place else 1, rng=rng))
            channels = expansion * width
        stages.append(stage)
    model = ResNet(stem, stages, 64, Linear(channels, num_classes, rng=rng), MaxPool2d(3, 2, padding=1))
    return denser(model, output_stride, in_channels)
