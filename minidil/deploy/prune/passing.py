"""Calls without weights: what becomes of the numbers of channels in them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from minidil.deploy.prune.groups import Groups, Numbers
from minidil.deploy.recording import Call, Recording, Value
from minidil.kernels.backend import use
from minidil.ops import rearrange, shape

_MOVES: dict[str, Callable[..., Any]] = {
    name: getattr(room, name)
    for room, names in {
        shape: ("reshape", "transpose", "flatten", "getitem", "concatenate", "stack"),
        rearrange: ("squeeze", "unsqueeze", "expand", "repeat", "flip"),
    }.items()
    for name in names
}


class Flow:
    """The numbers in every value so far, and what belongs together.

    obstacles: calls that must not see fewer channels, why, and the channels that they see. moved: the results of calls that move
    elements, along one axis of which the channels must lie.
    """

    def __init__(self, recording: Recording) -> None:
        self.groups = Groups()
        self.values: list[Numbers] = [np.zeros(recording.shape, np.int64)]
        self.obstacles: list[tuple[Call, str, Numbers]] = []
        self.moved: list[tuple[Call, Numbers]] = []

    def first(self, call: Call) -> Numbers:
        """The numbers of what a call takes first."""
        return self.values[call.reads[0]]

    def stop(self, call: Call, why: str) -> Numbers:
        """Note that a call must not see fewer channels; its result has none that could go."""
        seen = np.concatenate([self.values[number].ravel() for number in call.reads])
        self.obstacles.append((call, why, np.unique(seen)))
        return np.zeros(call.shape, np.int64)

    def channels(self, x: Numbers) -> Numbers:
        """One number for each entry of axis 0: what is read as one channel goes together."""
        first = x[(slice(None), *(slice(0, 1),) * (x.ndim - 1))]
        self.groups.join(x, first)
        return first.reshape(len(x))

    def varies(self, x: Numbers, axis: int) -> bool:
        """Whether several sets lie along an axis."""
        if not (x != x.take([0], axis)).any():
            return False
        roots = self.groups.roots(x)
        return bool((roots != roots.take([0], axis)).any())


def along_first(channels: Numbers, shape: tuple[int, ...]) -> Numbers:
    """A map of that shape with these channels."""
    return np.broadcast_to(channels.reshape(-1, *(1,) * (len(shape) - 1)), shape)


def _same(flow: Flow, call: Call) -> Numbers:
    return flow.first(call)


def _within_channels(flow: Flow, call: Call) -> Numbers:
    return along_first(flow.channels(flow.first(call)), call.shape)


def _elementwise(flow: Flow, call: Call) -> Numbers:
    """Of several values, those of one place go together; a map of one channel beside many stays."""
    given = [flow.values[number] for number in call.reads]
    aligned = [x.reshape((1,) * (len(call.shape) - x.ndim) + x.shape) for x in given]
    together = []
    for x in aligned:
        grown = [axis for axis, n in enumerate(x.shape) if n < call.shape[axis]]
        if any(other.shape[axis] > 1 and flow.varies(other, axis) for other in aligned for axis in grown):
            flow.groups.keep(x)
        else:
            together.append(np.broadcast_to(x, call.shape))
    for x in together[1:]:
        flow.groups.join(together[0], x)
    result: Numbers = together[0] if together else np.zeros(call.shape, np.int64)
    for constant in (each for each in call.operands if np.ndim(each) and not isinstance(each, Value)):
        sizes = (1,) * (result.ndim - np.ndim(constant)) + np.shape(constant)[-result.ndim :]
        if any(n > 1 and flow.varies(result, axis) for axis, n in enumerate(sizes)):
            return flow.stop(call, "has a number for each channel that is no parameter of a layer")
    return result


def _reduced(flow: Flow, call: Call) -> Numbers:
    x, axes = flow.first(call), call.options.get("axis")
    if axes is None and call.op in ("softmax", "log_softmax"):
        axes = -1
    if call.op == "layer_norm":
        normalised = call.options["normalized_shape"]
        axes = range(-1 if isinstance(normalised, int) else -len(normalised), 0)
    if axes is None:
        return flow.stop(call, "goes over the images of a batch")
    places = {axis % (x.ndim + 1) - 1 for axis in ([axes] if isinstance(axes, int) else axes)}
    if min(places) < 0 or any(flow.varies(x, axis) for axis in places):
        return flow.stop(call, "puts numbers of several channels together")
    if len(x.shape) == len(call.shape) and x.shape == call.shape:
        return x
    kept = slice(0, 1) if call.options.get("keepdims") else 0
    return x[tuple(kept if axis in places else slice(None) for axis in range(x.ndim))]


def _moves(flow: Flow, call: Call) -> Numbers:
    if any(not isinstance(each, Value) for each in call.operands):
        return flow.stop(call, "puts constants beside channels")
    with use("numpy"):
        y = np.asarray(_MOVES[call.op](*(flow.values[number][None] for number in call.reads), **call.options)[0])
    seen = np.concatenate([flow.values[number].ravel() for number in call.reads])
    if call.op == "getitem" and len(np.unique(y)) < len(np.unique(seen)):
        return flow.stop(call, "takes some of the channels by their place, which would be others")
    flow.moved.append((call, y[0]))
    found: Numbers = y[0]
    return found


def _pad(flow: Flow, call: Call) -> Numbers:
    """Positions that are added belong to their channel; channels that are added stay."""
    with use("numpy"):
        y = np.asarray(shape.pad(flow.first(call)[None], **{**call.options, "value": -1})[0])[0]
    rows = y.reshape(len(y), -1).max(axis=1).reshape(-1, *(1,) * (y.ndim - 1))
    return np.where(y < 0, np.maximum(rows, 0), y)


PASSING: dict[str, Callable[[Flow, Call], Numbers]] = {
    **dict.fromkeys(("relu", "leaky_relu", "sigmoid", "tanh", "silu", "gelu", "softplus", "dropout"), _same),
    **dict.fromkeys(("negative", "exp", "log", "sqrt", "absolute", "clip", "astype"), _same),
    **dict.fromkeys(("add", "subtract", "multiply", "divide", "power", "maximum", "minimum"), _elementwise),
    **dict.fromkeys(("sum", "mean", "var", "std", "amax", "amin", "norm", "logsumexp"), _reduced),
    **dict.fromkeys(("softmax", "log_softmax", "layer_norm"), _reduced),
    **dict.fromkeys(("max_pool", "avg_pool", "adaptive_avg_pool", "interpolate", "insert_zeros"), _within_channels),
    **dict.fromkeys(_MOVES, _moves),
    "pad": _pad,
}
