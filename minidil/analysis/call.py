"""What rules are given and give: a call of an op, and the maps of its operands."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from minidil.analysis.layout import BATCH, CHANNEL, FLAT, Layout
from minidil.analysis.taps import Taps, Whole


class Unknown(Exception):  # noqa: N818  # not an error by itself: the trace turns it into one that names the layer
    """Why a rule cannot say what is read."""


@dataclass(frozen=True)
class Call:
    """One call of an op: the shapes of operands and result, and the options that were given."""

    op: str
    shapes: tuple[tuple[int, ...], ...]
    options: Mapping[str, Any]
    result: tuple[int, ...]


Single: TypeAlias = tuple[Layout, list[Taps]]
"""The layout of the result, and one map per axis of the model's input, of an op with one operand."""

Rule: TypeAlias = Callable[[Call, Layout], Single]


def wholly(layout: Layout, axes: Sequence[int]) -> tuple[list[Taps], bool]:
    """The maps where every result depends on all along these axes, each of which keeps its place, and whether that mixes."""
    maps = layout.identity()
    for axis in axes:
        if layout.roles[axis] == BATCH:
            raise Unknown("joins the samples of a batch")
        if layout.roles[axis] >= 0:
            size = layout.sizes[layout.roles[axis]]
            maps[layout.roles[axis]] = Whole(size, size)
    return maps, layout.mixed or any(layout.roles[axis] in (CHANNEL, FLAT) for axis in axes)
