"""VGG networks (Simonyan & Zisserman 2015, arXiv:1409.1556): 3x3 convolutions in stages, the image halved between them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from minidil.errors import OptionError
from minidil.models.pretrained import pretrained_weights
from minidil.nn import (
    BatchNorm2d,
    Conv2d,
    Dropout,
    Flatten,
    GlobalAvgPool,
    Linear,
    MaxPool2d,
    Module,
    ReLU,
    Sequential,
)
from minidil.tensor import Tensor


class VGG(Module):
    """features, then avgpool, then the classifier of the flattened result."""

    def __init__(self, features: Module, avgpool: Module, classifier: Module) -> None:
        super().__init__()
        self.features = features
        self.avgpool = avgpool
        self.flatten = Flatten()
        self.classifier = classifier

    def forward(self, x: Tensor) -> Tensor:
        return self.classifier(self.flatten(self.avgpool(self.features(x))))


def vgg_small(
    num_classes: int = 10,
    *,
    in_channels: int = 3,
    widths: Sequence[int] = (64, 128, 256),
    dilations: Sequence[Sequence[int]] = ((1, 2), (1, 2), (1, 2)),
    dropout: float = 0.0,
    pretrained: str | None = None,
    rng: np.random.Generator | None = None,
) -> VGG:
    """A batch-normalised VGG with dilated layers for small images, made for 32x32.

    Stage i has one 3x3 convolution to widths[i] channels per entry of dilations[i], each with batch norm and ReLU, and
    padded so that the image keeps its size; 2x2 max pooling lies between the stages. Dilation widens what a layer sees
    at the price of an undilated one: an output of the default features sees 46x46 positions.
    That pooling makes any image do that the stages halve to no less than 1x1, so 8x8 for three.

    Shapes: (N, in_channels, H, W) -> logits (N, num_classes).
    dilations: one sequence per stage, as many as widths.
    dropout: the probability to drop before the classifier.
    pretrained: start with the weights for this data set, "cifar10", which come with minidil. They have 10 classes, 3 channels
        and these widths and numbers of layers; other dilations fit, since a dilation has no weights, but need fine-tuning.
        `models.pretrained_weights` tells the classes, how pixels are prepared, and the accuracy.
    Raises: OptionError if widths and dilations do not fit together or with the weights, or are not made of ints >= 1.
    """
    if len(widths) != len(dilations) or not widths:
        raise OptionError(
            f"vgg_small: every stage needs a width and its dilations, but there are {len(widths)} widths {tuple(widths)} "
            f"and {len(dilations)} entries of dilations {tuple(dilations)}"
        )
    features = Sequential()
    channels = in_channels
    for stage, (width, stage_dilations) in enumerate(zip(widths, dilations, strict=True)):
        if isinstance(stage_dilations, int | str) or not stage_dilations:
            raise OptionError(
                f"vgg_small: dilations[{stage}] must be a sequence with one dilation per convolution, such as (1, 2), "
                f"not {stage_dilations!r}"
            )
        if stage:
            features.append(MaxPool2d(2))
        for dilation in stage_dilations:
            conv = Conv2d(channels, width, 3, padding=dilation, dilation=dilation, bias=False, rng=rng)
            features.extend([conv, BatchNorm2d(width), ReLU()])
            channels = width
    model = VGG(features, GlobalAvgPool(), Sequential(Dropout(dropout), Linear(channels, num_classes, rng=rng)))
    if pretrained is None:
        return model
    return pretrained_weights("vgg_small", pretrained).load_into(model, num_classes, in_channels)
