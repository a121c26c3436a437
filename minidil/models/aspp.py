"""Atrous spatial pyramid pooling: the same map seen at several dilations side by side, and as a whole."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

import minidil.functional as F
from minidil.errors import OptionError
from minidil.models.pretrained import pretrained_weights
from minidil.models.unet import stage, up_to_multiple
from minidil.nn import (
    AdaptiveAvgPool,
    BatchNorm,
    Conv2d,
    Dropout,
    MaxPool2d,
    Module,
    ModuleList,
    ReLU,
    Sequential,
)
from minidil.nn.checks import check_counts, check_rank
from minidil.nn.conv import conv_class
from minidil.tensor import Tensor


class ImagePooling(Sequential):
    """The mean of every channel, a 1-wide convolution, batch norm and ReLU, spread over all positions again.

    In training it normalises one value per channel and image, so a batch needs two images at least.
    """

    def forward(self, x: Tensor) -> Tensor:
        return F.interpolate(super().forward(x), x.shape[2:])  # of one position: the same everywhere in every mode


class ASPP(Module):
    """One 1-wide and several dilated 3-wide convolutions of the same map, and its mean, side by side, and a 1-wide one of all.

    Every convolution is followed by batch norm and ReLU, and has no bias.
    Shapes: x (N, in_channels, *S) -> (N, out_channels, *S).
    rates: the dilations. Where they have a common factor, and the layers before as well, so do all offsets that are read, but for
        those of the mean: the branches then widen the field and fill none of its holes.
    image_pooling: whether the mean is a branch. dropout: the probability to drop behind the projection.
    ndim: the number of spatial axes, 1, 2 or 3.
    Parameters: torchvision's names: convs.0 (1-wide), convs.1 .. (one a rate), the last of convs (the mean), project.
    Raises: OptionError for settings that are not ints >= 1, or no rates; ShapeError if x does not fit.
    Source: Chen, Papandreou, Schroff & Adam 2017, arXiv:1706.05587, section 3.3; its rates are 6, 12, 18 at output stride 16,
        doubled at 8, with 256 channels.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int = 256,
        rates: Sequence[int] = (6, 12, 18),
        *,
        image_pooling: bool = True,
        dropout: float = 0.0,
        ndim: int = 2,
        rng: np.random.Generator | None = None,
    ) -> None:
        super().__init__()
        if not isinstance(rates, Sequence) or isinstance(rates, str) or not rates:
            raise OptionError(f"ASPP: rates are the dilations of its branches, such as (6, 12, 18), not {rates!r}")
        for number, rate in enumerate(rates):
            check_counts("ASPP", **{f"rates[{number}]": rate})
        conv = conv_class(ndim)

        def normalised(module: Module) -> list[Module]:
            return [module, BatchNorm(out_channels), ReLU()]

        branches = [Sequential(*normalised(conv(in_channels, out_channels, 1, bias=False, rng=rng)))]
        for rate in rates:
            wide = conv(in_channels, out_channels, 3, padding=rate, dilation=rate, bias=False, rng=rng)
            branches.append(Sequential(*normalised(wide)))
        if image_pooling:
            whole = conv(in_channels, out_channels, 1, bias=False, rng=rng)
            branches.append(ImagePooling(AdaptiveAvgPool((1,) * ndim), *normalised(whole)))
        self.ndim = ndim
        self.convs = ModuleList(branches)
        joined = conv(len(branches) * out_channels, out_channels, 1, bias=False, rng=rng)
        self.project = Sequential(*normalised(joined), Dropout(dropout))

    def forward(self, x: Tensor) -> Tensor:
        check_rank("ASPP", x.shape, self.ndim)
        return self.project(F.concatenate([branch(x) for branch in self.convs], axis=1))


class ASPPNet(Module):
    """features, stages that are halved; pyramid, an `ASPP` of their map; head, whose answers are spread over all pixels."""

    def __init__(self, features: Module, step: int, pyramid: ASPP, head: Module) -> None:
        super().__init__()
        self.step = step  # pixels a position of the map, high and wide
        self.features = features
        self.pyramid = pyramid
        self.head = head

    def forward(self, x: Tensor) -> Tensor:
        check_rank("ASPPNet", x.shape, 2)
        whole = up_to_multiple(x, self.step)
        logits = F.interpolate(self.head(self.pyramid(self.features(whole))), whole.shape[2:], mode="bilinear")
        return logits[:, :, : x.shape[2], : x.shape[3]]


def aspp(
    num_classes: int = 2,
    *,
    in_channels: int = 3,
    widths: Sequence[int] = (16, 32, 64),
    dilations: Sequence[int] = (2, 4, 6),
    pretrained: str | None = None,
    rng: np.random.Generator | None = None,
) -> ASPPNet:
    """Stages as those of `unet` on the way down, an `ASPP` head on what is left, and answers interpolated to the picture's size.

    With three widths the map of the head is a quarter of the picture high and wide, and no finer map helps it up again.

    Shapes: (N, in_channels, H, W) -> logits (N, num_classes, H, W), of any size.
    widths: channels of each stage, the finest first, and of the head. dilations: of the head's branches side by side.
    pretrained: start with the weights for this data set that come with minidil.
    Raises: OptionError for settings that are not ints >= 1, no stage, or no dilation.
    Source: Chen, Papandreou, Schroff & Adam 2017, arXiv:1706.05587, in small.
    """
    if len(widths) < 2:
        raise OptionError(f"aspp: needs two widths or more, as in (16, 32, 64), not {widths!r}")
    check_counts("aspp", **{f"widths[{number}]": width for number, width in enumerate(widths)})
    features, before = Sequential(), in_channels
    for width in widths[:-1]:
        features.extend([*stage(before, width, (1, 1), rng), MaxPool2d(2)])
        before = width
    head = Conv2d(widths[-1], num_classes, 1, rng=rng)
    model = ASPPNet(features, 2 ** (len(widths) - 1), ASPP(before, widths[-1], dilations, rng=rng), head)
    if pretrained is None:
        return model
    return pretrained_weights("aspp", pretrained).load_into(model, num_classes, in_channels)
