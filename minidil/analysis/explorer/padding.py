"""Padding by rules that follow the kernel when that is changed, and the rule that some given windows obey."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

from minidil.analysis.taps import Slide, Spread

Padding: TypeAlias = str | list[int]


def half(reach: int) -> tuple[int, int]:
    """Padding that keeps the size at stride 1, for a window that reaches so much further than one position."""
    return reach // 2, reach - reach // 2


RULES: dict[str, Callable[[int], tuple[int, int]]] = {
    "half": half,
    "none": lambda reach: (0, 0),
    "causal": lambda reach: (reach, 0),
    "full": lambda reach: (reach, reach),
}


def padding_of(op: str, maps: Sequence[Slide | Spread]) -> list[Padding]:
    """Per axis, the rule that gives all these windows their padding; else the numbers before and after."""
    for rule in ("half", "none", "causal", "full") if "conv" in op else ("none", "half"):
        if all(
            out_of(taps, *RULES[rule](taps.dilation * (taps.kernel - 1))) == (taps.before, taps.out) for taps in maps
        ):
            return [rule] * len(maps)
    return [pads_of(taps) for taps in maps]


def pads_of(taps: Slide | Spread) -> list[int]:
    """The padding before, and as little after as gives the outputs that there are; negative where positions are left over."""
    span = taps.dilation * (taps.kernel - 1) + 1
    if isinstance(taps, Spread):
        return [taps.before, (taps.size - 1) * taps.stride + span - taps.before - taps.out]
    return [taps.before, (taps.out - 1) * taps.stride + span - taps.size - taps.before]


def out_of(taps: Slide | Spread, before: int, after: int) -> tuple[int, int]:
    """The padding before, and how many outputs there are."""
    span = taps.dilation * (taps.kernel - 1) + 1
    if isinstance(taps, Spread):
        return before, (taps.size - 1) * taps.stride + span - before - after
    return before, (taps.size + before + after - span) // taps.stride + 1
