"""A model that begins with what another one has learnt: its head replaced, all else with the same weights."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from minidil.array import Array
from minidil.errors import OptionError
from minidil.nn import Conv1d, Conv2d, Conv3d, Linear, Module
from minidil.nn.checks import check_counts

_CONVS = (Conv1d, Conv2d, Conv3d)


def head_of(model: Module) -> str:
    """The name of the layer that gives the answers: the last one with parameters, in the order in which the model names them.

    Raises: OptionError if that is neither linear nor a convolution of one group.
    """
    last = next(((name, each) for name, each in reversed([*model.named_modules()]) if each.own_parameters()), None)
    if last is None:
        raise OptionError(f"replace_head: this {type(model).__name__} has no layer with parameters")
    name, layer = last
    if not isinstance(layer, Linear | Conv1d | Conv2d | Conv3d) or getattr(layer, "groups", 1) != 1 or not name:
        raise OptionError(
            f"replace_head: the last layer of this {type(model).__name__} with parameters is {name or 'itself'!r} "
            f"({type(layer).__name__}), which is no Linear or convolution of one group that could be replaced by name"
        )
    return name


def replace_head(model: Module, num_classes: int, *, rng: np.random.Generator | None = None) -> str:
    """Put a freshly drawn last layer with `num_classes` outputs in the place of the model's; return its name.

    The last layer with parameters is replaced, a Linear, or a convolution in a network that answers for every position. What it
    takes and its other settings stay. Build the optimizer afterwards: its parameters are new objects.
    Raises: OptionError unless num_classes is an int >= 1 and the last layer is one of these; then nothing has changed.
    """
    check_counts("replace_head", num_classes=num_classes)
    name = head_of(model)
    modules = dict(model.named_modules())
    parent, _, attribute = name.rpartition(".")
    old, owner = modules[name], modules[parent]
    setattr(owner, attribute, _like(old, num_classes, rng))
    return name


def start_from(model: Module, state: Mapping[str, Array], same_classes: bool = True) -> tuple[str, ...]:
    """Give a model the weights of one that was trained, but for a head of other classes; return in words what was done otherwise.

    state: by parameter and buffer, as `state_dict` gives it. A head with another number of outputs, or with same_classes=False
        any head, keeps the weights that the model was built with.
    Where the weights are for colour images, and the model for grey ones, the first convolution gets the sum over its three input
    channels: sum_c w_c x is what colour gives to an image with x in all three.
    num_batches_tracked, which counts batches of training and older files lack, stays where it is missing.
    Raises: CheckpointError that lists every other parameter that is missing, unexpected or of another shape; then nothing has
        changed.
    """
    own, notes = model.state_dict(), list[str]()
    given = {name: value for name, value in own.items() if name.endswith("num_batches_tracked")} | dict(state)
    head = head_of(model)
    weight = f"{head}.weight"
    if weight in given and given[weight].shape[1:] == own[weight].shape[1:]:
        had, has = len(given[weight]), len(own[weight])
        if had != has or not same_classes:
            given |= {name: own[name] for name in own if name.startswith(f"{head}.")}
            given = {name: value for name, value in given.items() if name in own or not name.startswith(f"{head}.")}
            notes.append(f"{head} is new, with {has} outputs in place of {had}")
    first = next((name for name in own if own[name].ndim > 2), "")
    if first in given and _is_grey(given[first].shape, own[first].shape):
        given[first] = np.asarray(given[first], own[first].dtype).sum(axis=1, keepdims=True)
        notes.append(f"{first.rpartition('.')[0]} takes one channel: the sum of its weights for red, green and blue")
    model.load_state_dict(given)
    return tuple(notes)


def _is_grey(colour: tuple[int, ...], grey: tuple[int, ...]) -> bool:
    return len(colour) == len(grey) and colour[1] == 3 and grey[1] == 1 and colour[2:] == grey[2:]


def _like(old: Module, outputs: int, rng: np.random.Generator | None) -> Module:
    """A fresh layer with the settings of the old one, and so many outputs."""
    if isinstance(old, Linear):
        new: Module = Linear(old.in_features, outputs, bias=old.bias is not None, rng=rng)
    else:
        assert isinstance(old, _CONVS)
        window = (old.kernel_size, old.stride, old.padding, old.dilation)
        new = type(old)(old.in_channels, outputs, *window, bias=old.bias is not None, rng=rng)
    dtype = next(old.parameters()).dtype
    return (new if dtype == np.float32 else new.astype(dtype)).train(old.training)
