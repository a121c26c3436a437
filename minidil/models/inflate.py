"""Inflation: a network of images becomes one of clips, with what it has learnt (Carreira & Zisserman 2017, arXiv:1705.07750).

A filter w over a frame becomes k filters w/k, one for each of k frames in a row. On a clip whose frames are all x it gives

    sum_t (w/k) * x_t  =  k (w/k) * x  =  w * x,

what w gave on the image x, at every moment; provided that the frames before the first and behind the last are x, too, and not
zeros: the first and the last frame are repeated. Whatever works position by position (ReLU, batch norm in evaluation mode, sums
of branches) keeps equal frames equal, and so do poolings, which look at one frame, and means over all positions. So by induction
over the layers

    inflated(x, x, ..., x) = model(x)      exactly, up to rounding.
"""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from typing import Any

import numpy as np

import minidil.functional as F
from minidil import nn
from minidil.errors import MinidilError, OptionError
from minidil.graph import no_grad
from minidil.kernels.geometry import Padding, Window
from minidil.nn.checks import check_counts, check_rank
from minidil.nn.modes import evaluating
from minidil.tensor import Tensor, tensor

_AMPLE = (1 << 40, 1 << 40)
_SIZE = 32  # of the image on which the promise is tried, if none is given
_FRAMES = 3


class InflatedConv(nn.Conv3d):
    """A convolution of clips with the weights of one of frames, each shared out evenly to `frames` frames.

    Shapes: x (N, in_channels, T, H, W) -> (N, out_channels, T, *O), O as for the given layer. In time the first and the last
        frame are repeated; `frames` is odd, and the window reaches as far ahead as back.
    """

    def __init__(self, flat: nn.Conv2d, frames: int) -> None:
        k, s, d = flat.kernel_size, flat.stride, flat.dilation
        if flat.padding == "same" and max(s) > 1:
            raise OptionError('padding "same" with a stride depends on the size of the frame; give it in numbers')
        around = Window.of(_AMPLE, k, s, flat.padding, d).padding
        reach = frames // 2
        super().__init__(
            flat.in_channels,
            flat.out_channels,
            (frames, *k),
            (1, *s),
            ((reach, reach), *around),
            (1, *d),
            flat.groups,
            bias=False,
            rng=np.random.default_rng(0),
        )
        weight = flat.weight.numpy()
        self.astype(weight.dtype)
        self.weight.data = np.repeat(weight[:, :, None] / weight.dtype.type(frames), frames, axis=2)
        self.bias = deepcopy(flat.bias)

    def forward(self, x: Tensor) -> Tensor:
        check_rank(type(self).__name__, x.shape, 3)
        reach = self.kernel_size[0] // 2
        ends = [x[:, :, :1]] * reach, [x[:, :, -1:]] * reach
        wide = F.concatenate([*ends[0], x, *ends[1]], axis=2) if reach else x
        around = ((0, 0), *self.window(x.shape[2:]).padding[1:])
        return F.conv(wide, self.weight, self.bias, self.stride, around, self.dilation, self.groups)


def inflate(model: nn.Module, frames: int = _FRAMES, input_shape: tuple[int, int, int] | None = None) -> nn.Module:
    """A network of clips (N, C, T, H, W) with the weights of this one of images (N, C, H, W), in evaluation mode.

    Convolutions get `frames` times as many weights, but for those of 1x1, which look at one frame; their names stay. Poolings
    work on each frame as before, and what took means over an image takes them over the clip. A clip of equal frames gets the
    answer of the image, whatever its length; a network that answers for every position gives that map in every frame. This is
    tried on an image of random numbers, of which input_shape tells (C, H, W), by default 32x32.
    `model` is as it was; nothing is shared.
    Raises: OptionError unless frames is an odd int >= 1; for a layer that cannot be inflated, which is named; and if the network
        does not give equal frames the answer of the image, since its own `forward` does what suits images only.
    Source: Carreira & Zisserman 2017, arXiv:1705.07750, section 2.4.
    """
    check_counts("inflate", frames=frames)
    if frames % 2 == 0:
        raise OptionError(f"inflate: frames must be odd, so that a window reaches as far ahead as back, not {frames}")
    shape = input_shape or _usual_shape(model)
    inflated = _inflated("", deepcopy(model), frames, {})
    _try(model, inflated, shape)
    return inflated.eval()


def _inflated(name: str, module: nn.Module, frames: int, done: dict[int, nn.Module]) -> nn.Module:
    """The module for clips, its parts changed in place; one that is there twice becomes one again."""
    if id(module) not in done:
        parts = list(module.own_children().items())
        for part, child in parts:
            setattr(module, part, _inflated(f"{name}.{part}" if name else part, child, frames, done))
        done[id(module)] = module if parts else _layer(name, module, frames)
    return done[id(module)]


def _layer(name: str, module: nn.Module, frames: int) -> nn.Module:
    kind = type(module)
    if kind in _ALIKE:
        return module
    try:
        if kind not in _LAYERS:
            raise OptionError("there is no rule for this kind of layer")
        return _LAYERS[kind](module, frames)
    except OptionError as error:
        raise OptionError(f"inflate: layer {name!r} ({kind.__name__}) cannot be inflated: {error}") from None


def _conv(flat: nn.Conv2d, frames: int) -> nn.Module:
    return InflatedConv(flat, frames if max(flat.kernel_size) > 1 else 1)


def _still(padding: Padding) -> Any:
    """Padding of a window that looks at one frame; those that have a name pad by nothing in time."""
    if isinstance(padding, str):
        return padding
    if isinstance(padding, int):
        return (0, padding, padding)
    return (0 if isinstance(padding[0], int) else (0, 0), *padding)


def _max_pool(flat: nn.MaxPool2d, frames: int) -> nn.Module:
    return nn.MaxPool3d((1, *flat.kernel_size), (1, *flat.stride), _still(flat.padding), (1, *flat.dilation))


def _avg_pool(flat: nn.AvgPool2d, frames: int) -> nn.Module:
    window = ((1, *flat.kernel_size), (1, *flat.stride), _still(flat.padding))
    return nn.AvgPool3d(*window, dilation=(1, *flat.dilation), count_include_pad=flat.count_include_pad)


def _adaptive(flat: nn.AdaptiveAvgPool, frames: int) -> nn.Module:
    size = flat.output_size
    return nn.AdaptiveAvgPool3d((1, size, size) if isinstance(size, int) else (1, *size))


def _norm(flat: nn.BatchNorm, frames: int) -> nn.Module:
    norm = nn.BatchNorm(
        flat.num_features,
        flat.eps,
        flat.momentum,
        flat.weight is not None,
        flat.running_mean is not None,
        activation=flat.activation,
    )
    norm.astype(next(iter(flat.state_dict().values()), np.float32(0)).dtype)
    norm.load_state_dict(flat.state_dict())
    return norm


_LAYERS: dict[type[nn.Module], Callable[[Any, int], nn.Module]] = {
    nn.Conv2d: _conv,
    nn.MaxPool2d: _max_pool,
    nn.AvgPool2d: _avg_pool,
    nn.AdaptiveAvgPool: _adaptive,
    nn.AdaptiveAvgPool2d: _adaptive,
    nn.BatchNorm2d: _norm,
    nn.Dropout2d: lambda flat, frames: nn.Dropout3d(flat.p),
}
# What takes any number of axes, and keeps equal frames equal or joins all of them.
_ALIKE = {
    nn.Identity,
    nn.ReLU,
    nn.LeakyReLU,
    nn.GELU,
    nn.SiLU,
    nn.Sigmoid,
    nn.Tanh,
    nn.Dropout,
    nn.BatchNorm,
    nn.GroupNorm,
}
_ALIKE |= {nn.InstanceNorm, nn.GlobalAvgPool, nn.GlobalMaxPool, nn.Flatten, nn.Linear, nn.Softmax, nn.LogSoftmax}


def _usual_shape(model: nn.Module) -> tuple[int, int, int]:
    first = next((module for module in model.modules() if isinstance(module, nn.Conv2d)), None)
    if first is None:
        raise OptionError(f"inflate: this {type(model).__name__} has no Conv2d, and so nothing to inflate")
    return first.in_channels, _SIZE, _SIZE


def _try(model: nn.Module, inflated: nn.Module, shape: tuple[int, int, int]) -> None:
    """Raises: OptionError unless two equal frames get the answer of the image."""
    dtype = next(model.parameters()).dtype
    image = np.random.default_rng(0).standard_normal((1, *shape)).astype(dtype)
    with no_grad(), evaluating(model), evaluating(inflated):
        try:
            said = model(tensor(image)).numpy()
        except MinidilError as error:
            raise OptionError(
                f"inflate: {type(model).__name__} does not take an image {shape}; give input_shape: {error}"
            ) from None
        try:
            of_clip = inflated(tensor(np.repeat(image[:, :, None], 2, axis=2))).numpy()
            wanted = said if of_clip.ndim == said.ndim else np.repeat(said[:, :, None], 2, axis=2)
            same = of_clip.shape == wanted.shape and np.allclose(
                of_clip, wanted, rtol=1e-3, atol=1e-3 * np.abs(said).max()
            )
            reason = f"a clip of two equal frames {shape} gets another answer than the image"
        except MinidilError as error:
            same, reason = False, f"clips do not pass: {error}"
    if not same:
        raise OptionError(
            f"inflate: the forward of {type(model).__name__}, or of a part of it, suits images only; {reason}"
        )
