"""The receptive field of a model, layer by layer, and exactly which inputs are in it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from functools import partial

import numpy as np
from numpy.typing import NDArray

from minidil.analysis import picture, reach
from minidil.analysis.tables import as_html, as_text
from minidil.analysis.trace import Trace, trace
from minidil.errors import FieldError, OptionError
from minidil.nn import Module

_HEAD = ("layer", "kind", "output shape", "size", "jump", "start")
_LEFT = 3


@dataclass(frozen=True)
class AxisField:
    """What the chosen output position depends on along one axis of the input, as if that went on beyond its borders.

    size: from the first position to the last. Padding counts, so it may exceed the input; so do holes.
    jump: how far apart the fields of two neighbouring outputs are. start: where that of output 0 begins; negative on padding.
    first: where the field of the chosen position begins. paths: for each of its `size` positions, from how many combinations of
        taps it is reached; 0 is a hole.
    """

    size: int
    jump: Fraction
    start: int
    first: int
    paths: tuple[int, ...]

    @property
    def positions(self) -> tuple[int, ...]:
        """The positions that are reached."""
        return tuple(self.first + i for i, number in enumerate(self.paths) if number)

    @property
    def holes(self) -> tuple[int, ...]:
        """The positions between the first and the last that are not."""
        return tuple(self.first + i for i, number in enumerate(self.paths) if not number)


@dataclass(frozen=True)
class LayerField:
    """The field of the middle position of a layer's output, per axis of the input: size, jump and start as in `AxisField`.

    axes: all of it, with the paths to every position; counted when it is asked for.
    """

    name: str
    kind: str
    output_shape: tuple[int, ...]
    size: tuple[int, ...]
    jump: tuple[Fraction, ...]
    start: tuple[int, ...]
    count: Callable[[], tuple[AxisField, ...]] = field(repr=False, compare=False)

    @property
    def axes(self) -> tuple[AxisField, ...]:
        return self.count()

    def cells(self) -> tuple[str, ...]:
        facts = (_each(self.size), _each(self.jump), _each(self.start))
        return (self.name or "(model)", self.kind, str(self.output_shape), *facts)


@dataclass(frozen=True, repr=False, eq=False)
class ReceptiveField:
    """What one output position of a model depends on; printed or shown, it is a table of the layers.

    at: the position, one number per axis of the input (0 where the output has no such axis). axes: the field per axis.
    layers: every call of a layer, in order.
    reached: which positions of the real input it depends on, an array of bools (*S). Near a border, or where the field exceeds
        the input, this is less than `axes` say: what falls on padding is not there.
    """

    model: str
    input_shape: tuple[int, ...]
    at: tuple[int, ...]
    axes: tuple[AxisField, ...]
    layers: tuple[LayerField, ...]
    reached: NDArray[np.bool_]

    @property
    def size(self) -> tuple[int, ...]:
        """The size per axis."""
        return tuple(axis.size for axis in self.axes)

    @property
    def jump(self) -> tuple[Fraction, ...]:
        """The jump per axis."""
        return tuple(axis.jump for axis in self.axes)

    @property
    def start(self) -> tuple[int, ...]:
        """The start per axis."""
        return tuple(axis.start for axis in self.axes)

    @property
    def holes(self) -> tuple[tuple[int, ...], ...]:
        """The holes per axis."""
        return tuple(axis.holes for axis in self.axes)

    def _table(self) -> list[tuple[str, ...]]:
        """The head, and the layers at which the field is another one than before."""
        rows: list[tuple[str, ...]] = [_HEAD]
        before: object = None
        for layer in self.layers:
            seen = (layer.size, layer.jump, layer.start)
            if seen != before:
                rows.append(layer.cells())
            before = seen
        return rows

    def _notes(self) -> list[str]:
        real, there = int(np.count_nonzero(self.reached)), self.reached.size
        notes = [
            f"{self.model}: output {_by(self.at)} sees {_by(self.size)} positions of an input {_by(self.input_shape[1:])}"
            f"; {real:,} of the {there:,} that are there ({_percent(real, there)})"
        ]
        for number, axis in enumerate(self.axes):
            if axis.holes:
                notes.append(f"axis {number}: {len(axis.holes)} holes, {_listed(axis.holes)}")
        return notes

    def __repr__(self) -> str:
        return as_text(self._table(), _LEFT, self._notes())

    def _repr_html_(self) -> str:
        return as_html(self._table(), _LEFT, self._notes()) + self._picture()

    def _picture(self) -> str:
        """The positions of the input that are reached, and the holes between them; of more axes than two there is none."""
        if self.reached.ndim > 2:
            return ""
        box = [
            (min(max(axis.first, 0), n), max(min(axis.first + axis.size, n), 0))
            for axis, n in zip(self.axes, self.reached.shape, strict=True)
        ]
        drawing, _ = picture.coverage_map(self.reached.astype(np.float64), box)
        width, height = self.reached.shape[-1], self.reached.shape[0] if self.reached.ndim == 2 else 1
        size = 'width="240"' if self.reached.ndim == 2 else 'width="100%" height="24" preserveAspectRatio="none"'
        return (
            f'<svg role="img" aria-label="The positions of the input that are seen" viewBox="0 0 {width} {height}" {size} '
            f'style="max-width: 40em; background: #fff">{picture.plain(drawing)}</svg>'
        )


def receptive_field(model: Module, input_shape: Sequence[int], at: int | Sequence[int] | None = None) -> ReceptiveField:
    """What an output position of the model depends on, computed from the windows of its layers; no gradient is taken.

    The model is run once, on zeros in evaluation mode, and the calls of its ops are followed back: strides, padding of every
    kind, dilation, pooling, transposed convolution, resizing, sums and concatenations of branches, modules used twice. Channels
    are followed together. Statistics over positions, as of instance norm, see all of them.
    input_shape: (C, *S), without the batch. at: the output position, one int per spatial axis; by default the middle.
    Raises: OptionError if a position is outside, or an op's reach is not known; it names the layer.
    Sources: Araujo, Norris & Sim 2019, "Computing receptive fields of convolutional neural networks", Distill; for branches, the
        union of what they see.
    """
    run = trace(model, input_shape)
    place = _place(run, at)
    jumps = reach.jumps(run)
    _, starts = reach.extent(run, run.output)
    axes = _counted(run, run.output, place, tuple(jumps[run.output]), starts)
    return ReceptiveField(run.model, run.shape, place, axes, _layers(run, jumps), reach.inside(run, run.output, place))


def assert_receptive_field(
    model: Module,
    input_shape: Sequence[int] | None = None,
    *,
    at_least: int | Sequence[int],
    without_holes: bool = False,
) -> ReceptiveField:
    """Check that the model's middle output sees at least so many positions on every axis, and return its field.

    at_least: one number, or one per spatial axis. without_holes: there must be no hole in it, either.
    input_shape: by default one of at_least positions an axis, with the channels and axes of the first convolution.
    Raises: FieldError with what is seen and what is missing; OptionError as `receptive_field` does.
    """
    field = receptive_field(model, _shape_for(model, at_least) if input_shape is None else input_shape)
    wanted = (at_least,) * len(field.axes) if isinstance(at_least, int) else tuple(at_least)
    if len(wanted) != len(field.axes):
        raise OptionError(
            f"assert_receptive_field: at_least={at_least!r} is not one number for each of {len(field.axes)} axes"
        )
    for axis, (seen, least) in enumerate(zip(field.axes, wanted, strict=True)):
        if seen.size < least:
            raise FieldError(
                f"assert_receptive_field: {field.model} sees {seen.size} positions on axis {axis}, {least - seen.size} fewer "
                f"than the {least} wanted; `minidil plan --kernel K --reach {least}` finds dilations that do"
            )
        if without_holes and seen.holes:
            raise FieldError(
                f"assert_receptive_field: {field.model} sees {len(seen.positions)} of the {seen.size} positions of its field on "
                f"axis {axis}; the holes are {_listed(seen.holes)}"
            )
    return field


def _place(run: Trace, at: int | Sequence[int] | None) -> tuple[int, ...]:
    """The output position with an entry for every axis of the input."""
    sizes = run.layout(run.output).sizes
    present = [role for _, role in run.layout(run.output).spatial()]
    if at is None:
        return tuple(n // 2 for n in sizes)
    given = (at,) * len(present) if isinstance(at, int) else tuple(at)
    shown = tuple(sizes[role] for role in present)
    if len(given) != len(present) or not all(
        isinstance(i, int) and 0 <= i < n for i, n in zip(given, shown, strict=False)
    ):
        raise OptionError(f"receptive_field: at={at!r} is no position of an output with the spatial axes {shown}")
    place = [0] * len(sizes)
    for role, position in zip(present, given, strict=True):
        place[role] = position
    return tuple(place)


def _counted(
    run: Trace, value: int, place: tuple[int, ...], jump: tuple[Fraction, ...], start: tuple[int, ...]
) -> tuple[AxisField, ...]:
    """What that position of a value depends on, per axis."""
    axes = []
    for axis, position in enumerate(place):
        counts = reach.paths(run, value, axis, position)
        first, last = (min(counts), max(counts)) if counts else (0, -1)
        numbers = tuple(counts.get(i, 0) for i in range(first, last + 1))
        axes.append(AxisField(len(numbers), jump[axis], start[axis], first, numbers))
    return tuple(axes)


def _layers(run: Trace, jumps: list[list[Fraction]]) -> tuple[LayerField, ...]:
    """A row for every call of a module, except for one that only hands on what a module inside it gave."""
    rows, given = [], set()
    for visit in run.visits:
        if visit.output in given:
            continue
        given.add(visit.output)
        size, start = reach.extent(run, visit.output)
        kind, jump = type(visit.module).__name__, tuple(jumps[visit.output])
        middle = tuple(n // 2 for n in run.layout(visit.output).sizes)
        count = partial(_counted, run, visit.output, middle, jump, start)
        rows.append(LayerField(visit.name, kind, visit.shape, size, jump, start, count))
    return tuple(rows)


def _shape_for(model: Module, at_least: int | Sequence[int]) -> tuple[int, ...]:
    for module in model.modules():
        channels, ndim = getattr(module, "in_channels", None), getattr(module, "ndim", None)
        if isinstance(channels, int) and isinstance(ndim, int):
            sizes = (at_least,) * ndim if isinstance(at_least, int) else tuple(at_least)
            return (channels, *sizes)
    raise OptionError(
        "assert_receptive_field: the model has no convolution that tells the shape of its input; pass input_shape"
    )


def _each(values: Sequence[object]) -> str:
    """One number if all are equal, else 5x7."""
    words = [str(value) for value in values]
    return words[0] if len(set(words)) == 1 else "x".join(words) or "-"


def _by(values: Sequence[object]) -> str:
    """5x5, also where all are equal."""
    return "x".join(map(str, values))


def _percent(part: int, whole: int) -> str:
    return f"{100 * part / whole:.3g} %"


def _listed(numbers: Sequence[int]) -> str:
    shown = ", ".join(map(str, numbers[:8]))
    return shown + (f", ... up to {numbers[-1]}" if len(numbers) > 8 else "")
