"""C3D: convolutions over time and space together, so that motion is a pattern like any other; here dilated in time."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from minidil.errors import OptionError
from minidil.nn import BatchNorm3d, Conv3d, Dropout, Linear, MaxPool3d, Module, ReLU, Sequential
from minidil.nn.checks import check_counts, check_rank
from minidil.tensor import Tensor


class C3D(Module):
    """features, their mean over the last frame, and the classifier of that."""

    def __init__(self, features: Sequential, classifier: Sequential) -> None:
        super().__init__()
        self.features = features
        self.classifier = classifier

    def forward(self, x: Tensor) -> Tensor:
        check_rank("C3D", x.shape, 3)
        return self.classifier(self.features(x)[:, :, -1].mean(axis=(2, 3)))


def c3d(
    num_classes: int = 2,
    *,
    in_channels: int = 1,
    widths: Sequence[int] = (16, 32, 32, 32),
    dilations: Sequence[int] = (1, 2, 4, 8),
    dropout: float = 0.0,
    rng: np.random.Generator | None = None,
) -> C3D:
    """A small C3D whose answer at the last frame has seen the frames before it, as far as its dilations reach.

    Layer i is a 3x3x3 convolution to widths[i] channels, dilated in time by dilations[i], with batch norm and ReLU; 2x2 max
    pooling of every frame lies between the layers. In time the convolutions are causal, padded by zeros before the first frame,
    and no frame is left out. So the answer depends on

        1 + 2 (dilations[0] + dilations[1] + ...)

    frames, counted back from the last one, and on nothing else: 31 by default, 9 with four dilations of 1.

    Shapes: clips (N, in_channels, T, H, W) -> logits (N, num_classes), of any T, and frames that are halved to no less than 1x1,
        so 8x8 for four layers.
    dilations: in time, one a layer. dropout: the probability to drop before the classifier.
    Raises: OptionError if widths and dilations do not fit together, or are not made of ints >= 1.
    Source: Tran et al. 2015, arXiv:1412.0767, whose eight layers pool time as well; batch norm as in later ones.
    """
    if len(widths) != len(dilations) or not widths:
        raise OptionError(
            f"c3d: every layer needs a width and a dilation, but there are {len(widths)} widths {tuple(widths)} and "
            f"{len(dilations)} dilations {tuple(dilations)}"
        )
    check_counts("c3d", **{f"dilations[{number}]": dilation for number, dilation in enumerate(dilations)})
    features = Sequential()
    channels = in_channels
    for number, (width, dilation) in enumerate(zip(widths, dilations, strict=True)):
        if number:
            features.append(MaxPool3d((1, 2, 2)))
        padding = ((2 * dilation, 0), (1, 1), (1, 1))
        conv = Conv3d(channels, width, 3, padding=padding, dilation=(dilation, 1, 1), bias=False, rng=rng)
        features.extend([conv, BatchNorm3d(width), ReLU()])
        channels = width
    return C3D(features, Sequential(Dropout(dropout), Linear(channels, num_classes, rng=rng)))
