"""The context module: convolutions of growing dilation at full resolution, which begin as the identity."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from minidil.errors import OptionError
from minidil.models.pretrained import pretrained_weights
from minidil.nn import Conv2d, Module, ReLU, Sequential
from minidil.nn.checks import check_counts
from minidil.nn.init import dirac
from minidil.nn.parameter import Parameter
from minidil.tensor import Tensor


class ContextNet(Module):
    """front, a convolution that makes a map of the picture; context, the module; head, the answer at every pixel."""

    def __init__(self, front: Module, context: Module, head: Module) -> None:
        super().__init__()
        self.front = front
        self.context = context
        self.head = head

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.context(self.front(x)))


def context_module(
    channels: int, dilations: Sequence[int] = (1, 1, 2, 4, 8, 16, 1), *, rng: np.random.Generator | None = None
) -> Sequential:
    """Yu & Koltun's basic context module: 3x3 convolutions of these dilations, each with ReLU, and a 1x1 one.

    The map keeps its size and its channels, and an output sees 2 (sum of the dilations) + 1 positions, 67 for the default.
    Freshly built it gives a map without negative values back as it is, all weights being those of `nn.init.dirac`: training
    begins with what the layers before have found, and learns what context adds.

    Shapes: (N, channels, H, W), alike out.
    Raises: OptionError for settings that are not ints >= 1.
    Source: Yu & Koltun 2016, arXiv:1511.07122, table 1 and section 3, equation 4.
    """
    check_counts("context_module", channels=channels)
    check_counts("context_module", **{f"dilations[{number}]": each for number, each in enumerate(dilations)})
    module = Sequential()
    for dilation in dilations:
        module.extend([_identity(channels, 3, dilation, rng), ReLU()])
    module.append(_identity(channels, 1, 1, rng))
    return module


def context(
    num_classes: int = 2,
    *,
    in_channels: int = 3,
    width: int = 16,
    dilations: Sequence[int] = (1, 1, 2, 4, 8, 16, 1),
    pretrained: str | None = None,
    rng: np.random.Generator | None = None,
) -> ContextNet:
    """A front end of one 3x3 convolution, the context module, and a 1x1 convolution to the classes; nothing is ever halved.

    Shapes: (N, in_channels, H, W) -> logits (N, num_classes, H, W).
    pretrained: start with the weights for this data set that come with minidil.
    Raises: OptionError for settings that are not ints >= 1, or no dilation.
    """
    if not dilations:
        raise OptionError("context: needs a dilation at least, as in (1, 1, 2, 4, 8, 16, 1)")
    front = Sequential(Conv2d(in_channels, width, 3, padding=1, rng=rng), ReLU())
    model = ContextNet(front, context_module(width, dilations, rng=rng), Conv2d(width, num_classes, 1, rng=rng))
    if pretrained is None:
        return model
    return pretrained_weights("context", pretrained).load_into(model, num_classes, in_channels)


def _identity(channels: int, kernel: int, dilation: int, rng: np.random.Generator | None) -> Conv2d:
    conv = Conv2d(channels, channels, kernel, padding=dilation * (kernel // 2), dilation=dilation, rng=rng)
    conv.weight = Parameter(dirac(conv.weight.shape))
    return conv
