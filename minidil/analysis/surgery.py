"""Trading strides for dilations in a network that is given: the same weights, a denser output.

Let x be a map, and X a denser one with X[f i] = x[i]. A layer that computes y[o] = sum_k w[k] x[o s + k d - p] becomes

    Y[j] = sum_k w[k] X[j + k d f - p f]        (stride 1, dilation d f, padding p f),

and at j = o s f this reads X[f (o s + k d - p)] = x[o s + k d - p]: so Y[s f o] = y[o], and the factor behind it is s f. The same
for maxima and means over windows; what works position by position passes the factor on. It holds at the borders as well: a map of
S positions becomes one of N with (S - 1) f < N <= S f, whose multiples of f are S, so padding falls on padding.
Sources: Yu, Koltun & Funkhouser 2017, arXiv:1705.09914, section 2; the hole algorithm, Chen et al. 2015, arXiv:1412.7062.
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, NoReturn, TypeAlias

from minidil.analysis.tables import as_html, as_text
from minidil.analysis.taps import Regions, Repeated, Resized, Slide, Taps, Whole
from minidil.analysis.trace import Step, Trace, trace
from minidil.errors import OptionError, ShapeError
from minidil.kernels.geometry import Window
from minidil.nn import AvgPool1d, AvgPool2d, AvgPool3d, Conv1d, Conv2d, Conv3d, MaxPool1d, MaxPool2d, MaxPool3d, Module
from minidil.nn.checks import brief

_WINDOWED = (Conv1d, Conv2d, Conv3d, MaxPool1d, MaxPool2d, MaxPool3d, AvgPool1d, AvgPool2d, AvgPool3d)
_OPS = ("conv", "max_pool", "avg_pool")
_HEAD = ("layer", "kind", "stride", "dilation", "padding", "output shape")
_USUAL_SIZE = {1: 256, 2: 64, 3: 32}

PerAxis: TypeAlias = tuple[int, ...]
Kept: TypeAlias = tuple[Fraction, ...]


@dataclass(frozen=True)
class Setting:
    """The window of a layer."""

    stride: PerAxis
    dilation: PerAxis
    padding: Any


@dataclass(frozen=True)
class Change:
    """A layer whose window was changed, and the shapes of its output."""

    name: str
    kind: str
    before: Setting
    after: Setting
    shape_before: tuple[int, ...]
    shape_after: tuple[int, ...]

    def cells(self) -> tuple[str, ...]:
        pairs = [(getattr(self.before, name), getattr(self.after, name)) for name in ("stride", "dilation", "padding")]
        shapes = f"{self.shape_before} -> {self.shape_after}"
        return (self.name, self.kind, *(_changed(old, new) for old, new in pairs), shapes)


@dataclass(frozen=True, repr=False)
class Dilated:
    """A converted model, and what was changed; printed or shown, it is a table.

    model: a new one with copies of the weights; the given one is as it was. factor: per axis, how many times denser its last map
    is; every factor-th position of it, from the first, is what the given model computes. notes: what is not the same.
    """

    model: Module
    changes: tuple[Change, ...]
    output_stride: int
    factor: PerAxis
    notes: tuple[str, ...]

    def _table(self) -> list[tuple[str, ...]]:
        return [_HEAD, *(change.cells() for change in self.changes)]

    def _summary(self) -> list[str]:
        denser = "x".join(map(str, self.factor))
        kind = type(self.model).__name__
        changes = f"{len(self.changes)} layers changed, all weights kept"
        return [f"{kind}: output stride {self.output_stride}, {denser} times denser, {changes}", *self.notes]

    def __repr__(self) -> str:
        return as_text(self._table(), len(_HEAD), self._summary())

    def _repr_html_(self) -> str:
        return as_html(self._table(), len(_HEAD), self._summary())


def dilate(model: Module, output_stride: int, input_shape: Sequence[int] | None = None) -> Dilated:
    """A copy of the model whose maps are no coarser than 1/output_stride of the input, with the same weights.

    The strides of convolutions and poolings are kept as long as their product is no more than output_stride; the later ones
    become 1, and the dilation and padding of what follows are multiplied by what was taken away. In evaluation mode, every
    factor-th position of its output is the given model's, at the borders, too. A global or adaptive mean runs over more positions
    than before, and what resizes a map to a given size resizes a denser one; the notes say so.
    input_shape: (C, *S) of an input to run the model on; by default for the first convolution, with 64 x 64 positions (256 on
        one axis, 32 on each of three). Padding "same" with a stride depends on the size of the map, and becomes numbers for it.
    Raises: OptionError if the strides have no such product, or for a layer that cannot be converted, which is named; nothing has
        been changed then.
    """
    if not isinstance(output_stride, int) or isinstance(output_stride, bool) or output_stride < 1:
        raise OptionError(f"dilate: output_stride must be an int >= 1, not {output_stride!r}")
    shape = _usual_shape(model) if input_shape is None else tuple(input_shape)
    run = trace(model, shape, "dilate")
    surgeon = _Surgeon(model, run, output_stride)
    for number, step in enumerate(run.steps, start=1):
        surgeon.follow(number, step)
    if max(surgeon.strides) != output_stride:
        had = "x".join(map(str, surgeon.total))
        raise OptionError(
            f"dilate: the strides of {type(model).__name__} multiply to {had}, and leaving out the last ones makes "
            f"{max(surgeon.strides)} or less, not {output_stride}{surgeon.stopped or surgeon.strided()}; the model is unchanged"
        )
    changed = deepcopy(model)
    modules = dict(changed.named_modules())
    for name, setting in surgeon.settings.items():
        for field, value in vars(setting).items():
            setattr(modules[name], field, value)
    try:
        checked = trace(changed, shape, "dilate")
    except ShapeError as error:
        where = ", ".join(getattr(error, "__notes__", []))
        raise OptionError(
            f"dilate: converted, it does not run on {shape}: {error} ({where}); the model is unchanged"
        ) from None
    _check_sizes(surgeon.factors[run.output], run, checked)
    shapes = [{visit.name: visit.shape for visit in each.visits} for each in (run, checked)]
    changes = tuple(
        Change(name, type(modules[name]).__name__, surgeon.old[name], setting, shapes[0][name], shapes[1][name])
        for name, setting in surgeon.settings.items()
        if setting != surgeon.old[name]
    )
    return Dilated(changed, changes, output_stride, surgeon.densest, tuple(surgeon.notes))


class _Surgeon:
    """Follows the factor of every value, and notes what each layer must become."""

    def __init__(self, model: Module, run: Trace, output_stride: int) -> None:
        ndim = len(run.input_layout.sizes)
        self.modules = dict(model.named_modules())
        self.limit = output_stride
        self.factors: list[PerAxis] = [(1,) * ndim]  # of every value: how many times denser it becomes
        self.kept: list[Kept] = [(Fraction(1),) * ndim]  # the product of the strides that are kept up to it
        self.settings: dict[str, Setting] = {}
        self.old: dict[str, Setting] = {}
        self.notes: list[str] = []
        self.strides: Kept = (Fraction(1),) * ndim  # the largest product that is kept
        self.total: Kept = (Fraction(1),) * ndim  # and the one that there was
        self.densest: PerAxis = (1,) * ndim
        self.stopped = ""  # the first layer whose stride is left out, in words
        self.layouts = [run.input_layout, *(step.layout for step in run.steps)]

    def follow(self, number: int, step: Step) -> None:
        """The factor behind one op, and the new window of its layer."""
        module = self.modules[step.layer]
        if step.op in _OPS and isinstance(module, _WINDOWED):
            factor, kept = self._window(step, module)
        else:
            factor, kept = self._passed(step)
        self.factors.append(factor)
        self.kept.append(kept)

    def _window(self, step: Step, module: Any) -> tuple[PerAxis, Kept]:
        ((source, maps),) = step.reads
        factor, kept = self.factors[source], self.kept[source]
        old = Setting(module.stride, module.dilation, module.padding)
        fits = [had * s <= self.limit for had, s in zip(kept, old.stride, strict=True)]
        if not all(fits) and not self.stopped:
            made = "x".join(str(had * s) for had, s in zip(kept, old.stride, strict=True))
            self.stopped = (
                f"; layer {step.layer!r} ({type(module).__name__}) with stride {brief(old.stride)} would make {made}"
            )
        stride = tuple(s if ok else 1 for ok, s in zip(fits, old.stride, strict=True))
        dilation = tuple(d * f for d, f in zip(old.dilation, factor, strict=True))
        padding = old.padding
        if (stride, dilation) != (old.stride, old.dilation) and padding not in ("valid", "causal"):
            size = tuple(each.size for each in maps)
            window = Window.of(size, module.kernel_size, old.stride, padding, old.dilation)
            pairs = tuple((a * f, b * f) for (a, b), f in zip(window.padding, factor, strict=True))
            if padding == "same":  # without a stride the map is to keep its size: what is left belongs behind
                spans = tuple(d * (k - 1) for d, k in zip(dilation, module.kernel_size, strict=True))
                pairs = tuple(
                    (a, span - a if step == 1 else b) for (a, b), span, step in zip(pairs, spans, stride, strict=True)
                )
            padding = tuple(a for a, _ in pairs) if all(a == b for a, b in pairs) else pairs
        new = Setting(stride, dilation, padding)
        if self.settings.setdefault(step.layer, new) != new:
            self._refuse(step, "runs several times, and would need another window each time")
        self.old[step.layer] = old
        after = tuple(f * (1 if ok else s) for f, ok, s in zip(factor, fits, old.stride, strict=True))
        left = tuple(had * s for had, s in zip(kept, stride, strict=True))
        self.strides = tuple(map(max, self.strides, left))
        self.total = tuple(max(t, a * had) for t, a, had in zip(self.total, after, left, strict=True))
        self.densest = tuple(map(max, self.densest, after))
        return after, left

    def strided(self) -> str:
        """The layers with a stride, in words."""
        found = [f"{brief(each.stride)} in {name!r}" for name, each in self.old.items() if max(each.stride) > 1]
        return f"; its strides: {', '.join(found)}" if found else "; no layer has a stride above 1"

    def _passed(self, step: Step) -> tuple[PerAxis, Kept]:
        """Through anything without a window of its own: what branches agree on, per axis."""
        factors, kept = [], []
        for axis in range(len(self.densest)):
            arriving = {self._axis(step, source, maps[axis], axis) for source, maps in step.reads}
            real = {each for each in arriving if each is not None} or {(1, Fraction(1))}
            if len({factor for factor, _ in real}) > 1:
                self._refuse(step, f"joins maps that become {sorted(factor for factor, _ in real)} times denser")
            factor, stride = max(real)
            factors.append(factor)
            kept.append(stride)
        return tuple(factors), tuple(kept)

    def _axis(self, step: Step, source: int, taps: Taps, axis: int) -> tuple[int, Fraction] | None:
        """(factor, kept stride) behind one operand along one axis; None if it has a single position, which fits any."""
        factor, kept = self.factors[source][axis], self.kept[source][axis]
        gone = axis not in self.layouts[source].roles
        if factor == 1 and (gone or isinstance(taps, Repeated)):
            return None
        if factor > 1 and step.op in ("flatten", "reshape", "squeeze") and axis not in step.layout.roles:
            self._refuse(step, f"makes one vector of a map that becomes {factor} times denser")
        if taps.is_identity():
            return factor, kept
        covers = isinstance(taps, Slide) and taps.out == 1 and (taps.kernel, taps.before) == (taps.size, 0)
        if isinstance(taps, Regions) or covers or (isinstance(taps, Whole) and (taps.out == 1 or factor == 1)):
            if factor > 1:
                self._note(step, f"looks at all of a map that is now {factor} times denser")
            return 1, Fraction(1)
        if factor > 1 and isinstance(taps, Resized) and taps.scale is None:
            self._note(step, f"resizes a map that is now {factor} times denser to the size that it had")
            return 1, kept * factor * taps.jump
        if factor > 1:
            self._refuse(step, f"would read a map that becomes {factor} times denser, and how is not known")
        if taps.jump > 1:
            self._refuse(step, f"takes steps of {taps.jump} and is no layer whose stride can be set")
        return 1, kept * taps.jump

    def _note(self, step: Step, what: str) -> None:
        told = f"{step.layer or 'the model'} ({step.op}) {what}, so its numbers are others"
        if told not in self.notes:
            self.notes.append(told)

    def _refuse(self, step: Step, reason: str) -> NoReturn:
        module = self.modules[step.layer]
        kind = type(module).__name__
        where = f"layer {step.layer!r} ({kind})" if step.layer else f"the forward of {kind}"
        raise OptionError(f"dilate: {step.op} in {where} {reason}; the model is unchanged")


def _check_sizes(factor: PerAxis, run: Trace, checked: Trace) -> None:
    """Raises: OptionError if the converted output has other sizes than follow: the model then depends on those of its maps."""
    old, new = run.layout(run.output).sizes, checked.layout(checked.output).sizes
    if not all((had - 1) * f < n <= had * f for had, n, f in zip(old, new, factor, strict=True)):
        raise OptionError(
            f"dilate: converted, the output of {run.model} would have {new} positions, where {factor} times {old} were "
            "expected; its forward computes a size from that of a map, which is denser now; the model is unchanged"
        )


def _usual_shape(model: Module) -> tuple[int, ...]:
    for module in model.modules():
        if isinstance(module, Conv1d | Conv2d | Conv3d):
            return (module.in_channels, *(_USUAL_SIZE[module.ndim],) * module.ndim)
    raise OptionError("dilate: the model has no convolution that tells the shape of its input; pass input_shape")


def _changed(old: Any, new: Any) -> str:
    return brief(old) if old == new or brief(old) == brief(new) else f"{brief(old)} -> {brief(new)}"
