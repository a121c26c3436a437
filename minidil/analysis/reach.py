"""From an output position back to the input: the set of positions reached, and the number of paths to each.

Let value v be computed from values u by maps that say which positions of u a position of v reads. Going back from the output
through the values, last made first,

    reached(u) = union over all uses of u of { i : some reached o of v reads i },
    paths(u)[i] = sum of paths(v)[o] over the same uses and all o that read i;

a sum of branches is a union of what they reach. On one axis this is done without borders, so that padding counts, as in the
literature; `inside` does it on all axes at once and on the real sizes, where what falls on padding reaches nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from minidil.analysis.taps import Positions, Taps
from minidil.analysis.trace import Trace

State = TypeVar("State")
Counts = dict[int, int]


def _back(
    trace: Trace,
    value: int,
    start: State,
    through: Callable[[State, list[Taps]], State],
    join: Callable[[State, State], State],
) -> State | None:
    """What arrives at the model's input; None if nothing does."""
    here = {value: start}
    for number in range(value, 0, -1):
        if number not in here:
            continue
        state = here.pop(number)
        for source, maps in trace.steps[number - 1].reads:
            found = through(state, maps)
            here[source] = join(here[source], found) if source in here else found
    return here.get(0)


def positions(trace: Trace, value: int, axis: int, at: int) -> Positions:
    """The input positions on one axis that position `at` of a value depends on, in order, padding included."""
    found = _back(trace, value, np.array([at]), lambda state, maps: _behind(state, maps[axis]), np.union1d)
    return np.zeros(0, np.int64) if found is None else found


def paths(trace: Trace, value: int, axis: int, at: int) -> Counts:
    """The number of paths to each of these positions: Python's ints, which do not overflow."""
    found = _back(trace, value, {at: 1}, lambda state, maps: _spread(state, maps[axis]), _added)
    return dict(sorted((found or {}).items()))


def _behind(at: Positions, taps: Taps) -> Positions:
    return at if taps.is_identity() else taps.behind(at)


def _spread(counts: Counts, taps: Taps) -> Counts:
    reached: Counts = {}
    if not counts or taps.is_identity():
        return counts
    read, counted = taps.read(np.fromiter(counts, np.int64, len(counts)))
    for number, row, valid in zip(counts.values(), read.tolist(), counted.tolist(), strict=True):
        for position, real in zip(row, valid, strict=True):
            if real:
                reached[position] = reached.get(position, 0) + number
    return reached


def _added(a: Counts, b: Counts) -> Counts:
    total = dict(a)
    for position, number in b.items():
        total[position] = total.get(position, 0) + number
    return total


def extent(trace: Trace, value: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Per axis, from the first to the last position that the middle of a value depends on, and where the field of 0 begins."""
    sizes, starts = [], []
    for axis, n in enumerate(trace.layout(value).sizes):
        seen, first = positions(trace, value, axis, n // 2), positions(trace, value, axis, 0)
        sizes.append(int(seen[-1] - seen[0]) + 1 if len(seen) else 0)
        starts.append(int(first[0]) if len(first) else 0)
    return tuple(sizes), tuple(starts)


def counted(trace: Trace, value: int, at: tuple[int, ...]) -> NDArray[np.float64]:
    """From how many combinations of taps the position `at` of a value reaches each position of the real input, (*S).

    Only what is really there counts: a path through padding is none. Exact up to 2^53.
    """
    start = np.zeros(trace.layout(value).sizes)
    start[at] = 1
    found = _back(trace, value, start, _carried, np.add)
    return np.zeros(trace.shape[1:]) if found is None else found


def _carried(state: NDArray[np.float64], maps: list[Taps]) -> NDArray[np.float64]:
    for axis, taps in enumerate(maps):
        if not taps.is_identity():
            state = np.moveaxis(np.moveaxis(state, axis, -1) @ taps.counts().astype(np.float64), -1, axis)
    return state


def inside(trace: Trace, value: int, at: tuple[int, ...]) -> NDArray[np.bool_]:
    """Which positions of the real input the position `at` of a value depends on, an array of the input's spatial shape."""
    start = np.zeros(trace.layout(value).sizes, bool)
    start[at] = True
    found = _back(trace, value, start, _through, np.logical_or)
    return np.zeros(trace.shape[1:], bool) if found is None else found


def _through(state: NDArray[np.bool_], maps: list[Taps]) -> NDArray[np.bool_]:
    for axis, taps in enumerate(maps):
        if taps.is_identity():
            continue
        matrix = taps.matrix().astype(np.float32)  # (out, size)
        moved = np.moveaxis(state, axis, -1).astype(np.float32) @ matrix > 0
        state = np.moveaxis(moved, -1, axis)
    return state


def jumps(trace: Trace) -> list[list[Fraction]]:
    """For every value and axis, how far apart in the input the fields of two neighbours are; the largest where branches join."""
    found = [[Fraction(1)] * len(trace.input_layout.sizes)]
    for step in trace.steps:
        branches = [[found[source][axis] * taps.jump for axis, taps in enumerate(maps)] for source, maps in step.reads]
        found.append([max(each) for each in zip(*branches, strict=True)])
    return found
