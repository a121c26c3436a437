"""EfficientNet-Lite0 (Tan & Le 2019, arXiv:1905.11946): inverted residuals with depthwise convolutions, ReLU6, no gates."""

from __future__ import annotations

import numpy as np

import minidil.functional as F
from minidil.models.dense import denser
from minidil.nn import BatchNorm2d, Conv2d, Dropout, Flatten, GlobalAvgPool, Linear, Module, Sequential
from minidil.tensor import Tensor

# blocks, kernel, stride of the first, expansion, channels
_STAGES = ((1, 3, 1, 1, 16), (2, 3, 2, 6, 24), (2, 5, 2, 6, 40), (3, 3, 2, 6, 80), (3, 5, 1, 6, 112), (4, 5, 2, 6, 192))
_LAST = (1, 3, 1, 6, 320)
_STEM, _HEAD = 32, 1280
_EPS, _MOMENTUM = 1e-3, 0.01


def _relu6(x: Tensor) -> Tensor:
    return F.clip(x, 0, 6)


class InvertedResidual(Module):
    """1x1 to expansion times as many channels, a depthwise convolution with the stride, 1x1 to out_channels without activation.

    x itself is added where the stride is 1 and the channels stay. Padding is "same": an image of S positions becomes one of
    ceil(S / stride), and where the padding is odd the larger half lies behind, as TensorFlow has it.
    Source: Sandler et al. 2018, arXiv:1801.04381, figure 3.
    """

    expand_conv: Conv2d | None

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel: int,
        stride: int,
        expansion: int,
        *,
        rng: np.random.Generator | None = None,
    ) -> None:
        super().__init__()
        middle = in_channels * expansion
        self.expand_conv = None
        if expansion != 1:
            self.expand_conv = Conv2d(in_channels, middle, 1, bias=False, rng=rng)
            self.bn0 = BatchNorm2d(middle, _EPS, _MOMENTUM)
        self.depthwise_conv = Conv2d(middle, middle, kernel, stride, "same", groups=middle, bias=False, rng=rng)
        self.bn1 = BatchNorm2d(middle, _EPS, _MOMENTUM)
        self.project_conv = Conv2d(middle, out_channels, 1, bias=False, rng=rng)
        self.bn2 = BatchNorm2d(out_channels, _EPS, _MOMENTUM)
        self.adds = stride == 1 and in_channels == out_channels

    def forward(self, x: Tensor) -> Tensor:
        y = x if self.expand_conv is None else _relu6(self.bn0(self.expand_conv(x)))
        y = _relu6(self.bn1(self.depthwise_conv(y)))
        y = self.bn2(self.project_conv(y))
        return F.add(y, x) if self.adds else y


class EfficientNet(Module):
    """conv_stem, sixteen blocks, conv_head, the mean over all positions, dropout, and a linear classifier."""

    def __init__(self, num_classes: int, in_channels: int, dropout: float, rng: np.random.Generator | None) -> None:
        super().__init__()
        self.conv_stem = Conv2d(in_channels, _STEM, 3, 2, "same", bias=False, rng=rng)
        self.bn0 = BatchNorm2d(_STEM, _EPS, _MOMENTUM)
        self.blocks, channels = Sequential(), _STEM
        for count, kernel, stride, expansion, width in (*_STAGES, _LAST):
            for place in range(count):
                step = 1 if place else stride
                self.blocks.append(InvertedResidual(channels, width, kernel, step, expansion, rng=rng))
                channels = width
        self.conv_head = Conv2d(channels, _HEAD, 1, bias=False, rng=rng)
        self.bn1 = BatchNorm2d(_HEAD, _EPS, _MOMENTUM)
        self.avgpool = GlobalAvgPool()
        self.flatten = Flatten()
        self.dropout = Dropout(dropout)
        self.fc = Linear(_HEAD, num_classes, rng=rng)

    def features(self, x: Tensor) -> Tensor:
        """The last map, (N, 1280, ceil(H/32), ceil(W/32)) without dilation."""
        x = _relu6(self.bn0(self.conv_stem(x)))
        return _relu6(self.bn1(self.conv_head(self.blocks(x))))

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(self.dropout(self.flatten(self.avgpool(self.features(x)))))


def efficientnet_lite0(
    num_classes: int = 1000,
    *,
    in_channels: int = 3,
    dropout: float = 0.2,
    output_stride: int | None = None,
    rng: np.random.Generator | None = None,
) -> EfficientNet:
    """EfficientNet-Lite0 for 224x224 images; 4,652,008 parameters for 1000 classes and 3 channels.

    Shapes: (N, in_channels, H, W) -> logits (N, num_classes). `model.features(x)` is the map (N, 1280, H/32, W/32) before them.
    Names: those of the usual PyTorch port without its leading underscores: conv_stem, blocks.0.depthwise_conv, ..., fc.
    output_stride: how many times smaller the last map is: 32, the default, 16, 8 ... 1, by `analysis.dilate`, with the same
        weights. Its paddings are then numbers that fit images whose sizes are multiples of 32.
    Raises: OptionError for an output stride that these strides do not multiply to.
    """
    return denser(EfficientNet(num_classes, in_channels, dropout, rng), output_stride, in_channels)
