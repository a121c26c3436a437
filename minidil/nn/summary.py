"""What a model does to an input, layer by layer: shapes, parameters, multiply-adds and receptive fields."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from html import escape
from typing import Any

import numpy as np

from minidil.errors import OptionError, ShapeError
from minidil.nn.field import Field
from minidil.nn.modes import evaluating
from minidil.nn.protocol import ModuleLike
from minidil.nn.watch import watch
from minidil.tensor import Tensor

_HEADERS = ("layer", "kind", "output shape", "parameters", "multiply-adds", "receptive field")
_LEFT = 3  # the first columns are text; the others are numbers and align to the right


@dataclass(frozen=True)
class Row:
    """One call of a layer. `parameters` counts those that no row above has counted; `field` is None where it is unknown."""

    name: str
    kind: str
    output_shape: tuple[int, ...]
    parameters: int
    multiply_adds: int
    field: Field | None

    def cells(self) -> tuple[str, ...]:
        numbers = (f"{self.parameters:,}", f"{self.multiply_adds:,}", str(self.field) if self.field else "-")
        return (self.name or "(model)", self.kind, str(self.output_shape), *numbers)


@dataclass(frozen=True, repr=False)
class Summary:
    """The rows in the order of the computation, and the totals of the model; printed or shown, it is a table.

    parameters, trainable: numbers in the whole model, each shared parameter once, whether or not a layer used it
    multiply_adds: for the whole batch; additions alone, activations and normalisation are not counted
    """

    model: str
    input_shape: tuple[int, ...]
    rows: tuple[Row, ...]
    parameters: int
    trainable: int

    @property
    def multiply_adds(self) -> int:
        return sum(row.multiply_adds for row in self.rows)

    @property
    def field(self) -> Field | None:
        """The receptive field of the last layer."""
        return self.rows[-1].field if self.rows else None

    def _table(self) -> list[tuple[str, ...]]:
        """The cells: headers, rows, total."""
        total = ("total", self.model, "", f"{self.parameters:,}", f"{self.multiply_adds:,}", "")
        return [_HEADERS, *(row.cells() for row in self.rows), total]

    def _note(self) -> str:
        frozen = f", {self.parameters - self.trainable:,} of them frozen" if self.trainable < self.parameters else ""
        return f"input {self.input_shape}: {self.parameters:,} parameters{frozen}, {self.multiply_adds:,} multiply-adds"

    def __str__(self) -> str:
        table = self._table()
        widths = [max(len(cells[column]) for cells in table) for column in range(len(_HEADERS))]
        lines = [
            "  ".join(
                cell.ljust(w) if i < _LEFT else cell.rjust(w)
                for i, (cell, w) in enumerate(zip(cells, widths, strict=True))
            )
            for cells in table
        ]
        rule = "-" * len(lines[0])
        return "\n".join(line.rstrip() for line in (lines[0], rule, *lines[1:-1], rule, lines[-1], self._note()))

    __repr__ = __str__

    def _repr_html_(self) -> str:
        """The table for a notebook."""
        header, *rows = self._table()

        def line(cells: tuple[str, ...], tag: str) -> str:
            sides = ["left" if i < _LEFT else "right" for i in range(len(cells))]
            parts = [
                f'<{tag} style="text-align: {side}">{escape(cell)}</{tag}>'
                for cell, side in zip(cells, sides, strict=True)
            ]
            return f"<tr>{''.join(parts)}</tr>"

        body = "".join(line(cells, "td") for cells in rows)
        head = f"<thead>{line(header, 'th')}</thead>"
        return f"<table><caption>{escape(self._note())}</caption>{head}<tbody>{body}</tbody></table>"


def summarise(model: ModuleLike, input_shape: tuple[int, ...], batch_size: int) -> Summary:
    """Run the model once on zeros of (batch_size, *input_shape), in evaluation mode, and tabulate what ran.

    The zeros are integers where the model takes these, as `nn.Embedding` does (`Module.casts` is false).

    A row is a call of a module without children, or with parameters of its own. Receptive fields follow the recorded
    graph: a layer's is computed from its input's, and where a sum or a concatenation joins paths, as in a residual block,
    the widest counts. What happens between layers is taken to be pointwise. Fields count padding, so they may exceed the input.
    Inside `no_grad()` there is no graph, and the fields are unknown.
    """
    shape = (batch_size, *input_shape)
    if not all(isinstance(n, int) and n >= 1 for n in shape):
        raise OptionError(f"summary: input_shape is (C, *S) and batch_size a number, all ints >= 1, not {shape}")
    dtype = next((parameter.dtype for parameter in model.parameters()), np.dtype(np.float32))
    x = Tensor(np.zeros(shape, dtype if model.casts else np.int64), requires_grad=model.casts)
    fields = _Fields(x)
    rows: list[Row] = []
    counted: set[int] = set()

    def record(name: str, module: ModuleLike, inputs: tuple[Any, ...], output: Any) -> None:
        own = [p for p in module.own_parameters().values() if id(p) not in counted]
        given = [value for value in inputs if isinstance(value, Tensor)]
        output = output[0] if isinstance(output, tuple) else output  # of an LSTM, what goes on to the next layer
        if not isinstance(output, Tensor) or not given or (module.own_children() and not module.own_parameters()):
            return
        counted.update(map(id, own))
        seen = _seen(module, fields.of(given), given[0].shape)
        fields.note(output, seen)
        work = module.multiply_adds(given[0].shape, output.shape)
        rows.append(Row(name, type(module).__name__, output.shape, sum(p.size for p in own), work, seen))

    try:
        with evaluating(model), watch(model, record):
            model(x)
    except ShapeError as error:
        raise ShapeError(
            f"{error}; summary adds the batch axis itself, so input_shape {tuple(input_shape)} became {shape}: give (C, *S)"
        ) from error
    return Summary(
        model=type(model).__name__,
        input_shape=shape,
        rows=tuple(rows),
        parameters=_count(model.parameters()),
        trainable=_count(p for p in model.parameters() if p.requires_grad),
    )


class _Fields:
    """The receptive fields of the tensors met so far, found through the graph that leads back from a tensor."""

    def __init__(self, x: Tensor) -> None:
        self._known: dict[Any, Field | None] = {x: Field.of_input(x.ndim - 2) if x.ndim > 2 else None}

    def note(self, tensor: Tensor, field: Field | None) -> None:
        self._known[tensor._node or tensor] = field

    def of(self, tensors: Iterable[Tensor]) -> Field | None:
        """The widest field among the known tensors that these were computed from; None if there is none."""
        found: list[Field] = []
        met: set[int] = set()
        pending: list[Any] = [tensor._node or tensor for tensor in tensors]
        while pending:
            step = pending.pop()
            if id(step) in met:
                continue
            met.add(id(step))
            if step in self._known:
                field = self._known[step]
                found += [field] if field is not None else []
            elif not isinstance(step, Tensor):
                pending.extend(source for source, _ in step.edges or ())
        same = [field for field in found if len(field.size) == len(found[0].size)]
        return Field.widest(same) if same else None


def _seen(module: ModuleLike, before: Field | None, input_shape: tuple[int, ...]) -> Field | None:
    """The field of a layer's output; unknown if that of its input is, or if its axes are not those of the network's input."""
    try:
        return None if before is None else module.receptive_field(before, input_shape)
    except ShapeError:
        return None


def _count(parameters: Iterable[Tensor]) -> int:
    return sum(math.prod(parameter.shape) for parameter in parameters)
