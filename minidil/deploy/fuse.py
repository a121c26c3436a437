"""From calls to stages: what can be one pass over the memory becomes one, and what cannot is said, with the reason.

Batch norm in evaluation is u = s v + t with constants s = weight / sqrt(var + eps) and t = bias - mean s for each channel. Behind
a convolution v = w * x + b it is one again, u = (s w) * x + (s b + t), and costs nothing. *Before* one it is not, as soon as
there is padding: the convolution puts zeros beside u, and beside x that would have to be -t / s.
ReLU, a residual and max-pooling need a value when it is made, and are done there, while it is in the cache.
Only values that nobody else reads can be left out.
Source: Jacob et al. 2018, arXiv:1712.05877, section 3.2, for the folding.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from minidil.array import Array
from minidil.deploy.recording import Call, Recording, Value
from minidil.deploy.stages import ACTIVATIONS, Stage, check
from minidil.kernels.cpu.finish import PLAIN, Finish
from minidil.kernels.geometry import Window, with_overhang
from minidil.ops.conv import transposed_window
from minidil.tensor import Tensor


class Fused(NamedTuple):
    """Stages in order, the value that is the result, and why some calls stayed on their own."""

    stages: list[Stage]
    output: int
    kept_apart: list[str]


def fuse(recording: Recording) -> Fused:
    """Raises: OptionError, with the layer's name, for a call that cannot be compiled."""
    return _Fuser(recording).run()


class _Fuser:
    def __init__(self, recording: Recording) -> None:
        self.recording = recording
        self.stages: list[Stage] = []
        self.kept_apart: list[str] = []
        self.same: dict[int, int] = {}  # a value that is another one, as behind dropout
        self.shapes = {0: recording.shape} | {n: call.shape for n, call in enumerate(recording.calls, 1)}
        self.needed = self._needed()
        self.uses = Counter(number for n in self.needed for number in recording.calls[n - 1].reads)
        self.uses[recording.output] += 1

    def run(self) -> Fused:
        for number, call in enumerate(self.recording.calls, 1):
            if number in self.needed:
                check(call, {n: len(shape) + 1 for n, shape in self.shapes.items()})
                reads = [self._root(value) for value in call.reads]
                _RULES.get(call.op, _Fuser._as_it_is)(self, number, call, reads)
        return Fused(self.stages, self._root(self.recording.output), self.kept_apart)

    def _needed(self) -> set[int]:
        """The calls that the result depends on."""
        found, waiting = set[int](), [self.recording.output]
        while waiting:
            number = waiting.pop()
            if number and number not in found:
                found.add(number)
                waiting += self.recording.calls[number - 1].reads
        return found

    def _root(self, value: int) -> int:
        return self.same.get(value, value)

    def _add(self, kind: str, number: int, call: Call, reads: list[int], **fields: Any) -> Stage:
        stage = Stage(kind, call, reads, number, [call.op], [call.layer] * bool(call.layer), shape=call.shape, **fields)
        self.stages.append(stage)
        return stage

    def _as_it_is(self, number: int, call: Call, reads: list[int]) -> None:
        maker = self._maker(reads[0])
        if call.op in ACTIVATIONS and maker is not None and maker.takes_ending:
            self._apart(call, f"only ReLU and ranges are done where {maker.words[0]} stores its results")
        self._add("call", number, call, reads)

    def _maker(self, value: int) -> Stage | None:
        return next((stage for stage in self.stages if stage.makes == value), None)

    def _only_use(self, value: int) -> bool:
        """Whether nobody else reads the value, by whatever name."""
        names = [value, *(name for name, root in self.same.items() if root == value)]
        return sum(self.uses[name] for name in names) - (len(names) - 1) == 1

    def _apart(self, call: Call, why: str) -> None:
        self.kept_apart.append(f"{call.op} in {call.where}: {why}")

    def _why_not(self, value: int) -> str:
        """Why a call cannot join the stage that makes its operand."""
        maker = self._maker(value)
        if maker is None:
            return "it is the first"
        before = f"{maker.words[-1]} in layer {maker.layers[-1]!r}" if maker.layers else maker.words[-1]
        if not self._only_use(value):
            return f"the result of {before} is read elsewhere as well"
        return f"it follows {before}, which cannot take it"

    # --- the calls that are more than a call

    def _dropout(self, number: int, call: Call, reads: list[int]) -> None:
        self.same[number] = reads[0]

    def _conv(self, number: int, call: Call, reads: list[int]) -> None:
        if not _first_alone(call) or len(call.shape) < 2 or len(self.shapes[call.reads[0]]) != len(call.shape):
            self._as_it_is(number, call, reads)
            return
        weight, bias, options = _weights(call)
        size = self.shapes[call.reads[0]][1:]
        stride, padding, dilation = (options.get(name, usual) for name, usual in _USUAL)
        window = Window.of(size, weight.shape[2:], stride, padding, dilation, "conv")
        groups = int(options.get("groups", 1))
        self._add("conv", number, call, reads, weight=weight, bias=bias, window=window, groups=groups)

    def _conv_transpose(self, number: int, call: Call, reads: list[int]) -> None:
        if not _first_alone(call) or len(call.shape) < 2:
            self._as_it_is(number, call, reads)
            return
        weight, bias, options = _weights(call)
        groups = int(options.get("groups", 1))
        source = self.shapes[call.reads[0]]
        stride, padding, dilation = (options.get(name, usual) for name, usual in _USUAL)
        extra = options.get("output_padding", 0)
        x = np.broadcast_to(weight.dtype.type(0), (1, *source))  # only its shape is asked for
        window, beyond = transposed_window(x, weight, stride, padding, extra, dilation)
        bias = np.zeros(weight.shape[1] * groups, weight.dtype) if bias is None else bias
        fields = {"weight": weight, "bias": bias, "window": window, "groups": groups, "beyond": beyond}
        self._add("conv_transpose", number, call, reads, **fields)

    def _linear(self, number: int, call: Call, reads: list[int]) -> None:
        if not _first_alone(call) or len(call.shape) != 1:
            self._as_it_is(number, call, reads)
            return
        weight, bias, _ = _weights(call)
        self._add("linear", number, call, reads, weight=weight, bias=bias)

    def _batch_norm(self, number: int, call: Call, reads: list[int]) -> None:
        if not _first_alone(call):
            self._as_it_is(number, call, reads)
            return
        scale, shift = _affine(call)
        ending = Finish(0.0) if call.options.get("activation") == "relu" else PLAIN
        maker = self._maker(reads[0])
        if call.options.get("activation") == "gelu":
            self._apart(call, "GELU is computed in its pass")
            self._as_it_is(number, call, reads)
        elif maker is not None and maker.takes_affine and self._only_use(reads[0]):
            _fold(maker, scale, shift)
            maker.ending = ending
            maker.join("batch_norm" if ending == PLAIN else "batch_norm, relu", call, number)
        else:
            self._apart(call, self._why_not(reads[0]) + self._padded_after(number))
            stage = self._add("affine", number, call, reads, weight=scale, bias=shift, ending=ending)
            if ending != PLAIN:
                stage.words[-1] = "batch_norm, relu"

    def _padded_after(self, number: int) -> str:
        for later in self.recording.calls[number:]:
            if number in later.reads and later.op == "conv" and any(_pads(later.options.get("padding", 0))):
                return f"; and conv in {later.where}, which comes next, pads with zeros that its shift would move"
        return ""

    def _relu(self, number: int, call: Call, reads: list[int]) -> None:
        self._limit(number, call, reads, Finish(0.0))

    def _clip(self, number: int, call: Call, reads: list[int]) -> None:
        low, high = call.options.get("low"), call.options.get("high")
        low, high = -math.inf if low is None else low, math.inf if high is None else high
        if not all(isinstance(n, int | float) for n in (low, high)) or not low <= high:
            self._as_it_is(number, call, reads)
            return
        self._limit(number, call, reads, Finish(low, high))

    def _limit(self, number: int, call: Call, reads: list[int], ending: Finish) -> None:
        maker = self._maker(reads[0])
        if maker is not None and maker.takes_ending and self._only_use(reads[0]):
            maker.ending = ending
            maker.join(call.op, call, number)
        else:
            self._apart(call, self._why_not(reads[0]))
            self._add("add", number, call, reads, ending=ending)

    def _sum(self, number: int, call: Call, reads: list[int]) -> None:
        """Both operands are values of one shape, or it is a call like others."""
        if len(reads) != 2 or self.shapes[call.reads[0]] != self.shapes[call.reads[1]]:
            self._as_it_is(number, call, reads)
            return
        makers = [(self.stages.index(maker), value) for value in reads if (maker := self._maker(value))]
        for place, value in sorted(makers, reverse=True):
            maker = self.stages[place]
            if maker.takes_residual and reads[0] != reads[1] and self._only_use(value):
                maker.residual = reads[1] if value == reads[0] else reads[0]
                self.stages.append(self.stages.pop(place))  # it must come after what it adds
                maker.join("add", call, number)
                return
        self._apart(call, "; ".join(dict.fromkeys(map(self._why_not, reads))))
        self._add("add", number, call, reads)

    def _max_pool(self, number: int, call: Call, reads: list[int]) -> None:
        source = self.shapes[call.reads[0]]
        if len(source) < 2 or len(call.shape) != len(source) or call.shape[0] != source[0]:
            self._as_it_is(number, call, reads)
            return
        options = call.options
        kernel, step = options["kernel_size"], options.get("stride")
        settings = kernel, kernel if step is None else step, options.get("padding", 0), options.get("dilation", 1)
        if options.get("ceil_mode"):
            window, _ = with_overhang(source[1:], *settings, "max_pool")
        else:
            window = Window.of(source[1:], *settings, op="max_pool")
        maker = self._maker(reads[0])
        if maker is not None and maker.takes_pool and self._only_use(reads[0]):
            maker.pool = window
            maker.join("max_pool", call, number)
        else:
            self._apart(call, self._why_not(reads[0]))
            self._add("max_pool", number, call, reads, pool=window)

    def _concatenate(self, number: int, call: Call, reads: list[int]) -> None:
        if len(call.reads) != len(call.operands) or int(call.options.get("axis", 0)) % (len(call.shape) + 1) != 1:
            self._as_it_is(number, call, reads)
            return
        self._add("concatenate", number, call, reads)


_RULES: dict[str, Callable[[_Fuser, int, Call, list[int]], None]] = {
    "dropout": _Fuser._dropout,
    "conv": _Fuser._conv,
    "conv_transpose": _Fuser._conv_transpose,
    "linear": _Fuser._linear,
    "batch_norm": _Fuser._batch_norm,
    "relu": _Fuser._relu,
    "clip": _Fuser._clip,
    "add": _Fuser._sum,
    "max_pool": _Fuser._max_pool,
    "concatenate": _Fuser._concatenate,
}
_USUAL = (("stride", 1), ("padding", 0), ("dilation", 1))


def _first_alone(call: Call) -> bool:
    """Whether the first operand is the only value, and the others are constants."""
    return isinstance(call.operands[0], Value) and len(call.reads) == 1


def _weights(call: Call) -> tuple[Array, Array | None, Any]:
    operands = [*call.operands, None, None]
    return np.asarray(operands[1]), None if operands[2] is None else np.asarray(operands[2]), call.options


def _affine(call: Call) -> tuple[Array, Array]:
    """s and t of a batch norm, in float64."""
    operands = [*call.operands, None, None]
    mean, var = (_exact(call.options[name]) for name in ("mean", "var"))
    with np.errstate(divide="ignore", invalid="ignore"):
        scale = 1 / np.sqrt(var + call.options.get("eps", 1e-5))
        scale = scale if operands[1] is None else _exact(operands[1]) * scale
        shift = -mean * scale
    return scale, shift if operands[2] is None else shift + _exact(operands[2])


def _exact(x: Any) -> Array:
    return np.asarray(x.numpy() if isinstance(x, Tensor) else x, np.float64)


def _fold(stage: Stage, scale: Array, shift: Array) -> None:
    """u = s v + t into the weights that make v; what makes channel c of v is scaled by s[c]."""
    weight, bias = stage.weight, stage.bias
    assert weight is not None  # for the type checker: every kind that takes it has one
    if stage.kind == "conv_transpose":
        # weight (F, C/groups, *K): channel c is number c % (C/groups) of group c // (C/groups)
        by_group = weight.reshape(stage.groups, -1, *weight.shape[1:])
        scaled = by_group * scale.reshape(stage.groups, 1, weight.shape[1], *(1,) * (weight.ndim - 2))
    else:
        scaled = weight * scale.reshape(-1, *(1,) * (weight.ndim - 1))
    stage.weight = scaled.reshape(weight.shape)
    stage.bias = shift if bias is None else scale * bias + shift


def _pads(padding: Any) -> list[bool]:
    if isinstance(padding, str):
        return [padding != "valid"]
    return [bool(np.any(padding))]
