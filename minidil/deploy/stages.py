"""What a plan is made of before anything is prepared: a stage, which is a call or several that became one."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from minidil.array import Array
from minidil.deploy.recording import Call
from minidil.kernels.cpu.finish import PLAIN, Finish
from minidil.kernels.geometry import Window
from minidil.ops import activation, conv, elementwise, interpolate, linear, norm, pool, rearrange, reduce, shape

CONVOLUTIONS = ("conv", "conv_transpose")
ACTIVATIONS = ("leaky_relu", "sigmoid", "tanh", "silu", "gelu", "softplus")

# What may be called as it is: no image's result depends on another image. The rest of the rule is in `check`.
_ROOMS: dict[Any, tuple[str, ...]] = {
    elementwise: (
        *("add", "subtract", "multiply", "divide", "power", "negative", "exp", "log", "sqrt", "absolute"),
        *("clip", "maximum", "minimum"),
    ),
    reduce: ("sum", "mean", "var", "amax", "amin", "std", "norm", "logsumexp"),
    activation: (*ACTIVATIONS, "relu", "softmax", "log_softmax", "dropout"),
    norm: ("layer_norm", "batch_norm"),
    pool: ("max_pool", "avg_pool", "adaptive_avg_pool"),
    shape: ("reshape", "transpose", "flatten", "getitem", "pad", "concatenate", "stack", "insert_zeros"),
    rearrange: ("squeeze", "unsqueeze", "expand"),
    interpolate: ("interpolate",),
    linear: ("linear", "matmul"),
    conv: ("conv", "conv_transpose"),
}
OPS: dict[str, Callable[..., Any]] = {name: getattr(room, name) for room, names in _ROOMS.items() for name in names}

MEMORY = 16  # multiplications in the time that a number takes to be read and written


@dataclass
class Stage:
    """A call, or several that became one.

    reads, makes: numbers of values. residual: the value that is added to the result. weight, bias: of a convolution or a linear
    map, with what was folded into them; scale and shift of an "affine" one.
    pool: the window of max-pooling that follows. layers: the names of the layers that it stands for.
    """

    kind: str
    call: Call
    reads: list[int]
    makes: int
    words: list[str]
    layers: list[str]
    weight: Array | None = None
    bias: Array | None = None
    window: Window | None = None
    groups: int = 1
    beyond: tuple[int, ...] = ()
    ending: Finish = PLAIN
    residual: int | None = None
    pool: Window | None = None
    shape: tuple[int, ...] = field(default=())

    @property
    def takes_affine(self) -> bool:
        """Whether a scale and a shift of its result can go into its weights."""
        return self.kind in (*CONVOLUTIONS, "linear", "affine") and self.is_bare

    @property
    def takes_residual(self) -> bool:
        """Whether its loops can add another value."""
        return self.kind in CONVOLUTIONS and self.is_bare

    @property
    def takes_ending(self) -> bool:
        """Whether its loops can limit the result."""
        return self.kind in (*CONVOLUTIONS, "linear", "affine", "add") and self.ending == PLAIN and self.pool is None

    @property
    def takes_pool(self) -> bool:
        """Whether its loops can hand over the largest results only."""
        return self.kind == "conv" and self.pool is None

    @property
    def is_bare(self) -> bool:
        """Whether nothing follows its linear map yet."""
        return self.ending == PLAIN and self.residual is None and self.pool is None

    def join(self, word: str, call: Call, makes: int) -> None:
        """It does that call as well from now on."""
        self.words.append(word)
        self.layers += [call.layer] * (call.layer not in self.layers)
        self.makes, self.shape = makes, call.shape


def check(call: Call, ndims: dict[int, int]) -> None:
    """Raise the refusal of a call that could mix images, or is not known; ndims: the axes of each value, with that of images."""
    if call.op not in OPS:
        raise call.refusal("is an op that plans do not know")
    ndim = ndims[call.reads[0]]
    if call.op in _ROOMS[reduce] or call.op in ("softmax", "log_softmax"):
        axis = call.options.get("axis")
        if axis is None and call.op in ("softmax", "log_softmax"):
            axis = -1
        axes = axis if isinstance(axis, tuple | list) else (axis,)
        if any(each is None or int(each) % ndim == 0 for each in axes):
            raise call.refusal("goes over the images of a batch")
    normalised = call.options.get("normalized_shape")
    if call.op == "layer_norm" and not isinstance(normalised, int) and len(normalised or ()) >= ndim:
        raise call.refusal("goes over the images of a batch")
    if call.op == "getitem" and not _keeps_images(call.options.get("index"), ndim):
        raise call.refusal("takes some of the images of a batch")
    if call.op in ("concatenate", "stack") and int(call.options.get("axis", 0)) % (ndim + (call.op == "stack")) == 0:
        raise call.refusal("joins along the images of a batch")
    if call.op == "batch_norm" and call.options.get("mean") is None:
        raise call.refusal("normalises with the mean of the batch itself, as it has no running statistics")
    if call.op == "dropout" and call.options.get("training", True) and call.options.get("p", 0.5) > 0:
        raise call.refusal("draws anew each time, though the model is in evaluation mode")
    if call.options.get("observe") is not None and call.op != "batch_norm":
        raise call.refusal("returns indices, which plans do not follow")


def _keeps_images(index: Any, ndim: int) -> bool:
    entries = index if isinstance(index, tuple) else (index,)
    if not entries or any(isinstance(each, list | np.ndarray) for each in entries):
        return False
    named = sum(each is not None and each is not Ellipsis for each in entries)
    return entries[0] == slice(None) if isinstance(entries[0], slice) else entries[0] is Ellipsis and named < ndim


def work(stage: Stage) -> int:
    """About how many multiplications an image takes; what has no weights has to do with memory, where a number takes as long."""
    if stage.weight is None or stage.kind == "affine":
        return MEMORY * numbers_in(stage.shape)
    return stage.weight.size * (1 if stage.window is None else math.prod(stage.window.out))


def numbers_in(shape: tuple[int, ...]) -> int:
    """How many numbers an image of that shape has."""
    return math.prod(shape)
