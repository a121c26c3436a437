"""Residual networks; and small ones for 32x32 images, after He et al. 2016, arXiv:1512.03385, section 4.2."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from minidil.errors import OptionError
from minidil.models.pretrained import pretrained_weights
from minidil.nn import BatchNorm2d, Conv2d, Flatten, GlobalAvgPool, Linear, Module, ReLU, ResidualBlock, Sequential
from minidil.nn.checks import check_counts
from minidil.tensor import Tensor


class ResNet(Module):
    """A convolution, pooling if there is some, stages of residual blocks, global average pooling, and a linear classifier.

    The parts have torchvision's names: conv1, bn1, layer1.0.conv1, ..., fc.
    """

    maxpool: Module | None

    def __init__(
        self, stem: Conv2d, stages: Sequence[Sequential], channels: int, fc: Linear, maxpool: Module | None = None
    ) -> None:
        super().__init__()
        self.conv1 = stem
        self.bn1 = BatchNorm2d(channels)
        self.relu = ReLU()
        self.maxpool = maxpool
        self.stages = len(stages)
        for number, stage in enumerate(stages, start=1):
            self.add_module(f"layer{number}", stage)
        self.avgpool = GlobalAvgPool()
        self.flatten = Flatten()
        self.fc = fc

    def features(self, x: Tensor) -> Tensor:
        """The map that the last stage makes, (N, channels, H', W')."""
        x = self.relu(self.bn1(self.conv1(x)))
        x = x if self.maxpool is None else self.maxpool(x)
        for number in range(1, self.stages + 1):
            x = getattr(self, f"layer{number}")(x)
        return x

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(self.flatten(self.avgpool(self.features(x))))


def resnet_small(
    num_classes: int = 10,
    *,
    in_channels: int = 3,
    widths: Sequence[int] = (16, 32, 64),
    blocks: int = 3,
    strides: Sequence[int] = (1, 2, 2),
    dilations: Sequence[int] = (1, 1, 1),
    pretrained: str | None = None,
    rng: np.random.Generator | None = None,
) -> ResNet:
    """A residual network of 2 * blocks * len(widths) + 2 layers; by default the 20 layers of the paper's ResNet-20.

    Stage i has `blocks` residual blocks of widths[i] channels with dilations[i]; its first block has strides[i].
    A stride of 2 can be traded for a dilation of 2 from there on, strides=(1, 2, 1), dilations=(1, 1, 2), which keeps
    the resolution and about the receptive field (Yu, Koltun & Funkhouser 2017, arXiv:1705.09914).

    Shapes: (N, in_channels, H, W) -> logits (N, num_classes).
    pretrained: start with the weights for this data set, "digits", which come with minidil. They have 10 classes, 1 channel and
        these widths and blocks; other dilations fit, since a dilation has no weights, but need fine-tuning.
        `models.pretrained_weights` tells the classes, how pixels are prepared, and the accuracy.
    Raises: OptionError if widths, strides and dilations differ in length or do not fit the weights, or are not made of ints >= 1.
    """
    check_counts("resnet_small", blocks=blocks)
    if not len(widths) == len(strides) == len(dilations) or not widths:
        raise OptionError(
            f"resnet_small: every stage needs a width, a stride and a dilation, but there are {len(widths)} widths, "
            f"{len(strides)} strides and {len(dilations)} dilations"
        )
    stem = Conv2d(in_channels, widths[0], 3, padding=1, bias=False, rng=rng)
    stages = []
    channels = widths[0]
    for width, stride, dilation in zip(widths, strides, dilations, strict=True):
        stage = Sequential()
        for block in range(blocks):
            stage.append(ResidualBlock(channels, width, stride if block == 0 else 1, dilation, rng=rng))
            channels = width
        stages.append(stage)
    model = ResNet(stem, stages, widths[0], Linear(channels, num_classes, rng=rng))
    if pretrained is None:
        return model
    return pretrained_weights("resnet_small", pretrained).load_into(model, num_classes, in_channels)
