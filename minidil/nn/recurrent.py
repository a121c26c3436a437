"""Recurrent layers: LSTM and GRU over whole sequences, with PyTorch's arguments, gate order and names of parameters."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, ClassVar, NoReturn

import numpy as np

import minidil.functional as F
from minidil.array import Array
from minidil.calls.lift import lift
from minidil.errors import OptionError, ShapeError
from minidil.nn.checks import check_counts, check_range
from minidil.nn.field import Field
from minidil.nn.module import Module
from minidil.nn.parameter import Parameter
from minidil.ops import recurrent
from minidil.random import default_rng
from minidil.tensor import Tensor


class _Recurrent(Module):
    """Layers of one or two directions, each a call of the op; see `LSTM`."""

    gates: ClassVar[int]
    states: ClassVar[tuple[str, ...]]
    op: ClassVar[Callable[..., Tensor]]

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        *,
        rng: np.random.Generator | None = None,
    ) -> None:
        super().__init__()
        name = type(self).__name__
        check_counts(name, input_size=input_size, hidden_size=hidden_size, num_layers=num_layers)
        check_range(name, "dropout", dropout, 0, 1)
        if dropout == 1:
            raise OptionError(f"{name}: dropout is the probability to drop, 0 <= dropout < 1, not {dropout!r}")
        self.input_size = input_size
        self.hidden_size = hidden_size
        self.num_layers = num_layers
        self.bias = bias
        self.batch_first = batch_first
        self.dropout = dropout
        self.bidirectional = bidirectional
        self.rng = rng
        generator = default_rng() if rng is None else rng
        bound = 1 / math.sqrt(hidden_size)
        for layer in range(num_layers):
            inputs = input_size if layer == 0 else hidden_size * len(self._directions)
            for suffix, _ in self._directions:
                for part, shape in self._shapes(inputs).items():
                    drawn = generator.uniform(-bound, bound, shape).astype(np.float32)
                    self.register_parameter(f"{part}_l{layer}{suffix}", Parameter(drawn))

    @property
    def _directions(self) -> tuple[tuple[str, bool], ...]:
        """What each adds to the names of its parameters, and whether it begins with the last step."""
        return (("", False), ("_reverse", True))[: 2 if self.bidirectional else 1]

    def _shapes(self, inputs: int) -> dict[str, tuple[int, ...]]:
        rows = self.gates * self.hidden_size
        weights: dict[str, tuple[int, ...]] = {"weight_ih": (rows, inputs), "weight_hh": (rows, self.hidden_size)}
        return weights | ({"bias_ih": (rows,), "bias_hh": (rows,)} if self.bias else {})

    def _run(
        self, x: Tensor, given: Sequence[Tensor] | None, mask: Array | Tensor | None
    ) -> tuple[Tensor, list[Tensor]]:
        """The outputs of the last layer, and each of the states after all steps, (layers directions, N, H)."""
        name = type(self).__name__
        if x.ndim != 3 or x.shape[2] != self.input_size:
            axes = "(N, T, I)" if self.batch_first else "(T, N, I)"
            hint = f"; add the batch axis with x.unsqueeze({int(not self.batch_first)})" if x.ndim == 2 else ""
            raise ShapeError(f"{name}: x {x.shape} must be {axes} with I = input_size={self.input_size}{hint}")
        if self.batch_first:
            x = x.transpose(1, 0, 2)
            mask = None if mask is None else mask.T
        shape = (self.num_layers * len(self._directions), x.shape[1], self.hidden_size)
        for state, value in zip(self.states, given or (), strict=False):
            if value.shape != shape:
                raise ShapeError(f"{name}: {state} must be (layers directions, N, H) = {shape}, not {value.shape}")
        steps, last = x.shape[0], list[list[Tensor]]()
        for layer in range(self.num_layers):
            outputs = []
            for suffix, reverse in self._directions:
                before = [value[len(last)] for value in given] if given else [None] * len(self.states)
                weights = [getattr(self, f"{part}_l{layer}{suffix}") for part in self._shapes(0)]
                y = self.op(x, *before, *weights, mask=mask, reverse=reverse)
                outputs.append(y[:steps])
                last.append([y[steps + number] for number in range(len(self.states))])
            x = outputs[0] if len(outputs) == 1 else F.concatenate(outputs, axis=2)
            if self.dropout and self.training and layer < self.num_layers - 1:
                x = F.dropout(x, p=self.dropout, rng=self.rng)
        return x.transpose(1, 0, 2) if self.batch_first else x, [F.stack(values) for values in zip(*last, strict=True)]

    def receptive_field(self, before: Field, input_shape: tuple[int, ...]) -> NoReturn:
        raise ShapeError(f"{type(self).__name__}: every step sees all the steps before it, whatever their number")

    def multiply_adds(self, input_shape: tuple[int, ...], output_shape: tuple[int, ...]) -> int:
        matrices = (p.size for name, p in self.own_parameters().items() if name.startswith("weight"))
        return math.prod(input_shape[:2]) * sum(matrices)

    def extra_repr(self) -> str:
        options = {"num_layers": 1, "bias": True, "batch_first": False, "dropout": 0.0, "bidirectional": False}
        shown = [f"{name}={getattr(self, name)}" for name, plain in options.items() if getattr(self, name) != plain]
        return ", ".join([str(self.input_size), str(self.hidden_size), *shown])


class LSTM(_Recurrent):
    """Long short-term memory, layer upon layer, over whole sequences: (output, (h_n, c_n)) = lstm(x, (h_0, c_0)).

    Shapes: x (T, N, input_size), or (N, T, input_size) with batch_first, which is false by default as in PyTorch, so that code
        that is brought from there means the same here -> output alike with D hidden_size features, D = 2 if bidirectional:
        the hidden states of the last layer. h_0, c_0 and h_n, c_n (num_layers D, N, hidden_size): the states before and after
        all steps; zeros if left out.
    mask: bools of x's first two axes, true where there is data, say np.arange(T) < lengths[:, None] for (N, T). Elsewhere the
        states stand still and the output is 0, so that h_n is what followed the last data, and the second direction begins
        there. It is no list of lengths: padding may stand anywhere.
    dropout: of the output of every layer but the last, in training mode.
    Parameters: weight_ih_l0 (4 hidden_size, input_size), weight_hh_l0 (4 hidden_size, hidden_size), bias_ih_l0, bias_hh_l0,
        ..., weight_ih_l0_reverse, ..., with the gates i, f, g, o; drawn by rng uniformly on +-1/sqrt(hidden_size).
    Raises: OptionError for sizes that are not ints >= 1; ShapeError or DtypeError for arrays that do not fit together.
    Source: Hochreiter & Schmidhuber 1997, "Long short-term memory"; bidirectional, Schuster & Paliwal 1997. The gradient is
        derived in `minidil.ops.recurrent`.
    """

    gates = 4
    states = ("h_0", "c_0")
    op = staticmethod(lift(recurrent.lstm))

    def forward(self, x: Tensor, hx: tuple[Tensor, Tensor] | None = None, *, mask: Array | Tensor | None = None) -> Any:
        if hx is not None and (not isinstance(hx, tuple | list) or len(hx) != 2):
            raise ShapeError(f"LSTM: the state is a pair (h_0, c_0), not {type(hx).__name__}")
        output, (h_n, c_n) = self._run(x, hx, mask)
        return output, (h_n, c_n)


class GRU(_Recurrent):
    """Gated recurrent units: (output, h_n) = gru(x, h_0). Arguments and shapes are those of `LSTM`.

    Parameters: named as in `LSTM`, with 3 hidden_size rows for the gates r, z, n.
    Source: Cho et al. 2014, arXiv:1406.1078; as in PyTorch, r multiplies W_hn h + b_hn. The gradient is derived in
        `minidil.ops.recurrent`.
    """

    gates = 3
    states = ("h_0",)
    op = staticmethod(lift(recurrent.gru))

    def forward(self, x: Tensor, hx: Tensor | None = None, *, mask: Array | Tensor | None = None) -> Any:
        output, (h_n,) = self._run(x, None if hx is None else (hx,), mask)
        return output, h_n
