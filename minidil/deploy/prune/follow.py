"""Which channels of a network go together, found by following their numbers through the calls of its forward.

Every channel that a layer makes has a number. A value becomes an array of its own shape, that of one image, which tells of each
element from which channel it is; so what moves elements, such as a flattening, moves the numbers as well, and a concatenation of
a tensor with itself has them twice. Channels whose elements are added up can only go together, and so can all that a layer reads
as one channel. A channel that is gone is one that no later layer reads.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np

from minidil.deploy.prune.groups import Numbers
from minidil.deploy.prune.layers import LAYERS, is_depthwise
from minidil.deploy.prune.passing import PASSING, Flow, along_first
from minidil.deploy.recording import Call, Recording, Value
from minidil.nn import Module

WHO = "prune_channels"


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


class _Follower(Flow):
    def __init__(self, model: Module, recording: Recording) -> None:
        super().__init__(recording)
        self.modules = dict(model.named_modules())
        self.owners = Counter(id(each) for module in self.modules.values() for each in module.own_parameters().values())
        self.layers: dict[str, Layer] = {}

    def follow(self, call: Call) -> Numbers:
        """The numbers of the call's result."""
        if call.op in LAYERS.values():
            return self._layer(call)
        if call.op not in PASSING:
            return self.stop(call, "is an op through which channels are not followed")
        found = PASSING[call.op](self, call)
        if found.shape != call.shape:
            return self.stop(call, "makes something else of the channels than is known of it")
        return found

    def settled(self) -> dict[str, Layer]:
        """What was found, now that all is joined. Raises: OptionError for a call in the way."""
        for call, numbers in self.moved:
            if sum(self.varies(numbers, axis) for axis in range(numbers.ndim)) > 1:
                self.stop(call, "lays channels along several axes, which are not cut together")
        for call, why, seen in self.obstacles:
            if self.groups.roots(seen).any():
                raise call.refusal(f"{why}; skip= keeps the channels of the layers before it", WHO)
        roots_of = self.groups.roots
        return {
            name: Layer(each.module, roots_of(each.reads), roots_of(each.makes)) for name, each in self.layers.items()
        }

    def _layer(self, call: Call) -> Numbers:
        module, at = self.modules[call.layer], -1 if call.op == "linear" else 0
        if call.op != LAYERS.get(type(module)) or not self._has_weights(call, module):
            return self.stop(call, "does not take its weights from a layer of its own as they are")
        reads = self.channels(np.moveaxis(self.first(call), at, 0))
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
        return np.broadcast_to(makes, call.shape) if at else along_first(makes, call.shape)

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
