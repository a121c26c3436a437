"""For every op: which positions of its operands one position of its result reads, from the shapes and options of the call.

A rule takes the call and the layouts of the operands that depend on the model's input, and gives the layout of the result and
for each of these operands one map per axis of the model's input. Nothing here looks at a gradient.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from minidil.analysis.layout import BATCH, CHANNEL, FLAT, Layout
from minidil.analysis.taps import Part, Regions, Repeated, Resized, Slide, Spread, Taps, Whole
from minidil.kernels.geometry import Window, per_axis, with_overhang


class Unknown(Exception):  # noqa: N818  # not an error by itself: the trace turns it into one that names the layer
    """Why a rule cannot say what is read."""


@dataclass(frozen=True)
class Call:
    """One call of an op: the shapes of operands and result, and the options that were given."""

    op: str
    shapes: tuple[tuple[int, ...], ...]
    options: Mapping[str, Any]
    result: tuple[int, ...]


Traced: TypeAlias = Mapping[int, Layout]  # by the number of the operand
Answer: TypeAlias = tuple[Layout, dict[int, list[Taps]]]
Rule: TypeAlias = Callable[[Call, Traced], Answer]

_ARITHMETIC = (
    "add",
    "subtract",
    "multiply",
    "divide",
    "power",
    "negative",
    "maximum",
    "minimum",
    "where",
    "astype",
    "clip",
)
_FUNCTIONS = (
    "exp",
    "log",
    "sqrt",
    "absolute",
    "relu",
    "leaky_relu",
    "sigmoid",
    "tanh",
    "silu",
    "gelu",
    "softplus",
    "dropout",
)
POINTWISE = frozenset((*_ARITHMETIC, *_FUNCTIONS))
REDUCTIONS = frozenset(("sum", "mean", "var", "amax", "amin", "std", "norm", "logsumexp", "prod"))


def answer(call: Call, traced: Traced) -> Answer:
    """What the call reads. Raises: Unknown, with the reason."""
    if call.op in POINTWISE:
        return _pointwise(call, traced)
    if call.op == "concatenate":
        return _concatenate(call, traced)
    if set(traced) != {0}:
        raise Unknown(f"has operand {max(traced)} computed from the model's input, which no rule covers")
    rule = _reduce if call.op in REDUCTIONS else _RULES.get(call.op)
    if rule is None:
        raise Unknown("is an op whose reach is not known")
    layout, maps = rule(call, traced[0])
    return layout, {0: maps}


def _pointwise(call: Call, traced: Traced) -> Answer:
    roles = [CHANNEL] * len(call.result)
    sizes = [1] * len(next(iter(traced.values())).sizes)
    for number, layout in traced.items():
        for axis, role in enumerate(layout.roles, start=len(call.result) - len(layout.roles)):
            n = call.result[axis]
            if call.shapes[number][axis - len(call.result)] != n and role != CHANNEL and role < 0:
                raise Unknown("repeats an axis that is no channel and no position")
            if role >= 0 and roles[axis] not in (CHANNEL, role):
                raise Unknown(f"meets operands whose axis {axis} stands for different things")
            if role != CHANNEL:
                roles[axis] = role
            if role >= 0:
                sizes[role] = n
    maps: dict[int, list[Taps]] = {}
    for number, layout in traced.items():
        maps[number] = [
            Slide(n, n) if n == out else Repeated(n, out) for n, out in zip(layout.sizes, sizes, strict=True)
        ]
    mixed = all(layout.mixed for layout in traced.values())
    return Layout(tuple(roles), tuple(sizes), mixed), maps


def _concatenate(call: Call, traced: Traced) -> Answer:
    first = next(iter(traced.values()))
    axis = call.options.get("axis", 0) % len(call.result)
    role = first.roles[axis]
    if any(layout.roles != first.roles for layout in traced.values()) or role in (BATCH, FLAT):
        raise Unknown(
            f"joins tensors along axis {axis}, which is neither one of channels nor of positions in all of them"
        )
    sizes = list(first.sizes)
    maps: dict[int, list[Taps]] = {}
    offset = 0
    for number, shape in enumerate(call.shapes):
        if number in traced:
            maps[number] = traced[number].identity()
            if role >= 0:
                sizes[role] = call.result[axis]
                maps[number][role] = Part(shape[axis], call.result[axis], offset)
        offset += shape[axis]
    mixed = role >= 0 and all(layout.mixed for layout in traced.values())
    return Layout(first.roles, tuple(sizes), mixed), maps


Single: TypeAlias = tuple[Layout, list[Taps]]


def _over(layout: Layout, count: int, map_of: Callable[[int], Taps], mixed: bool | None = None) -> Single:
    """The map of every one of the last `count` axes, which must be positions, and behind a channel axis."""
    spatial = layout.spatial()[-count:]
    if [axis for axis, _ in spatial] != list(range(len(layout.roles) - count, len(layout.roles))):
        raise Unknown(f"slides over its last {count} axes, which are not all positions of the model's input")
    if layout.roles[-count - 1] != CHANNEL:
        raise Unknown(f"takes axis {len(layout.roles) - count - 1} for channels, and it holds something else")
    maps = layout.identity()
    for number, (_, label) in enumerate(spatial):
        maps[label] = map_of(number)
    return layout.resized(maps, mixed), maps


def _conv(call: Call, layout: Layout) -> Single:
    kernel = call.shapes[1][2:]
    size, options = call.shapes[0][-len(kernel) :], call.options
    window = Window.of(size, kernel, *(options.get(name, usual) for name, usual in _WINDOW))
    mixed = layout.mixed or options.get("groups", 1) == 1
    return _over(layout, len(kernel), lambda axis: _slide(window, axis), mixed)


_WINDOW = (("stride", 1), ("padding", 0), ("dilation", 1))


def _slide(window: Window, axis: int) -> Taps:
    return Slide(
        window.size[axis],
        window.out[axis],
        window.kernel[axis],
        window.stride[axis],
        window.dilation[axis],
        window.padding[axis][0],
    )


def _conv_transpose(call: Call, layout: Layout) -> Single:
    kernel = call.shapes[1][2:]
    count = len(kernel)
    size, out, options = call.shapes[0][-count:], call.result[-count:], call.options
    window = Window.of((1 << 40,) * count, kernel, *(options.get(name, usual) for name, usual in _WINDOW))
    mixed = layout.mixed or options.get("groups", 1) == 1
    settings = list(zip(window.kernel, window.stride, window.dilation, (p for p, _ in window.padding), strict=True))
    return _over(layout, count, lambda axis: Spread(size[axis], out[axis], *settings[axis]), mixed)


def _pool(call: Call, layout: Layout) -> Single:
    options = call.options
    count = len(call.shapes[0]) - 2
    size, kernel = call.shapes[0][2:], options["kernel_size"]
    stride = kernel if options.get("stride") is None else options["stride"]
    padding, dilation = options.get("padding", 0), options.get("dilation", 1)
    if options.get("ceil_mode"):
        window, _ = with_overhang(size, kernel, stride, padding, dilation, call.op)
    else:
        window = Window.of(size, kernel, stride, padding, dilation)
    return _over(layout, count, lambda axis: _slide(window, axis))


def _adaptive(call: Call, layout: Layout) -> Single:
    size, out = call.shapes[0][2:], call.result[2:]
    return _over(layout, len(size), lambda axis: Regions(size[axis], out[axis]))


def _interpolate(call: Call, layout: Layout) -> Single:
    size, out, options = call.shapes[0][2:], call.result[2:], call.options
    mode = options.get("mode", "nearest")
    kind = "nearest" if mode == "nearest" else "cubic" if mode == "bicubic" else "linear"
    factor = options.get("scale_factor")
    scales = factor if isinstance(factor, Sequence) else (factor,) * len(size)
    corners = options.get("align_corners", False)
    return _over(layout, len(size), lambda axis: Resized(size[axis], out[axis], kind, scales[axis], corners))


def _insert_zeros(call: Call, layout: Layout) -> Single:
    size, out = call.shapes[0][2:], call.result[2:]
    factors = per_axis(call.options["factor"], len(size), "factor", call.op, least=1)
    return _over(layout, len(size), lambda axis: Spread(size[axis], out[axis], 1, factors[axis]))


def _wholly(layout: Layout, axes: Sequence[int]) -> tuple[list[Taps], bool]:
    """The maps where every result depends on all along these axes, each of which keeps its place, and whether that mixes."""
    maps = layout.identity()
    for axis in axes:
        if layout.roles[axis] == BATCH:
            raise Unknown("joins the samples of a batch")
        if layout.roles[axis] >= 0:
            size = layout.sizes[layout.roles[axis]]
            maps[layout.roles[axis]] = Whole(size, size)
    return maps, layout.mixed or any(layout.roles[axis] in (CHANNEL, FLAT) for axis in axes)


def _reduce(call: Call, layout: Layout) -> Single:
    count, axis = len(layout.roles), call.options.get("axis")
    given = range(count) if axis is None else (axis,) if isinstance(axis, int) else axis
    axes = {each % count for each in given}
    maps, mixed = _wholly(layout, sorted(axes))
    for each in axes:
        if (role := layout.roles[each]) >= 0:
            maps[role] = Whole(layout.sizes[role], 1)
    kept = call.options.get("keepdims", False)
    roles = tuple(
        CHANNEL if each in axes and role == FLAT else role
        for each, role in enumerate(layout.roles)
        if kept or each not in axes
    )
    return layout.resized(maps, mixed, roles), maps


def _softmax(call: Call, layout: Layout) -> Single:
    if call.options.get("axis") is None:
        raise Unknown("names no axis")
    maps, mixed = _wholly(layout, [call.options["axis"] % len(layout.roles)])
    return layout.resized(maps, mixed), maps


def _layer_norm(call: Call, layout: Layout) -> Single:
    shape = call.options["normalized_shape"]
    count = 1 if isinstance(shape, int) else len(shape)
    maps, mixed = _wholly(layout, range(len(layout.roles) - count, len(layout.roles)))
    return layout.resized(maps, mixed), maps


def _batch_norm(call: Call, layout: Layout) -> Single:
    if call.options.get("mean") is not None:
        return layout, layout.identity()
    maps, _ = _wholly(layout, [axis for axis, _ in layout.spatial()])  # the statistics of the batch
    return layout.resized(maps), maps


def _linear(call: Call, layout: Layout) -> Single:
    if len(call.result) != len(layout.roles):
        raise Unknown("is a product that changes the number of axes")
    maps, mixed = _wholly(layout, [len(layout.roles) - 1])
    last = layout.roles[-1]
    if last >= 0:
        maps[last] = Whole(layout.sizes[last], call.result[-1])
    roles = (*layout.roles[:-1], CHANNEL if last == FLAT else last)
    return layout.resized(maps, mixed, roles), maps


def _reshape(call: Call, layout: Layout) -> Single:
    """Axes that keep their size keep their meaning, from both ends; what lies between may join channels and positions."""
    old, new, roles = call.shapes[0], call.result, layout.roles
    if old == new:
        return layout, layout.identity()
    head = 0
    while head < min(len(old), len(new)) and old[head] == new[head]:
        head += 1
    tail = 0
    while tail < min(len(old), len(new)) - head and old[-1 - tail] == new[-1 - tail]:
        tail += 1
    between = list(zip(roles, old, strict=True))[head : len(old) - tail]
    sizes = new[head : len(new) - tail]
    joined = {role for role, n in between if n > 1}
    refusal = f"makes {new} of {old}"
    if BATCH in joined:
        raise Unknown(f"{refusal}, which joins the batch with something else")
    maps, mixed = layout.identity(), layout.mixed
    if joined <= {CHANNEL}:
        middle = [CHANNEL] * len(sizes)
    elif FLAT in joined:
        # Taken apart again. Behind a layer that mixes them all, any position sees what all of them saw.
        if not mixed or not joined <= {CHANNEL, FLAT}:
            raise Unknown(f"{refusal}, whose positions were joined and cannot be told apart")
        gone = [label for label in range(len(maps)) if label not in roles]
        middle = [CHANNEL, *gone] if len(sizes) == 1 + len(gone) else [CHANNEL] * len(sizes)
        for label, n in zip(gone, sizes[1:], strict=False):
            maps[label] = Repeated(1, n) if len(middle) == 1 + len(gone) else maps[label]
    else:
        positions = math.prod(n for role, n in between if role >= 0)
        channels = math.prod(n for role, n in between if role < 0)
        parts = math.prod(sizes[:-1])
        if sizes[-1] % positions or channels % parts or (parts > 1 and not mixed):
            raise Unknown(f"{refusal}, which mixes up channels and positions")
        middle, mixed = [*[CHANNEL] * (len(sizes) - 1), FLAT], False
        for role, n in between:
            if role >= 0:
                maps[role] = Whole(n, 1)
    return layout.resized(maps, mixed, (*roles[:head], *middle, *roles[len(roles) - tail :])), maps


def _transpose(call: Call, layout: Layout) -> Single:
    axes = call.options.get("axes") or tuple(reversed(range(len(layout.roles))))
    return layout.resized(layout.identity(), roles=tuple(layout.roles[axis] for axis in axes)), layout.identity()


def _flip(call: Call, layout: Layout) -> Single:
    axis, count = call.options.get("axis"), len(layout.roles)
    axes = range(count) if axis is None else (axis,) if isinstance(axis, int) else axis
    maps = layout.identity()
    for each in axes:
        if (role := layout.roles[each % count]) >= 0:
            n = layout.sizes[role]
            maps[role] = Slide(n, n, 1, -1, 1, 1 - n)
    return layout, maps


def _pad(call: Call, layout: Layout) -> Single:
    width = call.options["width"]
    before = [0] * len(layout.roles)
    if all(isinstance(n, int) for n in width):
        for place in range(len(width) // 2):
            before[-1 - place] = width[2 * place]
    else:
        before = [first for first, _ in width]
    maps = layout.identity()
    for axis, role in layout.spatial():
        maps[role] = Slide(call.shapes[0][axis], call.result[axis], before=before[axis])
    return layout.resized(maps), maps


def _getitem(call: Call, layout: Layout) -> Single:
    """Integers and slices, one of them perhaps an ellipsis."""
    index = call.options["index"]
    parts = list(index) if isinstance(index, tuple) else [index]
    if not all(part is Ellipsis or isinstance(part, int | slice) for part in parts) or any(
        isinstance(part, bool) for part in parts
    ):
        raise Unknown("takes positions by an array")
    missing = [slice(None)] * (len(layout.roles) - len(parts) + (Ellipsis in parts))
    at = parts.index(Ellipsis) if Ellipsis in parts else len(parts)
    parts = [*parts[:at], *missing, *parts[at + 1 :]]
    maps, roles = layout.identity(), []
    for part, role, n in zip(parts, layout.roles, call.shapes[0], strict=True):
        whole = isinstance(part, slice) and range(n)[part] == range(n)
        if not whole and role in (CHANNEL, FLAT) and not layout.mixed:
            raise Unknown("takes a part of channels that were joined, and their positions are followed together")
        taken = range(n)[part] if isinstance(part, slice) else range(part % n, part % n + 1)
        if role >= 0:
            maps[role] = Slide(n, len(taken), 1, taken.step, 1, -taken.start)
        if isinstance(part, slice):
            roles.append(role)
    return layout.resized(maps, roles=tuple(roles)), maps


_RULES: dict[str, Callable[[Call, Layout], Single]] = {
    "conv": _conv,
    "conv_transpose": _conv_transpose,
    "max_pool": _pool,
    "avg_pool": _pool,
    "adaptive_avg_pool": _adaptive,
    "interpolate": _interpolate,
    "insert_zeros": _insert_zeros,
    "softmax": _softmax,
    "log_softmax": _softmax,
    "layer_norm": _layer_norm,
    "batch_norm": _batch_norm,
    "linear": _linear,
    "matmul": _linear,
    "flatten": _reshape,
    "reshape": _reshape,
    "squeeze": _reshape,
    "unsqueeze": _reshape,
    "transpose": _transpose,
    "flip": _flip,
    "pad": _pad,
    "getitem": _getitem,
}
