"""Schedules of dilations: what a stack of layers sees, its holes, and the rules that say whether there are any.

Layer l has K_l taps, dilation d_l and stride s_l. One step of its taps is r_l = d_l s_1 ... s_{l-1} input positions long, its
rate, and it adds to a position one of 0, r_l, ..., (K_l - 1) r_l. So the reached offsets are all sums of one such number per
layer; their order in the network does not matter, and axes do not meet.

The exact rule. Leave out layers with one tap, sort by rate, and let R_l = 1 + (K_1 - 1) r_1 + ... + (K_l - 1) r_l, R_0 = 1. Then

    there is no hole  if and only if  r_l <= R_{l-1} for every l.

Sufficient: if the smaller ones reach all of 0 .. R_{l-1} - 1, copies of that at distances r_l <= R_{l-1} leave no gap. Necessary:
take the first l with r_l > R_{l-1}; the position R_{l-1} lies beyond what smaller rates reach, a sum with r_l or a larger rate is
beyond it, and the last position is at least r_l, so it lies inside the field. Chapter 2 tries it on 45,416 schedules.

The rule of hybrid dilated convolution (HDC; Wang et al. 2018, arXiv:1702.08502, section 3.2) is M_2 <= K for

    M_n = r_n,    M_i = max[ M_{i+1} - 2 r_i,  M_{i+1} - 2 (M_{i+1} - r_i),  r_i ].

It never looks at r_1, depends on the order and counts the taps of a kernel of 3: it accepts (2, 2, 2), which has holes. Repaired,

    sorted rates, r_1 = 1,    M_i = max[ M_{i+1} - (K - 1) r_i,  r_i ],    M_2 <= K,

it is the exact rule: unrolled, M_2 <= K says r_l <= K + (K - 1)(r_2 + ... + r_{l-1}) = R_{l-1}.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from minidil.analysis.tables import as_html, as_text
from minidil.errors import OptionError
from minidil.kernels.geometry import Ints, per_axis


@dataclass(frozen=True)
class Layer:
    """One layer of a schedule along one axis: its taps, and its rate, the input positions from one tap to the next."""

    taps: int
    rate: int


@dataclass(frozen=True)
class AxisCoverage:
    """What one output sees along an axis: for each position of the field the number of paths, 0 being a hole."""

    paths: tuple[int, ...]

    @property
    def size(self) -> int:
        """The field, from the first position to the last."""
        return len(self.paths)

    @property
    def seen(self) -> int:
        """How many positions of the field are reached."""
        return self.size - self.paths.count(0)

    @property
    def holes(self) -> tuple[int, ...]:
        """The positions of the field that are not reached, counted from its middle (the left one of two)."""
        return tuple(i - (self.size - 1) // 2 for i, number in enumerate(self.paths) if not number)


@dataclass(frozen=True, repr=False)
class Coverage:
    """What one output of a stack sees, per axis; `seen` of `size` positions on all axes together."""

    dilations: tuple[tuple[int, ...], ...]
    kernel_sizes: tuple[tuple[int, ...], ...]
    strides: tuple[tuple[int, ...], ...]
    axes: tuple[AxisCoverage, ...]

    @property
    def size(self) -> int:
        return math.prod(axis.size for axis in self.axes)

    @property
    def seen(self) -> int:
        return math.prod(axis.seen for axis in self.axes)

    @property
    def unseen_share(self) -> float:
        """The share of the positions of the field that no path leads to."""
        return 1 - self.seen / self.size

    def _table(self) -> list[tuple[str, ...]]:
        rows: list[tuple[str, ...]] = [("layer", "kernel", "stride", "dilation", "field so far")]
        for number in range(1, len(self.dilations) + 1):
            so_far = [
                1 + sum((layer.taps - 1) * layer.rate for layer in layers[:number])
                for layers in layers_of(self.dilations, self.kernel_sizes, self.strides)
            ]
            kernel, stride, dilation = (each[number - 1] for each in (self.kernel_sizes, self.strides, self.dilations))
            rows.append((str(number), *map(_times, (kernel, stride, dilation, so_far))))
        return rows

    def _notes(self) -> list[str]:
        field = _times([axis.size for axis in self.axes], always=True)
        if self.seen == self.size:
            return [f"field {field}: every position is seen"]
        return [
            f"field {field}: {self.seen:,} of {self.size:,} positions are seen, {100 * self.unseen_share:.0f} % are not"
        ]

    def __repr__(self) -> str:
        return as_text(self._table(), 1, self._notes())

    def _repr_html_(self) -> str:
        return as_html(self._table(), 1, self._notes())


def coverage(
    dilations: Sequence[Ints],
    kernel_size: Ints | Sequence[Ints] = 3,
    strides: Ints | Sequence[Ints] = 1,
    *,
    ndim: int = 1,
) -> Coverage:
    """What one output of a stack of convolutions (or poolings) sees, away from the borders.

    dilations: one entry per layer, each an int or one int per axis. kernel_size, strides: one int for all layers, or one entry
        per layer like those of dilations. ndim: the number of axes.
    Raises: OptionError if these are not ints >= 1 or not as many as there are layers.
    """
    rates, kernels, steps = _per_layer(dilations, kernel_size, strides, ndim)
    axes = tuple(AxisCoverage(_paths(layers)) for layers in layers_of(rates, kernels, steps))
    return Coverage(rates, kernels, steps, axes)


def holes(
    dilations: Sequence[int], kernel_size: int | Sequence[int] = 3, strides: int | Sequence[int] = 1
) -> tuple[int, ...]:
    """The positions of the field that the stack does not see, along one axis and counted from its middle; see `coverage`."""
    return coverage(dilations, kernel_size, strides).axes[0].holes


def has_holes(
    dilations: Sequence[Ints],
    kernel_size: Ints | Sequence[Ints] = 3,
    strides: Ints | Sequence[Ints] = 1,
    *,
    ndim: int = 1,
) -> bool:
    """Whether the stack leaves out a position of its field, by the exact rule and without listing the positions.

    Any kernel size per layer, any order, any strides, arguments as for `coverage`.
    """
    return any(first_gap(layers) for layers in layers_of(*_per_layer(dilations, kernel_size, strides, ndim)))


def hdc_distance(dilations: Sequence[int], kernel_size: int = 3, *, repaired: bool = True) -> int:
    """M_2 of the HDC recursion: repaired, or as published, which has no kernel size in it. Of one layer, its dilation.

    Source: Wang et al. 2018, arXiv:1702.08502, equation 2.
    """
    ((rates, _, _), taps) = _per_layer(dilations, kernel_size, 1, 1), kernel_size
    order = [rate for (rate,) in rates]
    order = sorted(order) if repaired else order
    distance = order[-1]
    for rate in reversed(order[1:-1]):
        if repaired:
            distance = max(distance - (taps - 1) * rate, rate)
        else:
            distance = max(distance - 2 * rate, distance - 2 * (distance - rate), rate)
    return distance


def hdc_accepts(dilations: Sequence[int], kernel_size: int = 3) -> bool:
    """The repaired rule of HDC, for one kernel size >= 2 and no strides: r_1 = 1 and M_2 <= K. It agrees with `has_holes`."""
    return min(dilations) == 1 and (len(dilations) == 1 or hdc_distance(dilations, kernel_size) <= kernel_size)


def layers_of(
    dilations: Sequence[Sequence[int]], kernels: Sequence[Sequence[int]], strides: Sequence[Sequence[int]]
) -> list[list[Layer]]:
    """For each axis the layers, in the order of the network."""
    axes = []
    for axis in range(len(dilations[0])):
        jump, layers = 1, []
        for dilation, kernel, stride in zip(dilations, kernels, strides, strict=True):
            layers.append(Layer(kernel[axis], dilation[axis] * jump))
            jump *= stride[axis]
        axes.append(layers)
    return axes


def first_gap(layers: Sequence[Layer]) -> tuple[int, int] | None:
    """(r_l, R_{l-1}) of the first layer in the order of rates that steps over what the smaller ones see; None if none does."""
    seen = 1
    for layer in sorted(layers, key=lambda layer: layer.rate):
        if layer.taps > 1 and layer.rate > seen:
            return layer.rate, seen
        seen += (layer.taps - 1) * layer.rate
    return None


def _paths(layers: Sequence[Layer]) -> tuple[int, ...]:
    counts = np.ones(1, object)
    for layer in layers:
        wider = np.zeros(len(counts) + (layer.taps - 1) * layer.rate, object)
        for tap in range(layer.taps):
            wider[tap * layer.rate : tap * layer.rate + len(counts)] += counts
        counts = wider
    return tuple(counts.tolist())


Each = tuple[tuple[int, ...], ...]


def _per_layer(dilations: object, kernel_size: object, strides: object, ndim: int) -> tuple[Each, Each, Each]:
    if isinstance(dilations, str) or not isinstance(dilations, Sequence) or not dilations:
        raise OptionError(
            f"schedule: dilations must be a sequence with an entry per layer, such as (1, 2, 4), not {dilations!r}"
        )
    if not isinstance(ndim, int) or isinstance(ndim, bool) or ndim < 1:
        raise OptionError(f"schedule: ndim must be an int >= 1, not {ndim!r}")
    spelt: list[Each] = []
    for name, given in (("dilations", dilations), ("kernel_size", kernel_size), ("strides", strides)):
        entries: Sequence[Any] = given if isinstance(given, Sequence) else [given] * len(dilations)
        if len(entries) != len(dilations):
            raise OptionError(f"schedule: {len(dilations)} layers but {len(entries)} entries of {name}, {given!r}")
        spelt.append(tuple(per_axis(entry, ndim, name, "schedule", least=1) for entry in entries))
    return spelt[0], spelt[1], spelt[2]


def _times(values: Sequence[int], always: bool = False) -> str:
    """3 for equal axes, else 3x5; always: 3x3 for equal ones, too."""
    words = list(map(str, values))
    return words[0] if len(set(words)) == 1 and not always else "x".join(words)
