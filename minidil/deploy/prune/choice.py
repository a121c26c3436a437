"""Which channels go: a score for every set of channels that go together, and the smallest first."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from typing import Any

import numpy as np

from minidil.array import Array
from minidil.deploy.prune.follow import WHO, Layer
from minidil.deploy.prune.layers import LAYERS
from minidil.errors import OptionError
from minidil.nn import BatchNorm, Parameter


def scored(layers: Mapping[str, Layer], by: str) -> dict[int, float]:
    """Of every set that may go, the mean over its channels in all layers that make them.

    by: "l1", the mean of |w| over the weights that make a channel; "batch_norm", |scale|.
    Raises: OptionError for a channel that no batch norm scales.
    """
    found: dict[int, list[float]] = defaultdict(list)
    for layer in layers.values():
        weight = layer.module.own_parameters().get("weight")
        if weight is not None and isinstance(layer.module, BatchNorm) == (by == "batch_norm"):
            for number, size in zip(layer.makes.tolist(), _sizes(layer.module, weight).tolist(), strict=True):
                found[number].append(size)
    for name, layer in layers.items():
        if missing := set(layer.makes.tolist()) - found.keys() - {0}:
            raise OptionError(
                f"{WHO}: no batch norm scales {len(missing)} of the channels that layer {name!r} makes; take by='l1', or "
                f"skip={name!r}"
            )
    return {number: float(np.mean(sizes)) for number, sizes in found.items() if number}


def chosen(layers: Mapping[str, Layer], scores: Mapping[int, float], share: float, scope: str) -> Array:
    """The numbers of what goes: the share of those that are made by the same layers, or of all; never the last of a layer."""
    makers: dict[int, list[str]] = defaultdict(list)
    for name, layer in layers.items():
        for number in np.unique(layer.makes).tolist():
            makers[number].append(name)
    left = Counter({name: len(np.unique(layer.makes)) for name, layer in layers.items()})
    rivals: dict[Any, list[int]] = defaultdict(list)
    for number in scores:
        rivals[tuple(makers[number]) if scope == "layer" else None].append(number)
    removed = []
    for numbers in rivals.values():
        wanted = int(round(share * len(numbers), 6))  # 0.29 * 100 is a little below 29
        for number in sorted(numbers, key=lambda each: (scores[each], each)):
            if wanted and min(left[name] for name in makers[number]) > 1:
                removed.append(number)
                left.subtract(makers[number])
                wanted -= 1
    return np.array(sorted(removed), np.int64)


def _sizes(module: Any, weight: Parameter) -> Array:
    """The mean of |w| over what makes each channel of a layer."""
    size = np.abs(weight.numpy())
    if LAYERS[type(module)] == "conv_transpose":
        # (in, out/groups, *K): channel f is number f % (out/groups) of its group
        by_group = size.reshape(module.groups, -1, *size.shape[1:])
        return np.asarray(by_group.mean(axis=(1, *range(3, by_group.ndim))).reshape(-1))
    return np.asarray(size.reshape(len(size), -1).mean(axis=1))
