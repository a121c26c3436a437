"""`prune_channels`: a smaller network that computes what the given one does without some of its channels."""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

import numpy as np

from minidil.array import Array
from minidil.deploy.prune.choice import chosen, scored
from minidil.deploy.prune.follow import WHO, follow
from minidil.deploy.prune.layers import cut, mask, width
from minidil.deploy.recording import record
from minidil.errors import MinidilError, OptionError
from minidil.graph import no_grad
from minidil.nn import BatchNorm, Module
from minidil.nn.modes import evaluating
from minidil.tensor import Tensor
from minidil.train.freeze import matching

BY, SCOPES = ("l1", "batch_norm"), ("layer", "network")
_OFF = 1e-3  # of the largest number: more than other orders of summation can explain


@dataclass(frozen=True, repr=False)
class Pruned:
    """A network with fewer channels. Called, it is its model; printed, it says what is left.

    model: a new one with parameters of its own; the given one is as it was. kept: by the layer's name, the places of the channels
    that it still makes. widths: how many each made, and makes.
    parameters, multiply_adds: (before, after), the latter for one input of input_shape.
    """

    model: Module
    input_shape: tuple[int, ...]
    kept: dict[str, tuple[int, ...]]
    widths: dict[str, tuple[int, int]]
    parameters: tuple[int, int]
    multiply_adds: tuple[int, int]

    def __call__(self, x: Tensor) -> Tensor:
        return self.model(x)

    def __repr__(self) -> str:
        shares = [
            f"{after:,} of {before:,} {what} ({after / max(before, 1):.0%})"
            for what, (before, after) in (("parameters", self.parameters), ("multiply-adds", self.multiply_adds))
        ]
        modules = dict(self.model.named_modules())
        cut = {name: each for name, each in self.widths.items() if not isinstance(modules[name], BatchNorm)}
        layers = ", ".join(f"{name} {after} of {before}" for name, (before, after) in cut.items() if after < before)
        return (
            f"{type(self.model).__name__} on {self.input_shape}: {' and '.join(shares)} are left; "
            f"channels: {layers or 'all'}"
        )


def prune_channels(
    model: Module,
    input_shape: Sequence[int],
    share: float,
    by: str = "l1",
    *,
    scope: str = "layer",
    skip: str | Sequence[str] = (),
) -> Pruned:
    """A copy of the model without that share of its channels: smaller arrays in the same modules. It is to be tuned afterwards.

    In evaluation mode it computes what the given model would if no layer read the channels that are gone; both are compared on
    random images before it is handed out. Channels that are added up, as on both sides of a shortcut, go together; so do those
    that a depthwise convolution or batch norm passes on, and the same places of all groups of a convolution. The channels of the
    input and of the output stay, and at least one of every layer.

    input_shape: that of one image, (C, *S).
    share: of the channels that may go, 0 <= share < 1, rounded down.
    by: which go first. "l1": those whose weights are smallest, by the mean of |w| over a filter, and over the filters of all
        that goes together. "batch_norm": those with the smallest |scale| in the batch norm behind them, once `batch_norm_penalty`
        has made these small where they are not needed.
    scope: "layer" takes the share of every layer, or of those that go together; "network" that of all together.
    skip: patterns of layers or parameters, as for `train.freeze`, whose channels stay.
    Raises: OptionError, with the layer's name, for a call that channels are not followed through, such as group norm, a slice
        of the channels, or weights that are not those of a layer; for a layer without batch norm, if that decides; or if the
        smaller model computes something else, as one does that is told its number of channels elsewhere.
    Sources: Li et al. 2017, arXiv:1608.08710, "l1" in each layer; Liu et al. 2017, arXiv:1708.06519, batch norm's scale in the
        whole network.
    """
    for name, value, known in (("by", by, BY), ("scope", scope, SCOPES)):
        if value not in known:
            raise OptionError(f"{WHO}: {name} must be {' or '.join(map(repr, known))}, not {value!r}")
    check_share(WHO, share)
    recording = record(model, input_shape, WHO)
    kept = {name.rpartition(".")[0] for name in matching(model, skip, WHO)}
    layers = follow(model, recording, kept)
    removed = chosen(layers, scored(layers, by), share, scope)
    shape = recording.shape
    pruned, masked = deepcopy(model), deepcopy(model)
    to_cut, to_mask = dict(pruned.named_modules()), dict(masked.named_modules())
    places = {name: _places(layer.makes, removed) for name, layer in layers.items()}
    for name, layer in layers.items():
        reads = _places(layer.reads, removed)
        if (len(reads), len(places[name])) != width(layer.module):
            cut(to_cut[name], reads, places[name])
            mask(to_mask[name], reads)
    _compare(pruned, masked, shape, recording.dtype)
    before, after = model.summary(shape), pruned.summary(shape)
    return Pruned(
        pruned,
        shape,
        {name: tuple(each.tolist()) for name, each in places.items()},
        {name: (len(layers[name].makes), len(each)) for name, each in places.items()},
        (before.parameters, after.parameters),
        (before.multiply_adds, after.multiply_adds),
    )


def check_share(who: str, share: float) -> None:
    """Raises: OptionError unless it is a share of something of which a part stays."""
    if not isinstance(share, int | float) or isinstance(share, bool) or not 0 <= share < 1:
        raise OptionError(f"{who}: share must be a number with 0 <= share < 1, not {share!r}")


def _places(numbers: Array, removed: Array) -> Array:
    """Where the channels stand that stay."""
    return np.flatnonzero(~np.isin(numbers, removed))


def _compare(pruned: Module, masked: Module, shape: tuple[int, ...], dtype: np.dtype[Any]) -> None:
    """Raises: OptionError unless both compute the same of random images."""
    x = Tensor(np.random.default_rng(0).standard_normal((2, *shape)).astype(dtype))
    advice = "its forward is told a number of channels, which skip= can keep; the model is as it was"
    with no_grad(), evaluating(pruned), evaluating(masked):
        wanted = np.asarray(masked(x).numpy())
        try:
            found = np.asarray(pruned(x).numpy())
        except MinidilError as error:
            where = ", ".join(getattr(error, "__notes__", []))
            raise OptionError(
                f"{WHO}: with fewer channels the model does not run: {error} ({where}); {advice}"
            ) from None
    size = np.abs(wanted[np.isfinite(wanted)]).max(initial=0)
    if found.shape != wanted.shape or not np.allclose(found, wanted, rtol=_OFF, atol=_OFF * size, equal_nan=True):
        raise OptionError(f"{WHO}: with fewer channels {type(pruned).__name__} computes something else; {advice}")
