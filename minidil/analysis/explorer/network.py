"""What the explorer shows: a model or a schedule of dilations as windows along axes, for Python and as data for the page.

Both come to one thing, a `Trace`, with which all numbers are computed; the page gets the same windows as plain lists and
computes for itself what follows when somebody changes one. Steps that move nothing, as activations, are left out there.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from minidil.analysis import reach
from minidil.analysis.layout import Layout
from minidil.analysis.schedule import coverage
from minidil.analysis.taps import Part, Regions, Repeated, Resized, Slide, Spread, Taps, Whole
from minidil.analysis.trace import Step, Trace, trace
from minidil.errors import OptionError
from minidil.kernels.geometry import Ints, Window
from minidil.nn import Module

SLIDING = ("conv", "max_pool", "avg_pool")
WINDOWS = (*SLIDING, "conv_transpose")
LEAST_LAYERS = 8  # a schedule can be made so deep in the page
LEAST_SIZE, MOST_SIZE = 33, 129

Padding: TypeAlias = str | list[int]


@dataclass(frozen=True)
class Row:
    """A layer. value: the number of its result in the trace. step: that of its window, if it has one.

    taps: the parameters that each position of the window has. fixed: all others up to here.
    """

    name: str
    kind: str
    value: int
    shape: tuple[int, ...]
    step: int | None
    taps: int
    fixed: int


@dataclass(frozen=True)
class Network:
    """The windows of a model or schedule. schedule: whether layers may be added. depth: the row looked back from at first."""

    name: str
    run: Trace
    rows: tuple[Row, ...]
    depth: int
    schedule: bool

    @property
    def ndim(self) -> int:
        return len(self.run.shape) - 1

    def parameters(self, depth: int) -> int:
        """Of all layers up to that row, each counted once."""
        total = self.rows[depth].fixed
        for row in self.rows[: depth + 1]:
            if row.step is not None and row.taps:
                product = 1
                for taps in self._maps(row.step):
                    product *= taps.kernel if isinstance(taps, Slide | Spread) else 1
                total += row.taps * product
        return total

    def _maps(self, step: int) -> list[Taps]:
        ((_, maps),) = self.run.steps[step - 1].reads
        return maps

    def as_data(self) -> dict[str, Any]:
        """For the page: steps [reads, ...], a read [source, maps], and a map a list that begins with its kind."""
        kept, same = {row.step for row in self.rows}, unmoved(self.run)
        numbers: dict[int, int] = {0: 0}
        steps: list[list[Any]] = []
        for number, step in enumerate(self.run.steps, 1):
            if number not in kept and same[number] != number:
                numbers[number] = numbers[step.reads[0][0]]
                continue
            steps.append([[numbers[source], _listed(step.op, maps)] for source, maps in step.reads])
            numbers[number] = len(steps)
        rows = [
            {
                "name": row.name,
                "kind": row.kind,
                "value": numbers[row.value],
                "step": None if row.step is None else numbers[row.step] - 1,
                "taps": row.taps,
                "fixed": row.fixed,
            }
            for row in self.rows
        ]
        return {
            "name": self.name,
            "size": list(self.run.shape[1:]),
            "steps": steps,
            "rows": rows,
            "depth": self.depth,
            "schedule": self.schedule,
        }


def of_model(model: Module, input_shape: Sequence[int]) -> Network:
    """The layers at which the field is another one than before. Raises: OptionError as `receptive_field` does."""
    run = trace(model, input_shape, "explore")
    if len(run.shape) > 3:
        raise OptionError(
            f"explore: draws one or two spatial axes, and input_shape {run.shape} has {len(run.shape) - 1}"
        )
    modules = dict(model.named_modules())
    jumps = reach.jumps(run)
    rows: list[Row] = []
    before: object = ((1,) * (len(run.shape) - 1), (0,) * (len(run.shape) - 1), jumps[0])
    same = unmoved(run)
    given = {0}
    counted: set[str] = set()
    fixed = 0
    for visit in run.visits:
        taps = 0
        windows = [n for n, step in enumerate(run.steps, 1) if step.layer == visit.name and step.op in WINDOWS]
        step = max((n for n in windows if n <= visit.output), default=None)
        if visit.name not in counted:
            counted.add(visit.name)
            for parameter in modules[visit.name].own_parameters().values():
                if step is not None and parameter.ndim == len(run.shape) + 1:
                    taps = parameter.shape[0] * parameter.shape[1]
                else:
                    fixed += parameter.size
        if same[visit.output] in given:
            fixed += taps
            continue
        given.add(same[visit.output])
        seen = (*reach.extent(run, visit.output), jumps[visit.output])
        if seen == before:  # a window of one position, if it has one at all
            fixed += taps
            continue
        kind = type(visit.module).__name__
        rows.append(Row(visit.name or "(model)", kind, visit.output, visit.shape, step, taps, fixed))
        before = seen
    if not rows:
        raise OptionError(f"explore: no layer of {run.model} reads any other position than its own")
    local = [number for number, row in enumerate(rows) if not _sees_all(run, row.value)]
    return Network(run.model, run, tuple(rows), local[-1] if local else len(rows) - 1, False)


def unmoved(run: Trace) -> list[int]:
    """For every value the earliest one of which it reads each position and no other, such as what an activation is of."""
    same = [0]
    for number, step in enumerate(run.steps, 1):
        alone = len(step.reads) == 1 and all(taps.is_identity() for taps in step.reads[0][1])
        same.append(same[step.reads[0][0]] if alone else number)
    return same


def of_schedule(
    dilations: Sequence[Ints],
    input_shape: Sequence[int] | None,
    kernel_size: Ints | Sequence[Ints],
    strides: Ints | Sequence[Ints],
) -> Network:
    """Convolutions that keep the number of channels, padded by half of what they span. Raises: OptionError as `coverage` does."""
    given = (1, 1, 1) if input_shape is None else input_shape
    if (
        not isinstance(given, Sequence)
        or len(given) not in (2, 3)
        or not all(isinstance(n, int) and n >= 1 for n in given)
    ):
        raise OptionError(
            f"explore: input_shape is (C, *S) with one or two spatial axes, ints >= 1, not {input_shape!r}"
        )
    ndim = len(given) - 1
    found = coverage(dilations, kernel_size, strides, ndim=ndim)
    side = min(max(LEAST_SIZE, *(axis.size + 2 for axis in found.axes)), MOST_SIZE)
    shape = (1, *(side,) * ndim) if input_shape is None else tuple(input_shape)
    windows = list(zip(found.kernel_sizes, found.strides, found.dilations, strict=True))
    windows += [(windows[-1][0], (1,) * ndim, windows[-1][2])] * (LEAST_LAYERS - len(windows))
    layout = Layout.of_input((1, *shape))
    steps, rows, biases = [], [], 0
    for number, (kernel, stride, dilation) in enumerate(windows, 1):
        padding = [half(d * (k - 1)) for k, d in zip(kernel, dilation, strict=True)]
        window = Window.of(layout.sizes, kernel, stride, padding, dilation, "explore")
        maps: list[Taps] = [
            Slide(n, out, k, s, d, before)
            for n, out, k, s, d, (before, _) in zip(
                window.size, window.out, kernel, stride, dilation, padding, strict=True
            )
        ]
        layout, biases = layout.resized(maps), biases + shape[0]
        result = (1, shape[0], *layout.sizes)
        steps.append(Step("conv", str(number), layout, result, ((number - 1, maps),)))
        rows.append(Row(str(number), f"Conv{ndim}d", number, result, number, shape[0] ** 2, biases))
    run = Trace("schedule", shape, tuple(steps), (), len(found.dilations), Layout.of_input((1, *shape)))
    name = f"A stack of {ndim}-d convolutions, {shape[0]} channel{'s' * (shape[0] > 1)}"
    return Network(name, run, tuple(rows), len(found.dilations) - 1, True)


def half(reach: int) -> tuple[int, int]:
    """Padding that keeps the size at stride 1, for a window that reaches so much further than one position."""
    return reach // 2, reach - reach // 2


RULES: dict[str, Callable[[int], tuple[int, int]]] = {
    "half": half,
    "none": lambda reach: (0, 0),
    "causal": lambda reach: (reach, 0),
    "full": lambda reach: (reach, reach),
}


def padding_of(op: str, maps: Sequence[Slide | Spread]) -> list[Padding]:
    """Per axis, the rule that gives all these windows their padding; else the numbers before and after."""
    for rule in ("half", "none", "causal", "full") if "conv" in op else ("none", "half"):
        if all(
            out_of(taps, *RULES[rule](taps.dilation * (taps.kernel - 1))) == (taps.before, taps.out) for taps in maps
        ):
            return [rule] * len(maps)
    return [pads_of(taps) for taps in maps]


def pads_of(taps: Slide | Spread) -> list[int]:
    """The padding before, and as little after as gives the outputs that there are; negative where positions are left over."""
    span = taps.dilation * (taps.kernel - 1) + 1
    if isinstance(taps, Spread):
        return [taps.before, (taps.size - 1) * taps.stride + span - taps.before - taps.out]
    return [taps.before, (taps.out - 1) * taps.stride + span - taps.size - taps.before]


def out_of(taps: Slide | Spread, before: int, after: int) -> tuple[int, int]:
    """The padding before, and how many outputs there are."""
    span = taps.dilation * (taps.kernel - 1) + 1
    if isinstance(taps, Spread):
        return before, (taps.size - 1) * taps.stride + span - before - after
    return before, (taps.size + before + after - span) // taps.stride + 1


def _sees_all(run: Trace, value: int) -> bool:
    """Whether some layer up to this value made one position of a whole axis."""
    reached = {value}
    for number in range(value, 0, -1):
        if number in reached:
            for source, maps in run.steps[number - 1].reads:
                reached.add(source)
                if any(
                    taps.size > 1 and (isinstance(taps, Whole) or (isinstance(taps, Regions) and taps.out == 1))
                    for taps in maps
                ):
                    return True
    return False


def _listed(op: str, maps: Sequence[Taps]) -> list[list[Any]]:
    windows = [taps for taps in maps if isinstance(taps, Slide | Spread)]
    if op in WINDOWS and len(windows) == len(maps):
        kind = "slide" if op in SLIDING else "spread"
        return [
            [kind, t.kernel, t.stride, t.dilation, p] for t, p in zip(windows, padding_of(op, windows), strict=True)
        ]
    return [_plain(taps) for taps in maps]


def _plain(taps: Taps) -> list[Any]:
    """A map that the page cannot change: its sizes, and its settings."""
    ends = [taps.size, taps.out]
    if taps.is_identity():
        return ["same"]
    if isinstance(taps, Slide):
        return ["fixed", *ends, taps.kernel, taps.stride, taps.dilation, taps.before]
    if isinstance(taps, Spread):
        return ["spread", taps.kernel, taps.stride, taps.dilation, pads_of(taps)]
    if isinstance(taps, Part):
        return ["part", *ends, taps.first]
    if isinstance(taps, Resized):
        return ["resized", *ends, taps.mode, taps.scale, taps.align_corners]
    kinds: dict[type, str] = {Whole: "whole", Repeated: "repeated", Regions: "regions"}
    return [kinds[type(taps)], *ends]
