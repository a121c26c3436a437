"""U-Net: a map of every scale on the way down, joined again on the way up, so that an answer stands at every pixel."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

import minidil.functional as F
from minidil.errors import OptionError
from minidil.models.pretrained import pretrained_weights
from minidil.nn import BatchNorm2d, Conv2d, ConvTranspose2d, MaxPool2d, Module, ModuleList, ReLU, Sequential
from minidil.nn.checks import check_counts, check_rank
from minidil.tensor import Tensor


class UNet(Module):
    """The parts by name: down.0 ... (two convolutions each), bottleneck, up.0 ... and merge.0 ... (coarsest first), head."""

    def __init__(
        self,
        in_channels: int,
        num_classes: int,
        widths: Sequence[int],
        dilations: Sequence[int],
        rng: np.random.Generator | None,
    ) -> None:
        super().__init__()
        *outer, deepest = widths
        befores = (in_channels, *outer)
        self.pool = MaxPool2d(2)
        self.down = ModuleList([stage(a, b, (1, 1), rng) for a, b in zip(befores, outer, strict=False)])
        self.bottleneck = stage(befores[-1], deepest, dilations, rng)
        pairs = list(zip(reversed(widths[1:]), reversed(outer), strict=True))
        self.up = ModuleList([ConvTranspose2d(below, width, 2, stride=2, rng=rng) for below, width in pairs])
        self.merge = ModuleList([stage(2 * width, width, (1, 1), rng) for _, width in pairs])
        self.head = Conv2d(widths[0], num_classes, 1, rng=rng)

    def forward(self, x: Tensor) -> Tensor:
        check_rank("UNet", x.shape, 2)
        height, width = x.shape[2:]
        x = up_to_multiple(x, 2 ** len(self.down))
        maps = []
        for layers in self.down:
            x = layers(x)
            maps.append(x)
            x = self.pool(x)
        x = self.bottleneck(x)
        for up, merge in zip(self.up, self.merge, strict=True):
            x = merge(F.concatenate([maps.pop(), up(x)], axis=1))
        return self.head(x)[:, :, :height, :width]


def unet(
    num_classes: int = 2,
    *,
    in_channels: int = 3,
    widths: Sequence[int] = (16, 32, 64),
    dilations: Sequence[int] = (1, 2, 4),
    pretrained: str | None = None,
    rng: np.random.Generator | None = None,
) -> UNet:
    """A small U-Net whose deepest stage is dilated: it sees further without a further halving.

    Every stage but the last has two 3x3 convolutions, each with batch norm and ReLU, and is halved by max-pooling; the last has
    one of each dilation. On the way up a transposed convolution doubles the map, which is joined with the one of its size.

    Shapes: (N, in_channels, H, W) -> logits (N, num_classes, H, W), of any size.
    widths: channels of each stage, the finest first. dilations: of the convolutions of the last stage.
    pretrained: start with the weights for this data set, "nuclei", which come with minidil.
    Raises: OptionError for settings that are not ints >= 1, no stage to join, or no dilation.
    Source: Ronneberger, Fischer & Brox 2015, arXiv:1505.04597; here with padding, so that the map keeps the size of the picture,
        and batch norm.
    """
    if len(widths) < 2 or not dilations:
        raise OptionError(
            f"unet: needs two widths or more, as in (16, 32, 64), and a dilation, not {widths!r} and {dilations!r}"
        )
    check_counts("unet", **{f"widths[{number}]": width for number, width in enumerate(widths)})
    check_counts("unet", **{f"dilations[{number}]": dilation for number, dilation in enumerate(dilations)})
    model = UNet(in_channels, num_classes, tuple(widths), tuple(dilations), rng)
    if pretrained is None:
        return model
    return pretrained_weights("unet", pretrained).load_into(model, num_classes, in_channels)


def stage(before: int, width: int, dilations: Sequence[int], rng: np.random.Generator | None) -> Sequential:
    """A 3x3 convolution of `width` filters for each dilation, with batch norm and ReLU; the first takes `before` channels."""
    layers = Sequential()
    for dilation in dilations:
        conv = Conv2d(before, width, 3, padding=dilation, dilation=dilation, bias=False, rng=rng)
        layers.extend([conv, BatchNorm2d(width), ReLU()])
        before = width
    return layers


def up_to_multiple(x: Tensor, step: int) -> Tensor:
    """x (N, C, H, W) with zeros below and right, which halvings need, until height and width are multiples of `step`."""
    height, width = x.shape[2:]
    return F.pad(x, ((0, 0), (0, 0), (0, -height % step), (0, -width % step)))
