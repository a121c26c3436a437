"""The numbers that the explorer shows of one output position, and the words for them. The page has the same in JavaScript."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from minidil.analysis import reach
from minidil.analysis.explorer.network import Network
from minidil.analysis.schedule import Layer, first_gap, hdc_distance
from minidil.analysis.taps import Slide
from minidil.errors import OptionError

_LISTED = 8


@dataclass(frozen=True, eq=False)
class Look:
    """What one position of a layer's output depends on, per axis of the input and on all of them.

    at: the position. out: the positions that there are. size, jump, start, first, paths: as in `AxisField`.
    counted: the paths to each position of the real input, (*S), none of them through padding.
    """

    at: tuple[int, ...]
    out: tuple[int, ...]
    size: tuple[int, ...]
    jump: tuple[Fraction, ...]
    start: tuple[int, ...]
    first: tuple[int, ...]
    paths: tuple[tuple[int, ...], ...]
    counted: NDArray[np.float64]
    parameters: int

    @property
    def box(self) -> tuple[tuple[int, int], ...]:
        """Per axis, the first position of the real input in the field, and the one behind the last."""
        return tuple(
            (min(max(first, 0), n), max(min(first + len(paths), n), 0))
            for first, paths, n in zip(self.first, self.paths, self.counted.shape, strict=True)
        )

    @property
    def within(self) -> int:
        """How many positions of the real input lie between the first and the last."""
        product = 1
        for first, end in self.box:
            product *= max(end - first, 0)
        return product

    @property
    def reached(self) -> int:
        """How many of them are reached."""
        return int(np.count_nonzero(self.counted))

    @property
    def unseen(self) -> float:
        """The share of them that are not."""
        return 1 - self.reached / self.within if self.within else 0.0

    @property
    def holes(self) -> tuple[tuple[int, ...], ...]:
        """Per axis, the positions between the first and the last to which no path leads."""
        return tuple(
            tuple(first + i for i, number in enumerate(paths) if not number)
            for first, paths in zip(self.first, self.paths, strict=True)
        )


def look(network: Network, depth: int | None = None, at: Sequence[int] | None = None) -> Look:
    """depth: the row looked back from, by default the network's. at: the output position, by default the middle.

    Raises: OptionError if there is no such row or position.
    """
    depth = network.depth if depth is None else depth
    if not 0 <= depth < len(network.rows):
        raise OptionError(f"explore: depth {depth} is none of the {len(network.rows)} layers, counted from 0")
    run, row = network.run, network.rows[depth]
    out = run.layout(row.value).sizes
    place = tuple(n // 2 for n in out) if at is None else tuple(at)
    if len(place) != len(out) or not all(0 <= i < n for i, n in zip(place, out, strict=True)):
        raise OptionError(f"explore: at={at!r} is no position of an output of {out}")
    size, start = reach.extent(run, row.value)
    first, paths = [], []
    for axis, position in enumerate(place):
        found = reach.paths(run, row.value, axis, position)
        begin, end = (min(found), max(found)) if found else (0, -1)
        first.append(begin)
        paths.append(tuple(found.get(i, 0) for i in range(begin, end + 1)))
    return Look(
        place,
        out,
        size,
        tuple(reach.jumps(run)[row.value]),
        start,
        tuple(first),
        tuple(paths),
        reach.counted(run, row.value, place),
        network.parameters(depth),
    )


def chain(network: Network, value: int) -> list[list[Layer]] | None:
    """Per axis, the taps and rates of the windows up to this value, if it is made by windows alone, one after the other.

    Those of one tap are left out.
    """
    layers: list[list[Layer]] = [[] for _ in range(network.ndim)]
    jumps, steps, number = [1] * network.ndim, [], value
    while number:
        reads = network.run.steps[number - 1].reads
        if len(reads) != 1:
            return None
        number, maps = reads[0]
        steps.append(maps)
    for maps in reversed(steps):
        for axis, taps in enumerate(maps):
            if not isinstance(taps, Slide) or taps.stride < 1:
                return None
            if taps.kernel > 1:
                layers[axis].append(Layer(taps.kernel, taps.dilation * jumps[axis]))
            jumps[axis] *= taps.stride
    return layers


def facts(network: Network, depth: int, seen: Look) -> dict[str, str]:
    """The numbers in words, by the place where the page shows them."""
    tenths = (2000 * (seen.within - seen.reached) + seen.within) // (2 * seen.within) if seen.within else 0
    return {
        "field": " × ".join(f"{n:,}" for n in seen.size),
        "jump": each_of(seen.jump),
        "start": each_of(seen.start),
        "reached": f"{seen.reached:,} of {seen.within:,}",
        "unseen": f"{tenths // 10}.{tenths % 10} %",
        "parameters": f"{seen.parameters:,}",
        "output": " × ".join(f"{n:,}" for n in seen.out),
        "verdict": verdict(network, network.rows[depth].value, seen),
    }


def said(network: Network, depth: int, seen: Look) -> str:
    """One sentence for those who listen."""
    words = facts(network, depth, seen)
    return (
        f"Layer {network.rows[depth].name}: field {words['field']}, {words['reached']} positions reached, "
        f"{words['unseen']} unseen. {words['verdict']}"
    )


def verdict(network: Network, value: int, seen: Look) -> str:
    """Whether there are holes, where, and why."""
    words = _holes(seen)
    layers = chain(network, value)
    if layers is None:
        return words
    gap = next((found for found in map(first_gap, layers) if found), None)
    if gap is None:
        words += " No layer steps further than the smaller ones see without a gap."
    else:
        words += f" A step of {gap[0]:,} passes over what the smaller ones see without a gap, {gap[1]:,}."
    return words + _hdc(layers[0])


def _hdc(layers: Sequence[Layer]) -> str:
    """The two forms of the rule of HDC, where it applies: one kernel size, at least two layers."""
    taps = {layer.taps for layer in layers}
    if len(taps) != 1 or min(taps) < 2 or len(layers) < 2:
        return ""
    (k,), rates = taps, [layer.rate for layer in layers]
    published, repaired = (hdc_distance(rates, k, repaired=each) for each in (False, True))
    least = min(rates)
    right = (
        f"refuses (smallest rate {least:,}, not 1)"
        if least > 1
        else f"{'accepts' if repaired <= k else 'refuses'} (M₂ = {repaired:,})"
    )
    return f" HDC as published {'accepts' if published <= k else 'refuses'} (M₂ = {published:,}, K = {k}); repaired it {right}."


def _holes(seen: Look) -> str:
    if not any(seen.holes):
        return "No holes."
    names = ("rows", "columns") if len(seen.holes) == 2 else ("positions",)
    parts = []
    for name, holes in zip(names, seen.holes, strict=True):
        listed = ", ".join(map(signed, holes[:_LISTED])) + (f", … {signed(holes[-1])}" if len(holes) > _LISTED else "")
        parts.append(f"{name} {listed} ({len(holes):,})" if holes else f"no {name}")
    return f"Holes at {'; '.join(parts)}."


def signed(number: object) -> str:
    return str(number).replace("-", "−")


def each_of(values: Sequence[object]) -> str:
    words = list(map(signed, values))
    return words[0] if len(set(words)) == 1 else " × ".join(words)
