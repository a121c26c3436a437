"""What the explorer shows: a model or a schedule of dilations as windows along axes, for Python and as data for the page.

Both come to one thing, a `Trace`, with which all numbers are computed; the page gets the same windows as plain lists and
computes for itself what follows when somebody changes one. Steps that move nothing, as activations, are left out there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from minidil.analysis.explorer.padding import padding_of, pads_of
from minidil.analysis.taps import Part, Regions, Repeated, Resized, Slide, Spread, Taps, Whole
from minidil.analysis.trace import Trace

SLIDING = ("conv", "max_pool", "avg_pool")
WINDOWS = (*SLIDING, "conv_transpose")


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


def unmoved(run: Trace) -> list[int]:
    """For every value the earliest one of which it reads each position and no other, such as what an activation is of."""
    same = [0]
    for number, step in enumerate(run.steps, 1):
        alone = len(step.reads) == 1 and all(taps.is_identity() for taps in step.reads[0][1])
        same.append(same[step.reads[0][0]] if alone else number)
    return same


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
