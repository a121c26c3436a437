"""The rules of ops that move positions and axes, and compute nothing."""

from __future__ import annotations

import math

from minidil.analysis.call import Call, Rule, Single, Unknown
from minidil.analysis.layout import BATCH, CHANNEL, FLAT, Layout
from minidil.analysis.taps import Repeated, Slide, Whole


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


RULES: dict[str, Rule] = {
    "flatten": _reshape,
    "reshape": _reshape,
    "squeeze": _reshape,
    "unsqueeze": _reshape,
    "transpose": _transpose,
    "flip": _flip,
    "pad": _pad,
    "getitem": _getitem,
}
