"""What a model costs, and how that changes with the dilation of its convolutions."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING, Any

import numpy as np

from minidil import viz
from minidil.analysis.reach import positions
from minidil.analysis.tables import as_html, as_text
from minidil.analysis.taps import Slide
from minidil.analysis.trace import Trace, trace
from minidil.errors import OptionError
from minidil.graph import no_grad
from minidil.kernels.backend import backend
from minidil.kernels.geometry import Window
from minidil.nn import Conv1d, Conv2d, Conv3d, Module
from minidil.tensor import Tensor

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_VIEWS = ("reshape", "flatten", "squeeze", "unsqueeze", "transpose")  # results that share their input's memory
_HEAD = ("dilation", "sees", "parameters", "multiply-adds", "activations", "im2col", "time")


@dataclass(frozen=True)
class Cost:
    """One row. All counts are for the whole batch.

    dilation: what the dilations of the model were multiplied by. field: positions seen per axis, padding and holes counted.
    multiply_adds: those of a forward pass; a backward pass has about twice as many. activation_bytes: the results of all ops,
    which training keeps for its backward pass. im2col_bytes: the largest matrix of columns that any convolution would make,
    N C prod(K) prod(O) numbers, in a backend that makes them. seconds: of a forward pass, the median of the rounds, and `best`
    the least; None if it was not measured.
    """

    dilation: int
    field: tuple[int, ...]
    parameters: int
    multiply_adds: int
    activation_bytes: int
    im2col_bytes: int
    seconds: float | None
    best: float | None

    def cells(self) -> tuple[str, ...]:
        field = str(self.field[0]) if len(set(self.field)) == 1 else "x".join(map(str, self.field))
        counts = (
            f"{self.parameters:,}",
            f"{self.multiply_adds:,}",
            _bytes(self.activation_bytes),
            _bytes(self.im2col_bytes),
        )
        return (str(self.dilation), field, *counts, "-" if self.seconds is None else f"{1000 * self.seconds:.3g} ms")


@dataclass(frozen=True, repr=False)
class Costs:
    """A row for each dilation; printed or shown, a table, and `draw` makes a picture of it."""

    model: str
    input_shape: tuple[int, ...]
    backend: str
    rounds: int
    rows: tuple[Cost, ...]

    def _notes(self) -> list[str]:
        timed = f", time: median of {self.rounds} forward passes" if self.rounds else ""
        return [f"{self.model} on {self.input_shape}, backend {self.backend}{timed}"]

    def __repr__(self) -> str:
        return as_text([_HEAD, *(row.cells() for row in self.rows)], 0, self._notes())

    def _repr_html_(self) -> str:
        return as_html([_HEAD, *(row.cells() for row in self.rows)], 0, self._notes())

    def draw(self) -> Figure:
        """Each column against the dilation, in a panel that begins at 0; of the time the median and the least.

        Where axes see differently, each has a line. `viz.save` writes the figure.
        """
        dilations = [row.dilation for row in self.rows]
        with viz.style():
            figure = viz.blank(8.6, 4.6)
            for number, (title, lines) in enumerate(self._panels().items(), start=1):
                axes = figure.add_subplot(2, 3, number)
                for (name, values), mark in zip(lines.items(), ("o-", "s--", "^:"), strict=False):
                    axes.plot(dilations, values, mark, markersize=4, label=name)
                axes.set_xscale("log", base=2)
                axes.set_xticks(dilations, labels=map(str, dilations))
                axes.set(title=title, xlabel="dilation", ylim=(0, 1.15 * max(map(max, lines.values())) or 1))
                if len(lines) > 1:
                    axes.legend(fontsize="small")
            figure.suptitle("; ".join(self._notes()), fontsize="medium")
        return figure

    def _panels(self) -> dict[str, dict[str, list[float]]]:
        """By title and name, the lines of each panel."""
        rows = self.rows
        fields = [list(map(float, axis)) for axis in zip(*(row.field for row in rows), strict=True)]
        alike = all(field == fields[0] for field in fields)
        found: dict[str, dict[str, list[float]]] = {
            "positions seen": {f"axis {axis}": field for axis, field in enumerate(fields[:1] if alike else fields)},
            "parameters": {"": [row.parameters for row in rows]},
            "multiply-adds": {"": [row.multiply_adds for row in rows]},
        }
        memory = {
            "activations": [row.activation_bytes for row in rows],
            "im2col": [row.im2col_bytes for row in rows],
        }
        for name, sizes in memory.items():
            unit, bits = ("MiB", 20) if max(sizes) >= 2**20 else ("KiB", 10)
            found[f"{name}, {unit}"] = {"": [size / 2**bits for size in sizes]}
        timed = [
            (1000 * row.seconds, 1000 * row.best) for row in rows if row.seconds is not None and row.best is not None
        ]
        if timed:
            found["time, ms"] = {"median": [median for median, _ in timed], "least": [least for _, least in timed]}
        return found


def cost(
    model: Module,
    input_shape: Sequence[int],
    dilations: Sequence[int] = (1, 2, 4, 8),
    *,
    batch_size: int = 1,
    rounds: int = 5,
) -> Costs:
    """Parameters, work, memory and time of the model, and of copies of it with all dilations multiplied.

    A convolution's padding in numbers is multiplied along, so one that kept the size still does. The copies take turns in being
    timed on the active backend in evaluation mode, after one pass each that does not count; rounds=0 measures no time.
    input_shape: (C, *S), without the batch.
    Raises: OptionError as `receptive_field` does, and for dilations, batch_size or rounds that are no such ints; ShapeError if a
        dilated kernel overruns its map.
    """
    if not dilations or not all(isinstance(d, int) and not isinstance(d, bool) and d >= 1 for d in dilations):
        raise OptionError(f"cost: dilations must be ints >= 1, not {dilations!r}")
    for name, number, least in (("batch_size", batch_size, 1), ("rounds", rounds, 0)):
        if not isinstance(number, int) or isinstance(number, bool) or number < least:
            raise OptionError(f"cost: {name} must be an int >= {least}, not {number!r}")
    models = [_multiplied(model, dilation) for dilation in dilations]
    runs = [trace(each, input_shape, "cost") for each in models]
    taken = _timed(models, (batch_size, *input_shape), rounds)
    rows = []
    for dilation, each, run, seconds in zip(dilations, models, runs, taken, strict=True):
        summary = each.summary(tuple(input_shape), batch_size)
        activations, columns = _memory(run, _dtype(each).itemsize * batch_size)
        median_best = (median(seconds), min(seconds)) if seconds else (None, None)
        rows.append(
            Cost(dilation, _field(run), summary.parameters, summary.multiply_adds, activations, columns, *median_best)
        )
    return Costs(type(model).__name__, (batch_size, *input_shape), backend(), rounds, tuple(rows))


def _multiplied(model: Module, dilation: int) -> Module:
    """A copy whose convolutions have `dilation` times their dilation, and the padding to go with it."""
    copy = deepcopy(model).eval()
    for module in copy.modules():
        if isinstance(module, Conv1d | Conv2d | Conv3d):
            if not isinstance(module.padding, str):
                window = Window.of((1 << 40,) * module.ndim, module.kernel_size, padding=module.padding)
                module.padding = tuple((a * dilation, b * dilation) for a, b in window.padding)
            module.dilation = tuple(d * dilation for d in module.dilation)
    return copy


def _timed(models: Sequence[Module], shape: tuple[int, ...], rounds: int) -> list[list[float]]:
    """The seconds of every round for every model, in turn."""
    inputs = [Tensor(np.zeros(shape, _dtype(each))) for each in models]
    taken: list[list[float]] = [[] for _ in models]
    with no_grad():
        for number in range(rounds + 1 if rounds else 0):
            for model, x, seconds in zip(models, inputs, taken, strict=True):
                start = time.perf_counter()
                model(x).numpy()  # waits for a device
                if number:
                    seconds.append(time.perf_counter() - start)
    return taken


def _memory(run: Trace, unit: int) -> tuple[int, int]:
    """The bytes of all results, and of the largest matrix of columns; unit: the bytes of one number times the batch."""
    shapes = [(1, *run.shape), *(step.shape for step in run.steps)]
    activations = sum(math.prod(step.shape) for step in run.steps if step.op not in _VIEWS)
    columns = [0]
    for step in run.steps:
        if step.op == "conv":
            ((source, maps),) = step.reads
            taps = math.prod(each.kernel for each in maps if isinstance(each, Slide))
            columns.append(shapes[source][1] * taps * math.prod(step.shape[2:]))
    return activations * unit, max(columns) * unit


def _field(run: Trace) -> tuple[int, ...]:
    sizes = []
    for axis, n in enumerate(run.layout(run.output).sizes):
        seen = positions(run, run.output, axis, n // 2)
        sizes.append(int(seen[-1] - seen[0]) + 1 if len(seen) else 0)
    return tuple(sizes)


def _dtype(model: Module) -> np.dtype[Any]:
    return next((parameter.dtype for parameter in model.parameters()), np.dtype(np.float32))


def _bytes(number: int) -> str:
    return f"{number / 2**20:,.2f} MiB" if number >= 2**20 else f"{number / 2**10:,.1f} KiB"
