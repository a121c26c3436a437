"""Which channels of a network go together, found by following their numbers through the calls of its forward.

Every channel that a layer makes has a number. A value becomes an array of its own shape, that of one image, which tells of each
element from which channel it is; so what moves elements, such as a flattening, moves the numbers as well, and a concatenation of
a tensor with itself has them twice. Channels whose elements are added up can only go together, and so can all that a layer reads
as one channel. A channel that is gone is one that no later layer reads.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from minidil.deploy.prune.groups import Groups, Numbers
from minidil.deploy.prune.layers import LAYERS, is_depthwise
from minidil.deploy.recording import Call, Recording, Value
from minidil.errors import ShapeError
from minidil.kernels.backend import use
from minidil.nn import Module
from minidil.ops import rearrange, shape

WHO = "prune_channels"
_MOVES: dict[str, Callable[..., Any]] = {
    name: getattr(room, name)
    for room, names in {
        shape: ("reshape", "transpose", "flatten", "getitem", "concatenate", "stack"),
        rearrange: ("squeeze", "unsqueeze", "expand", "repeat", "flip"),
    }.items()
    for name in names
}


@dataclass(frozen=True)
class Layer:
    """A layer with weights, and the numbers of the channels that it reads and makes."""

    module: Module
    reads: Numbers
    makes: Numbers


def follow(model: Module, recording: Recording, kept: set[str]) -> dict[str, Layer]:
    """The layers by name, in the order of the forward. Their numbers are those of the sets of channels that go together, each
    called by one of them; 0 is that of all that has to stay.

    kept: names of layers that make as many channels as before.
    Raises: OptionError, with the layer's name, for a call that is not understood and would see fewer channels.
    """
    follower = _Follower(model, recording)
    for call in recording.calls:
        follower.values.append(follower.follow(call))
    follower.groups.keep(follower.values[recording.output])
    for name in kept & follower.layers.keys():
        follower.groups.keep(follower.layers[name].makes)
    return follower.settled()


class _Follower:
    def __init__(self, model: Module, recording: Recording) -> None:
        self.modules = dict(model.named_modules())
        self.owners = Counter(id(each) for module in self.modules.values() for each in module.own_parameters().values())
        self.groups = Groups()
        self.values: list[Numbers] = [np.zeros(recording.shape, np.int64)]
        self.layers: dict[str, Layer] = {}
        self.obstacles: list[tuple[Call, str, Numbers]] = []  # calls that must not see fewer channels, and those that they see
        self.moved: list[tuple[Call, Numbers]] = []

    def follow(self, call: Call) -> Numbers:
        """The numbers of the call's result."""
        rule = _RULES.get(call.op)
        if rule is None:
            return self._stop(call, "is an op through which channels are not followed")
        found = rule(self, call)
        if found.shape != call.shape:
            return self._stop(call, "makes something else of the channels than is known of it")
        return found

    def settled(self) -> dict[str, Layer]:
        """What was found, now that all is joined. Raises: OptionError for a call in the way."""
        for call, numbers in self.moved:
            roots = self.groups.roots(numbers)
            if sum((roots != roots.take([0], axis)).any() for axis in range(roots.ndim)) > 1:
                self._stop(call, "lays channels along several axes, which are not cut together")
        for call, why, seen in self.obstacles:
            if self.groups.roots(seen).any():
                raise call.refusal(f"{why}; skip= keeps the channels of the layers before it", WHO)
        roots_of = self.groups.roots
        return {
            name: Layer(each.module, roots_of(each.reads), roots_of(each.makes)) for name, each in self.layers.items()
        }

    def _stop(self, call: Call, why: str, numbers: Numbers | None = None) -> Numbers:
        """Note that a call must not see fewer channels; its result has none that could go."""
        seen = [self.values[number].ravel() for number in call.reads] if numbers is None else [numbers.ravel()]
        self.obstacles.append((call, why, np.unique(np.concatenate(seen))))
        return np.zeros(call.shape, np.int64)

    def _first(self, call: Call) -> Numbers:
        return self.values[call.reads[0]]

    def _channels(self, x: Numbers) -> Numbers:
        """One number for each entry of axis 0: what is read as one channel goes together."""
        first = x[(slice(None), *(slice(0, 1),) * (x.ndim - 1))]
        self.groups.join(x, first)
        return first.reshape(len(x))

    def _varies(self, x: Numbers, axis: int) -> bool:
        roots = self.groups.roots(x)
        return bool((roots != roots.take([0], axis)).any())

    # --- layers

    def _layer(self, call: Call) -> Numbers:
        module, at = self.modules[call.layer], -1 if call.op == "linear" else 0
        if call.op != LAYERS.get(type(module)) or not self._has_weights(call, module):
            return self._stop(call, "does not take its weights from a layer of its own as they are")
        reads = self._channels(np.moveaxis(self._first(call), at, 0))
        makes = reads if call.op == "batch_norm" else self.groups.new(call.shape[at])
        groups = getattr(module, "groups", 1)
        if is_depthwise(module):
            self.groups.join(reads[:, None], makes.reshape(groups, -1))
        elif groups > 1:  # as many of each group: what has the same place in its group goes together
            for numbers in (reads, makes):
                by_group = numbers.reshape(groups, -1)
                self.groups.join(by_group, by_group[:1])
        if call.layer in self.layers:
            self.groups.join(reads, self.layers[call.layer].reads)
            self.groups.join(makes, self.layers[call.layer].makes)
        self.layers[call.layer] = Layer(module, reads, makes)
        spread = makes.reshape(-1, *(1,) * (len(call.shape) - 1)) if at == 0 else makes
        return np.broadcast_to(spread, call.shape)

    def _has_weights(self, call: Call, module: Module) -> bool:
        """Whether these are the module's own parameters, unchanged, that no other module has, and x is the only value."""
        own = module.own_parameters()
        given = [each for each in call.operands[1:] if each is not None]
        return (
            isinstance(call.operands[0], Value)
            and len(given) == len(own)
            and all(np.array_equal(one, each.numpy()) for one, each in zip(given, own.values(), strict=True))
            and all(self.owners[id(each)] == 1 for each in own.values())
        )

    # --- calls without weights

    def _same(self, call: Call) -> Numbers:
        return self._first(call)

    def _within_channels(self, call: Call) -> Numbers:
        channels = self._channels(self._first(call))
        return np.broadcast_to(channels.reshape(-1, *(1,) * (len(call.shape) - 1)), call.shape)

    def _elementwise(self, call: Call) -> Numbers:
        """Of several values, those of one place go together; a map of one channel beside many stays."""
        given = [self.values[number] for number in call.reads]
        aligned = [x.reshape((1,) * (len(call.shape) - x.ndim) + x.shape) for x in given]
        together = []
        for x in aligned:
            grown = [axis for axis, n in enumerate(x.shape) if n < call.shape[axis]]
            if any(other.shape[axis] > 1 and self._varies(other, axis) for other in aligned for axis in grown):
                self.groups.keep(x)
            else:
                together.append(np.broadcast_to(x, call.shape))
        for x in together[1:]:
            self.groups.join(together[0], x)
        result: Numbers = together[0]
        for constant in (each for each in call.operands if np.ndim(each) and not isinstance(each, Value)):
            sizes = (1,) * (result.ndim - np.ndim(constant)) + np.shape(constant)[-result.ndim :]
            if any(n > 1 and self._varies(result, axis) for axis, n in enumerate(sizes)):
                return self._stop(call, "has a number for each channel that is no parameter of a layer", result)
        return result

    def _reduced(self, call: Call) -> Numbers:
        x, axes = self._first(call), call.options.get("axis")
        if axes is None and call.op in ("softmax", "log_softmax"):
            axes = -1
        if call.op == "layer_norm":
            normalised = call.options["normalized_shape"]
            axes = range(-1 if isinstance(normalised, int) else -len(normalised), 0)
        if axes is None:
            return self._stop(call, "goes over the images of a batch")
        places = {axis % (x.ndim + 1) - 1 for axis in ([axes] if isinstance(axes, int) else axes)}
        if min(places) < 0 or any(self._varies(x, axis) for axis in places):
            return self._stop(call, "puts numbers of several channels together")
        if len(x.shape) == len(call.shape) and x.shape == call.shape:
            return x
        kept = slice(0, 1) if call.options.get("keepdims") else 0
        return x[tuple(kept if axis in places else slice(None) for axis in range(x.ndim))]

    def _moves(self, call: Call) -> Numbers:
        if any(not isinstance(each, Value) for each in call.operands):
            return self._stop(call, "puts constants beside channels")
        with use("numpy"):
            y = np.asarray(_MOVES[call.op](*(self.values[number][None] for number in call.reads), **call.options)[0])
        seen = np.concatenate([self.values[number].ravel() for number in call.reads])
        if call.op == "getitem" and len(np.unique(y)) < len(np.unique(seen)):
            return self._stop(call, "takes some of the channels by their place, which would be others")
        self.moved.append((call, y[0]))
        found: Numbers = y[0]
        return found

    def _pad(self, call: Call) -> Numbers:
        """Positions that are added belong to their channel; channels that are added stay."""
        with use("numpy"):
            y = np.asarray(shape.pad(self._first(call)[None], **call.options | {"value": -1})[0])[0]
        rows = y.reshape(len(y), -1).max(axis=1).reshape(-1, *(1,) * (y.ndim - 1))
        return np.where(y < 0, np.maximum(rows, 0), y)


_RULES: dict[str, Callable[[_Follower, Call], Numbers]] = {
    **dict.fromkeys(("conv", "conv_transpose", "linear", "batch_norm"), _Follower._layer),
    **dict.fromkeys(("relu", "leaky_relu", "sigmoid", "tanh", "silu", "gelu", "softplus", "dropout"), _Follower._same),
    **dict.fromkeys(("negative", "exp", "log", "sqrt", "absolute", "clip", "astype"), _Follower._same),
    **dict.fromkeys(("add", "subtract", "multiply", "divide", "power", "maximum", "minimum"), _Follower._elementwise),
    **dict.fromkeys(("sum", "mean", "var", "std", "amax", "amin", "norm", "logsumexp"), _Follower._reduced),
    **dict.fromkeys(("softmax", "log_softmax", "layer_norm"), _Follower._reduced),
    **dict.fromkeys(("max_pool", "avg_pool", "adaptive_avg_pool", "interpolate", "insert_zeros"), _Follower._within_channels),
    **dict.fromkeys(_MOVES, _Follower._moves),
    "pad": _Follower._pad,
}
