"""The widths of a pruned network's layers: what its builder does not know, and what builds it again."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from copy import deepcopy
from typing import Any, TypeAlias

import numpy as np

from minidil.array import Array
from minidil.deploy.prune.layers import LAYERS, cut, is_depthwise, width
from minidil.errors import CheckpointError, OptionError
from minidil.nn import Module
from minidil.storage import checkpoint

Widths: TypeAlias = Mapping[str, Sequence[int]]
"""By the name of a layer: how many channels it reads, and how many it makes."""


def widths_of(model: Module) -> dict[str, tuple[int, int]]:
    """Those of all layers that pruning may cut."""
    return {name: width(module) for name, module in model.named_modules() if type(module) in LAYERS}


def narrowed(model: Module, widths: Widths) -> Module:
    """A copy of a model with layers of these widths, and some of its weights: those of the pruned one are to be loaded.

    Raises: OptionError that names a layer which the model has not, or which is narrower.
    """
    own = widths_of(model)
    if own.keys() != widths.keys():
        odd = ", ".join(sorted(own.keys() ^ widths.keys()))
        raise OptionError(f"widths: they are not those of this {type(model).__name__}: {odd} is in one of both only")
    copy = deepcopy(model)
    for name, module in [(name, each) for name, each in copy.named_modules() if name in own]:
        if tuple(widths[name]) != own[name]:
            cut(module, *_first(name, module, widths[name], own[name]))
    return copy


def _first(name: str, module: Any, wanted: Sequence[int], had: tuple[int, int]) -> list[Array]:
    """The places of the first channels of every group, so many in all."""
    groups = getattr(module, "groups", 1)
    per_channel = had[1] // had[0] if is_depthwise(module) else 0
    fits = all(1 <= few <= many for few, many in zip(wanted, had, strict=True))
    if per_channel:
        fits, groups = fits and wanted[1] == per_channel * wanted[0], 1
    if not fits or any(few % groups for few in wanted):
        raise OptionError(
            f"widths: layer {name!r} ({type(module).__name__}) reads {had[0]} channels and makes {had[1]}, and cannot become "
            f"one that reads {wanted[0]} and makes {wanted[1]}"
        )
    places = (np.arange(many).reshape(groups, -1) for many in had)
    return [each[:, : few // groups].reshape(-1) for each, few in zip(places, wanted, strict=True)]


def save_pruned(path: str | os.PathLike[str], model: Module) -> None:
    """Write the widths and the weights of a pruned model, for `load_pruned`. Raises: StorageError if the disk refuses."""
    widths = {name: list(each) for name, each in widths_of(model).items()}
    checkpoint.save(path, {"widths": widths, "model": model.state_dict()})


def load_pruned(path: str | os.PathLike[str], model: Module) -> Module:
    """The model in a file of `save_pruned`. model: as it is built before pruning; it stays as it is.

    Raises: CheckpointError if the file is damaged, is none of these, or is that of another model, whose layer it names.
    """
    tree = checkpoint.load(path)
    if not isinstance(tree, dict) or not is_widths(tree.get("widths")) or not isinstance(tree.get("model"), dict):
        raise CheckpointError(f"{path} holds no widths of a pruned model beside its weights; `save_pruned` writes both")
    try:
        made = narrowed(model, tree["widths"])
        made.load_state_dict(tree["model"])
    except (CheckpointError, OptionError) as error:
        raise CheckpointError(f"{path}: {error}") from error
    return made


def is_widths(value: Any) -> bool:
    """Whether a file has widths there: two whole numbers for each name."""
    return isinstance(value, dict) and all(
        isinstance(each, list) and len(each) == 2 and all(type(number) is int for number in each)
        for each in value.values()
    )
