"""Atrous spatial pyramid pooling: the same map seen at several dilations side by side, and as a whole."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

import minidil.functional as F
from minidil.errors import OptionError
from minidil.nn import AdaptiveAvgPool, BatchNorm, Dropout, Module, ModuleList, ReLU, Sequential
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
