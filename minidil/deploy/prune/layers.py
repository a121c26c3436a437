"""The layers that have channels to cut: what of each belongs to which channel."""

from __future__ import annotations

from typing import Any

import numpy as np

from minidil.array import Array
from minidil.nn import (
    BatchNorm,
    BatchNorm1d,
    BatchNorm2d,
    BatchNorm3d,
    Conv1d,
    Conv2d,
    Conv3d,
    ConvTranspose1d,
    ConvTranspose2d,
    ConvTranspose3d,
    Linear,
    Module,
    Parameter,
)

# With the op that each calls. A class of somebody's own may do something else.
LAYERS: dict[type[Module], str] = {
    **dict.fromkeys((Conv1d, Conv2d, Conv3d), "conv"),
    **dict.fromkeys((ConvTranspose1d, ConvTranspose2d, ConvTranspose3d), "conv_transpose"),
    **dict.fromkeys((BatchNorm, BatchNorm1d, BatchNorm2d, BatchNorm3d), "batch_norm"),
    Linear: "linear",
}
_NAMES = {
    "conv": ("in_channels", "out_channels"),
    "conv_transpose": ("in_channels", "out_channels"),
    "batch_norm": ("num_features", "num_features"),
    "linear": ("in_features", "out_features"),
}


def is_depthwise(module: Any) -> bool:
    """Whether every channel is a group of its own, which goes with what is made of it."""
    return bool(getattr(module, "groups", 1) == getattr(module, "in_channels", 0) > 1)


def width(module: Module) -> tuple[int, int]:
    """How many channels a layer reads and makes."""
    reads, makes = (getattr(module, name) for name in _NAMES[LAYERS[type(module)]])
    return int(reads), int(makes)


def cut(module: Any, reads: Array, makes: Array) -> None:
    """Leave a layer these channels of those that it reads and makes, by their places, in rising order.

    With several groups, all of them keep the same places; a depthwise convolution keeps what belongs together.
    """
    op, (inputs, outputs), groups = LAYERS[type(module)], width(module), getattr(module, "groups", 1)
    depthwise = is_depthwise(module)
    if op == "conv_transpose":  # weight (in, out/groups, *K)
        rows, columns = reads, makes[makes < outputs // groups]
    else:  # (out, in/groups, *K)
        rows, columns = makes, reads[reads < inputs // groups]
    for name, parameter in module.own_parameters().items():
        array = np.asarray(parameter.numpy())
        left = array[makes] if array.ndim == 1 else array[rows] if depthwise else array[rows][:, columns]
        setattr(module, name, Parameter(left, parameter.requires_grad))
    for name, buffer in module.own_buffers().items():
        if np.ndim(buffer):
            setattr(module, name, np.asarray(buffer)[makes])
    if depthwise:
        module.groups = len(reads)
    for name, places in zip(_NAMES[op], (reads, makes), strict=True):
        setattr(module, name, len(places))


def mask(module: Any, reads: Array) -> None:
    """Let a layer see these channels of those that it reads, by their places, and zeros for the others.

    What a depthwise convolution or batch norm passes on is for the layers after it to hide.
    """
    op, weight = LAYERS[type(module)], module.weight
    if op == "batch_norm" or is_depthwise(module):
        return
    hidden = np.setdiff1d(np.arange(width(module)[0]), reads)
    values = np.array(weight.numpy())
    if op == "conv_transpose":
        values[hidden] = 0
    else:
        values[:, hidden[hidden < values.shape[1]]] = 0
    module.weight = Parameter(values, weight.requires_grad)
