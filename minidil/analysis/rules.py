"""For every op: which positions of its operands one position of its result reads, from the shapes and options of the call.

A rule takes the call and the layouts of the operands that depend on the model's input, and gives the layout of the result and
for each of these operands one map per axis of the model's input. Nothing here looks at a gradient.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

from minidil.analysis import moves, windows
from minidil.analysis.call import Call, Rule, Single, Unknown, wholly
from minidil.analysis.layout import BATCH, CHANNEL, FLAT, Layout
from minidil.analysis.taps import Part, Repeated, Slide, Taps, Whole

Traced: TypeAlias = Mapping[int, Layout]  # by the number of the operand
Answer: TypeAlias = tuple[Layout, dict[int, list[Taps]]]

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
    rule = _reduce if call.op in REDUCTIONS else RULES.get(call.op)
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


def _reduce(call: Call, layout: Layout) -> Single:
    count, axis = len(layout.roles), call.options.get("axis")
    given = range(count) if axis is None else (axis,) if isinstance(axis, int) else axis
    axes = {each % count for each in given}
    maps, mixed = wholly(layout, sorted(axes))
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
    maps, mixed = wholly(layout, [call.options["axis"] % len(layout.roles)])
    return layout.resized(maps, mixed), maps


def _layer_norm(call: Call, layout: Layout) -> Single:
    shape = call.options["normalized_shape"]
    count = 1 if isinstance(shape, int) else len(shape)
    maps, mixed = wholly(layout, range(len(layout.roles) - count, len(layout.roles)))
    return layout.resized(maps, mixed), maps


def _batch_norm(call: Call, layout: Layout) -> Single:
    if call.options.get("mean") is not None:
        return layout, layout.identity()
    maps, _ = wholly(layout, [axis for axis, _ in layout.spatial()])  # the statistics of the batch
    return layout.resized(maps), maps


def _linear(call: Call, layout: Layout) -> Single:
    if len(call.result) != len(layout.roles):
        raise Unknown("is a product that changes the number of axes")
    maps, mixed = wholly(layout, [len(layout.roles) - 1])
    last = layout.roles[-1]
    if last >= 0:
        maps[last] = Whole(layout.sizes[last], call.result[-1])
    roles = (*layout.roles[:-1], CHANNEL if last == FLAT else last)
    return layout.resized(maps, mixed, roles), maps


RULES: dict[str, Rule] = {
    **windows.RULES,
    **moves.RULES,
    "softmax": _softmax,
    "log_softmax": _softmax,
    "layer_norm": _layer_norm,
    "batch_norm": _batch_norm,
    "linear": _linear,
    "matmul": _linear,
}
