"""The option `output_stride` of the networks for large images."""

from __future__ import annotations

from typing import TypeVar, cast

from minidil.analysis import dilate
from minidil.nn import Module

AnyModule = TypeVar("AnyModule", bound=Module)


def denser(model: AnyModule, output_stride: int | None, in_channels: int) -> AnyModule:
    """The model, or its copy that `analysis.dilate` makes, whose last map is 1/output_stride of the image.

    Raises: OptionError if its strides do not multiply to output_stride however many of the last ones are left out.
    """
    if output_stride is None:
        return model
    return cast(AnyModule, dilate(model, output_stride, (in_channels, 64, 64)).model)
