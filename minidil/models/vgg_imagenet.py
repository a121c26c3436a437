"""VGG-16 for 224x224 images, with torchvision's names, so that weights made there load by name.

Source: Simonyan & Zisserman 2015, arXiv:1409.1556, table 1, configuration D.
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy

import numpy as np

from minidil.models.dense import denser
from minidil.models.vgg import VGG
from minidil.nn import AdaptiveAvgPool2d, Conv2d, Dropout, Linear, MaxPool2d, ReLU, Sequential

VGG16_WIDTHS = (64, 128, 256, 512, 512)
_VGG16_LAYERS = (2, 2, 3, 3, 3)


def vgg16(
    num_classes: int = 1000,
    *,
    in_channels: int = 3,
    dropout: float = 0.5,
    output_stride: int | None = None,
    rng: np.random.Generator | None = None,
) -> VGG:
    """VGG-16 (configuration D) for 224x224 images, with torchvision's names: features.0.weight ... classifier.6.bias.

    Shapes: (N, in_channels, H, W) -> logits (N, num_classes), with H and W at least 32; 138,357,544 parameters (553 MB)
        for 1000 classes and 3 channels, of which classifier.0 alone holds 74 %.
    Weights are drawn by `nn.init.he_normal`, biases are zeros. `model.features(x)` is the map (N, 512, H/32, W/32).
    output_stride: how many times smaller that map is: 32, the default, 16, 8 ... 1, by `analysis.dilate`, with the same weights.
    Raises: OptionError for an output stride that these strides do not multiply to.
    """
    features = vgg16_features(in_channels, MaxPool2d(2), rng)
    features.append(MaxPool2d(2))
    channels = VGG16_WIDTHS[-1]
    classifier = Sequential(
        Linear(channels * 7 * 7, 4096, rng=rng),
        ReLU(),
        Dropout(dropout),
        Linear(4096, 4096, rng=rng),
        ReLU(),
        Dropout(dropout),
        Linear(4096, num_classes, rng=rng),
    )
    return denser(VGG(features, AdaptiveAvgPool2d(7), classifier), output_stride, in_channels)


def vgg16_features(
    in_channels: int, pool: MaxPool2d, rng: np.random.Generator | None, widths: Sequence[int] = VGG16_WIDTHS
) -> Sequential:
    """The thirteen convolutions of VGG-16 in five stages, a copy of `pool` between them: layers 0 to 29."""
    features = Sequential()
    channels = in_channels
    for number, (width, layers) in enumerate(zip(widths, _VGG16_LAYERS, strict=True)):
        if number:
            features.append(deepcopy(pool))
        for _ in range(layers):
            features.extend([Conv2d(channels, width, 3, padding=1, rng=rng), ReLU()])
            channels = width
    return features
