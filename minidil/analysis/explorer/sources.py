"""Where networks come from: a model that is run once, or a schedule of dilations."""

from __future__ import annotations

from collections.abc import Sequence

from minidil.analysis import reach
from minidil.analysis.explorer.network import WINDOWS, Network, Row, unmoved
from minidil.analysis.explorer.padding import half
from minidil.analysis.layout import Layout
from minidil.analysis.schedule import coverage
from minidil.analysis.taps import Regions, Slide, Taps, Whole
from minidil.analysis.trace import Step, Trace, trace
from minidil.errors import OptionError
from minidil.kernels.geometry import Ints, Window
from minidil.nn import Module

LEAST_LAYERS = 8  # a schedule can be made so deep in the page
LEAST_SIZE, MOST_SIZE = 33, 129


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


def _sees_all(run: Trace, value: int) -> bool:
    """Whether some layer up to this value made one position of a whole axis."""
    reached = {value}
    for number in range(value, 0, -1):
        step = run.steps[number - 1]
        for source, maps in step.reads if number in reached else ():
            reached.add(source)
            if any(_is_global(step.op, taps) for taps in maps):
                return True
    return False


def _is_global(op: str, taps: Taps) -> bool:
    if taps.size == 1 or isinstance(taps, Whole):
        return taps.size > 1
    pooled = isinstance(taps, Regions) or ("pool" in op and isinstance(taps, Slide) and taps.kernel >= taps.size)
    return pooled and taps.out == 1
