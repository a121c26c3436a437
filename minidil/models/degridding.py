"""What dilated residual networks end in, so that the grid of their dilated layers does not reach the output."""

from __future__ import annotations

import numpy as np

from minidil.nn import BatchNorm, Module, ReLU, Sequential
from minidil.nn.checks import check_counts
from minidil.nn.conv import conv_class


def degridding(
    channels: int,
    dilation: int,
    *,
    layers: int = 2,
    ndim: int = 2,
    rng: np.random.Generator | None = None,
) -> Sequential:
    """Layers whose dilation falls from half of `dilation` to 1: what to put behind layers of that dilation.

    A dilation of 4 is followed by 2 and 1, each `layers` times, 3-wide with batch norm and ReLU. There is no connection around
    them: what goes around a layer would carry the grid past it. (The networks of the source also have no max-pooling: its
    isolated high values are what dilated layers make the plainest grids of; give strides to convolutions instead.)

    Shapes: (N, channels, *S), alike out.
    Raises: OptionError for settings that are not ints >= 1.
    Source: Yu, Koltun & Funkhouser 2017, arXiv:1705.09914, section 4: DRN-C has two layers for each dilation.
    """
    check_counts("degridding", dilation=dilation, layers=layers)
    conv, model = conv_class(ndim), Sequential()
    d = int(dilation)
    while d > 1:
        d = -(-d // 2)
        for _ in range(layers):
            parts: list[Module] = [conv(channels, channels, 3, padding=d, dilation=d, bias=False, rng=rng)]
            model.extend([*parts, BatchNorm(channels), ReLU()])
    return model
