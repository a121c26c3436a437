"""Judging a schedule of dilations, and mending it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from minidil.analysis.schedule import Coverage, Layer, coverage, first_gap, layers_of
from minidil.errors import OptionError


@dataclass(frozen=True, repr=False)
class Verdict:
    """What is wrong with a schedule, if anything is.

    problem: in words, or None. nearest: the dilations without holes whose differences from the given ones add up to least, the
    largest field among these; the given ones where nothing is wrong, None where no dilations help. coverage: what it sees.
    """

    dilations: tuple[int, ...]
    problem: str | None
    nearest: tuple[int, ...] | None
    coverage: Coverage

    @property
    def good(self) -> bool:
        return self.problem is None

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "dilations": list(self.dilations),
            "good": self.good,
            "problem": self.problem,
            "nearest": None if self.nearest is None else list(self.nearest),
            "field": [axis.size for axis in self.coverage.axes],
            "seen": self.coverage.seen,
            "holes": list(self.coverage.axes[0].holes),
        }

    def __repr__(self) -> str:
        field = "x".join(str(axis.size) for axis in self.coverage.axes)
        given = ", ".join(map(str, self.dilations))
        if self.problem is None:
            return f"{given}: no holes; it sees all of its field of {field}"
        if self.nearest is None:
            return f"{given}: {self.problem}"
        return f"{given}: {self.problem}; the nearest schedule without holes is {', '.join(map(str, self.nearest))}"


def lint(
    dilations: Sequence[int], kernel_size: int | Sequence[int] = 3, strides: int | Sequence[int] = 1, *, ndim: int = 1
) -> Verdict:
    """What is wrong with a schedule of dilations, and the nearest one without holes.

    Arguments as for `coverage`, alike on all axes. Raises: OptionError as there, and if a layer differs by axis.
    """
    found = coverage(dilations, kernel_size, strides, ndim=ndim)
    _check_alike(found)
    given = tuple(each[0] for each in found.dilations)
    layers = layers_of(found.dilations, found.kernel_sizes, found.strides)[0]
    gap = first_gap(layers)
    if gap is None:
        return Verdict(given, None, given, found)
    rate, seen = gap
    factor = math.gcd(*(layer.rate for layer in layers if layer.taps > 1))
    cause = (
        f"all rates are multiples of {factor}, so it sees a grid"
        if factor > 1
        else f"a step of {rate} passes over what the smaller ones see without a gap, {seen} positions"
    )
    field = "x".join(str(axis.size) for axis in found.axes)
    shown = "positions" if ndim == 1 else "pixels" if ndim == 2 else "voxels"
    problem = f"{cause}; {100 * found.unseen_share:.0f} % of the {shown} of its field of {field} are not seen"
    nearest = _nearest(given, layers)
    if nearest is None:
        problem += "; no dilations help, since a stride is larger than what the layers up to it see"
    return Verdict(given, problem, nearest, found)


def _check_alike(found: Coverage) -> None:
    """Raises: OptionError if a layer is not the same on all axes."""
    settings = {"dilations": found.dilations, "kernel_size": found.kernel_sizes, "strides": found.strides}
    for name, layers in settings.items():
        for number, each in enumerate(layers, start=1):
            if len(set(each)) > 1:
                raise OptionError(
                    f"lint: {name} of layer {number}, {each}, differ by axis, and one schedule is judged; judge each axis by "
                    "itself"
                )


def _nearest(given: tuple[int, ...], layers: Sequence[Layer]) -> tuple[int, ...] | None:
    """Dilations without holes, the sum of whose differences from the given ones is least; of these, those that see most.

    In the order of rates, the layers so far matter only by what they see and what was changed. So a table of
    (field, change, dilations) is carried along, without entries that see no more than one that changed no more.
    """
    order = sorted(
        (place for place, layer in enumerate(layers) if layer.taps > 1), key=lambda place: layers[place].rate
    )
    states: list[tuple[int, int, dict[int, int]]] = [(1, 0, {})]
    for place in order:
        taps, jump = layers[place].taps, layers[place].rate // given[place]
        following = []
        for seen, changed, chosen in states:
            for dilation in range(1, min(seen // jump, max(given)) + 1):
                wider = seen + (taps - 1) * dilation * jump
                following.append((wider, changed + abs(dilation - given[place]), chosen | {place: dilation}))
        states, best = [], math.inf
        for state in sorted(following, key=lambda state: (-state[0], state[1])):
            if state[1] < best:
                states.append(state)
                best = state[1]
    if not states:
        return None
    _, _, chosen = min(states, key=lambda state: (state[1], -state[0]))
    return tuple(chosen.get(place, dilation) for place, dilation in enumerate(given))
