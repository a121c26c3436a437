"""Edges at five scales: HED (Xie & Tu 2015, arXiv:1504.06375), VGG-16's convolutions with an output beside every stage.

What dilation does to a picture shows here without training: at output stride 16 the fifth map has one number for 16x16 pixels,
at 4 one for 4x4, from the same weights.

Where the numbers of a map belong. Position i of a map of stride s stands for the pixels s i ... s i + s - 1, whose middle is
s i + (s - 1)/2. A map that `analysis.dilate` made f times denser has X[f i] = x[i], so its position j stands around the pixel

    (s/f) j + (s - 1)/2,        and resizing, which knows only the jump r = s/f, puts it to r j + (r - 1)/2,

(s - r)/2 too far to the front: by so many pixels, rounded down, the resized map is moved back, its border going on behind it.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

import minidil.functional as F
from minidil.errors import OptionError
from minidil.models.dense import denser
from minidil.models.vgg_imagenet import VGG16_WIDTHS, vgg16_features
from minidil.nn import Conv2d, MaxPool2d, Module
from minidil.tensor import Tensor


class HED(Module):
    """VGG-16's convolutions; a 1x1 convolution of each stage's last map to one channel; and one that fuses the five.

    Parameters: features.0 ... features.28 as in torchvision's VGG-16, dsn1 ... dsn5, fuse.
    """

    def __init__(self, in_channels: int, widths: Sequence[int], rng: np.random.Generator | None) -> None:
        super().__init__()
        # One more position behind: a map of S becomes one of ceil(S / 2), so no pixel of the picture is left out.
        self.features = vgg16_features(in_channels, MaxPool2d(2, padding=((0, 1), (0, 1))), rng, widths)
        for number, width in enumerate(widths, start=1):
            self.add_module(f"dsn{number}", Conv2d(width, 1, 1, rng=rng))
        self.fuse = Conv2d(len(widths), 1, 1, rng=rng)

    def maps(self, x: Tensor) -> list[Tensor]:
        """The five maps of logits as they are, (N, 1, ceil(H/s), ceil(W/s)), s = 1, 2, 4, 8, 16 unless dilated."""
        made: list[Tensor] = []
        for place, layer in enumerate(self.features):
            if isinstance(layer, MaxPool2d):
                made.append(self._side(len(made) + 1, x))
            x = layer(x)
            if place == len(self.features) - 1:
                made.append(self._side(len(made) + 1, x))
        return made

    def sides(self, x: Tensor) -> list[Tensor]:
        """The five maps of logits at the size of the picture, (N, 1, H, W) each."""
        jumps = [(1, 1)]
        for layer in self.features:
            if isinstance(layer, MaxPool2d):
                jumps.append((jumps[-1][0] * layer.stride[0], jumps[-1][1] * layer.stride[1]))
        size = x.shape[2:]
        return [
            _placed(made, size, 2**number, jump)
            for number, (made, jump) in enumerate(zip(self.maps(x), jumps, strict=True))
        ]

    def forward(self, x: Tensor) -> Tensor:
        return self.fuse(F.concatenate(self.sides(x), axis=1))

    def _side(self, number: int, x: Tensor) -> Tensor:
        return getattr(self, f"dsn{number}")(x)


def _placed(made: Tensor, size: tuple[int, ...], stride: int, jumps: tuple[int, ...]) -> Tensor:
    """A map resized to the picture, each number around the middle of the pixels that it stands for."""
    if made.shape[2:] != size:
        made = F.interpolate(made, size=size, mode="bilinear")
    for axis, (n, jump) in enumerate(zip(size, jumps, strict=True), start=2):
        if moved := min((stride - jump) // 2, n - 1):
            before = (slice(None),) * axis
            first = made[(*before, slice(0, 1))]
            made = F.concatenate([*[first] * moved, made[(*before, slice(0, n - moved))]], axis=axis)
    return made


def hed(
    *,
    in_channels: int = 3,
    widths: Sequence[int] = VGG16_WIDTHS,
    output_stride: int | None = None,
    rng: np.random.Generator | None = None,
) -> HED:
    """HED, 14,716,171 parameters: a picture in, the logits of its edges out.

    Shapes: (N, in_channels, H, W) -> (N, 1, H, W), of any size; `model.sides(x)` are the five that it fuses, `model.maps(x)`
        the same before they are resized. `functional.sigmoid` makes probabilities of logits.
    widths: of the five stages.
    output_stride: of the coarsest map: 16, the default, 8, 4, 2 or 1, by `analysis.dilate`, with the same weights.
    Raises: OptionError for another output stride, or unless there are five widths.
    """
    if len(widths) != len(VGG16_WIDTHS):
        raise OptionError(f"hed: there are five stages, and widths has {len(widths)} numbers: {tuple(widths)}")
    return denser(HED(in_channels, widths, rng), output_stride, in_channels)
