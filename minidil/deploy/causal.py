"""Which causal layers a model is made of, in which order, and what each of them needs: the plan of a stream.

A stream of rows is described by when they come: row i at position `start` + i `step` of the input. The last tap of output o reads
row o s + (K - 1) d - p of the layer's input, with p zeros before it; so the layer lets (K - 1) d - p rows pass and answers every
s-th from there on. Two streams can be added if they have the same start and step.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from minidil import nn
from minidil.array import Array
from minidil.errors import OptionError
from minidil.kernels.geometry import Window
from minidil.kernels.reference import stream as program

_AT_ONCE = (
    nn.GlobalAvgPool,
    nn.GlobalMaxPool,
    nn.AdaptiveAvgPool,
    nn.Flatten,
    nn.LayerNorm,
    nn.GroupNorm,
    nn.InstanceNorm,
)
_ACTIVATIONS: dict[type, int] = {
    nn.ReLU: program.RELU,
    nn.Sigmoid: program.SIGMOID,
    nn.Tanh: program.TANH,
    nn.SiLU: program.SILU,
}
_AMPLE = 1 << 40


@dataclass
class Rows:
    """What a layer reads or makes: the number of its slot, the numbers in a row, and when the rows come."""

    slot: int
    channels: int
    start: int = 0
    step: int = 1


@dataclass
class Layer:
    """One row of the program, with its numbers: matrix (taps, channels, filters of a group) and bias, if it has them.

    wait: the rows of its source that pass before it answers. reads: when these come, as (start, step).
    """

    name: str
    kind: int
    source: int
    target: int
    channels: int
    filters: int
    reads: tuple[int, int]
    other: int = 0
    taps: int = 1
    dilation: int = 1
    stride: int = 1
    groups: int = 1
    wait: int = 0
    matrix: Array | None = None
    bias: Array | None = None

    @property
    def behind(self) -> int:
        """The rows of its input that it keeps, (K - 1) d."""
        return (self.taps - 1) * self.dilation


class Planned:
    """The layers of a model in order, and what comes out. Raises: OptionError for a layer that cannot be streamed."""

    def __init__(self, model: nn.Module) -> None:
        self.model = model
        self.layers: list[Layer] = []
        self.slots = 1
        self._spare: list[int] = []
        self._held: list[int] = []  # slots that are read again later
        self.channels = self._first_channels()
        self.dtype = self._number_type()
        self.output = self._module(model, "", Rows(0, self.channels))
        if not self.channels:
            raise self._refusal("", model, "has no Conv1d and no batch norm, which would tell the number of channels")

    def _module(self, module: nn.Module, name: str, rows: Rows) -> Rows:
        if module._hooks or module._pre_hooks:
            raise self._refusal(name, module, "has hooks, which a stream would not call")
        handlers: dict[type, Callable[[Any, str, Rows], Rows]] = {
            nn.Sequential: self._sequential,
            nn.Residual: self._residual,
            nn.Conv1d: self._conv,
            nn.WeightNormConv1d: self._conv,
            nn.AvgPool1d: self._mean,
            nn.MaxPool1d: self._largest,
            nn.BatchNorm: self._norm,
            nn.BatchNorm1d: self._norm,
            nn.LeakyReLU: self._leaky,
            nn.GELU: self._gelu,
            nn.Gate: self._gate,
        }
        kind = type(module)
        if kind in handlers:
            return handlers[kind](module, name, rows)
        if kind in _ACTIVATIONS:
            return self._pointwise(name, _ACTIVATIONS[kind], rows)
        if kind in (nn.Identity, nn.Dropout, nn.Dropout1d):  # in evaluation mode
            return rows
        if kind is nn.Linear:
            reason = "works along the positions of (N, C, L); for every position by itself use Conv1d(..., 1)"
            raise self._refusal(name, module, reason)
        if isinstance(module, _AT_ONCE):
            raise self._refusal(name, module, "looks at all positions at once, those to come as well")
        raise self._refusal(name, module, "is no layer that is known to be causal")

    def _sequential(self, module: nn.Sequential, name: str, rows: Rows) -> Rows:
        for part, child in module.own_children().items():
            rows = self._module(child, f"{name}.{part}" if name else part, rows)
        return rows

    def _residual(self, module: nn.Residual, name: str, rows: Rows) -> Rows:
        self._held.append(rows.slot)
        body = self._module(module.body, f"{name}.body" if name else "body", rows)
        self._held.append(body.slot)
        direct = rows
        if module.shortcut is not None:
            direct = self._module(module.shortcut, f"{name}.shortcut" if name else "shortcut", rows)
        if (body.channels, body.start, body.step) != (direct.channels, direct.start, direct.step):
            told = " but ".join(
                f"{each.channels} channels at positions {each.start}, {each.start + each.step}, ... from the {path}"
                for path, each in (("body", body), ("shortcut", direct))
            )
            raise self._refusal(name, module, f"cannot add {told}")
        self._held.pop()
        self._held.pop()
        return self._append(name, program.ADD, body, Rows(0, body.channels, body.start, body.step), other=direct)

    def _conv(self, module: nn.Conv1d, name: str, rows: Rows) -> Rows:
        self._require_channels(name, module, module.in_channels, rows)
        weight = np.asarray(module.weight.numpy())
        bias = np.zeros(len(weight), weight.dtype) if module.bias is None else np.asarray(module.bias.numpy())
        matrix = np.moveaxis(weight.reshape(module.groups, -1, *weight.shape[1:]), (3, 0, 2, 1), (0, 1, 2, 3))
        matrix = matrix.reshape(matrix.shape[0], module.in_channels, -1)  # (taps, channels, filters of a group)
        kind = program.CONV if module.groups == 1 else program.GROUPED
        return self._window(name, module, kind, rows, module.out_channels, module.groups, matrix, bias)

    def _mean(self, module: nn.AvgPool1d, name: str, rows: Rows) -> Rows:
        if self._before(name, module) and not module.count_include_pad:
            raise self._refusal(name, module, "divides by another number at the start (count_include_pad=False)")
        matrix, n = np.full((module.kernel_size[0], rows.channels, 1), 1 / module.kernel_size[0]), rows.channels
        return self._window(name, module, program.GROUPED, rows, n, n, matrix, np.zeros(n))

    def _largest(self, module: nn.MaxPool1d, name: str, rows: Rows) -> Rows:
        return self._window(name, module, program.LARGEST, rows, rows.channels)

    def _window(
        self,
        name: str,
        module: Any,
        kind: int,
        rows: Rows,
        filters: int,
        groups: int = 1,
        matrix: Array | None = None,
        bias: Array | None = None,
    ) -> Rows:
        (taps,), (dilation,), (stride,) = module.kernel_size, module.dilation, module.stride
        wait = (taps - 1) * dilation - self._before(name, module)
        made = Rows(0, filters, rows.start + wait * rows.step, rows.step * stride)
        settings = {"taps": taps, "dilation": dilation, "stride": stride, "groups": groups, "wait": wait}
        return self._append(name, kind, rows, made, matrix=matrix, bias=bias, **settings)

    def _before(self, name: str, module: Any) -> int:
        """How many positions are added before the signal. Raises: OptionError if a layer sees to its right."""
        behind = (module.kernel_size[0] - 1) * module.dilation[0]
        if module.padding == "same" and behind:
            raise self._refusal(name, module, 'has padding="same" and sees to the right; use padding="causal"')
        ((before, after),) = Window.of((_AMPLE,), module.kernel_size, 1, module.padding, module.dilation).padding
        if after:
            reason = f'is padded by {after} on the right, so it sees what has not come yet; use padding="causal"'
            raise self._refusal(name, module, reason)
        if before > behind:
            reason = f"is padded by {before} on the left, more than the {behind} positions that it looks back"
            raise self._refusal(name, module, f'{reason}; use padding="causal"')
        return before

    def _norm(self, module: nn.BatchNorm, name: str, rows: Rows) -> Rows:
        self._require_channels(name, module, module.num_features, rows)
        if module.running_mean is None or module.running_var is None:
            raise self._refusal(
                name, module, "normalises by the statistics of what it is given (track_running_stats=False)"
            )
        # (x - mean) / sqrt(var + eps) weight + bias = scale x + shift
        mean, var = (np.asarray(each, np.float64) for each in (module.running_mean, module.running_var))
        scale = 1 / np.sqrt(var + module.eps)
        scale = scale if module.weight is None else scale * module.weight.numpy()
        shift = -mean * scale if module.bias is None else module.bias.numpy() - mean * scale
        last = self.layers[-1] if self.layers else None
        alone = last is not None and last.target == rows.slot and rows.slot not in self._held
        if alone and last is not None and last.matrix is not None and last.bias is not None:
            taps, channels, each = last.matrix.shape
            by_group = last.matrix.reshape(taps, last.groups, channels // last.groups, each)
            last.matrix = (by_group * scale.reshape(last.groups, 1, each)).reshape(last.matrix.shape)
            last.bias = last.bias * scale + shift
            last.name = f"{last.name}, {name}"
        else:
            rows = self._pointwise(name, program.SCALE, rows, np.concatenate([scale, shift]))
        activation = {"relu": program.RELU, "gelu": program.GELU}.get(module.activation or "")
        return rows if activation is None else self._pointwise(name, activation, rows)

    def _leaky(self, module: nn.LeakyReLU, name: str, rows: Rows) -> Rows:
        return self._pointwise(name, program.LEAKY, rows, np.array([module.negative_slope]))

    def _gelu(self, module: nn.GELU, name: str, rows: Rows) -> Rows:
        return self._pointwise(name, program.GELU if module.approximate == "none" else program.GELU_TANH, rows)

    def _gate(self, module: nn.Gate, name: str, rows: Rows) -> Rows:
        if rows.channels % 2:
            raise self._refusal(name, module, f"halves the channels and is given {rows.channels}")
        made = Rows(0, rows.channels // 2, rows.start, rows.step)
        return self._append(name, program.GATE, rows, made)

    def _pointwise(self, name: str, kind: int, rows: Rows, numbers: Array | None = None) -> Rows:
        return self._append(name, kind, rows, Rows(0, rows.channels, rows.start, rows.step), bias=numbers)

    def _append(self, name: str, kind: int, rows: Rows, made: Rows, other: Rows | None = None, **settings: Any) -> Rows:
        """Add a layer that makes these rows, in the slot that it reads if it may write there."""
        held = rows.slot in self._held
        if kind <= program.LARGEST or held:
            made.slot = self._spare.pop() if self._spare else self.slots
            self.slots = max(self.slots, made.slot + 1)
        else:
            made.slot = rows.slot
        read = {each.slot for each in (rows, other) if each is not None}
        self._spare.extend(read - {made.slot, *self._held})
        reads, second = (rows.start, rows.step), 0 if other is None else other.slot
        self.layers.append(
            Layer(name, kind, rows.slot, made.slot, rows.channels, made.channels, reads, second, **settings)
        )
        return made

    def _require_channels(self, name: str, module: nn.Module, channels: int, rows: Rows) -> None:
        if channels != rows.channels:
            raise self._refusal(name, module, f"takes {channels} channels and is given {rows.channels}")

    def _first_channels(self) -> int:
        """What the first layer takes that says so; 0 if none does."""
        for module in self.model.modules():
            if isinstance(module, nn.Conv1d | nn.BatchNorm):
                return module.in_channels if isinstance(module, nn.Conv1d) else module.num_features
        return 0

    def _number_type(self) -> np.dtype[Any]:
        found = {parameter.dtype for parameter in self.model.parameters()}
        if len(found) > 1:
            raise self._refusal(
                "", self.model, f"has parameters of several types, {sorted(map(str, found))}; use astype"
            )
        return found.pop() if found else np.dtype(np.float32)

    def _refusal(self, name: str, module: nn.Module, reason: str) -> OptionError:
        where = f"layer {name!r} ({type(module).__name__})" if name else f"the model, a {type(module).__name__},"
        return OptionError(f"stream: {where} {reason}")
