"""Where the values of a plan lie: each has a place in one piece of memory from the step that makes it to the last that reads it.

Two values that live at different times may share a place. The largest come first, each at the lowest place that is free while it
lives; which is not always the least memory (that is as hard as packing boxes), but never more than without sharing.
Source: Pisarchyk & Lee 2020, arXiv:2001.03288, section 4.2, greedy by size for offset calculation.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

_ALIGNED = 16  # numbers: a cache line of float32


class Life(NamedTuple):
    """Of a value of so many numbers: the steps that makes it, and the last that reads it."""

    size: int
    first: int
    last: int


def offsets(lives: Mapping[int, Life]) -> tuple[dict[int, int], int]:
    """The place of each value in numbers, and how many are needed in all; both are multiplied by the images of a batch."""
    placed: dict[int, int] = {}
    for value in sorted(lives, key=lambda value: (-lives[value].size, value)):
        life = lives[value]
        met = [(placed[other], _rounded(lives[other].size)) for other in placed if _meet(life, lives[other])]
        at = 0
        for start, size in sorted(met):
            if start - at >= _rounded(life.size):
                break
            at = max(at, start + size)
        placed[value] = at
    return placed, max((at + _rounded(lives[value].size) for value, at in placed.items()), default=0)


def lives_of(
    reads: Sequence[Sequence[int]], makes: Sequence[int], sizes: Mapping[int, int], output: int
) -> dict[int, Life]:
    """The lives of the values with a size; the result lives to the end."""
    first = {value: step for step, value in enumerate(makes)}
    last = {value: step for step, values in enumerate(reads) for value in values} | {output: len(makes)}
    return {value: Life(size, first[value], last.get(value, first[value])) for value, size in sizes.items()}


def _rounded(size: int) -> int:
    return -(-size // _ALIGNED) * _ALIGNED


def _meet(one: Life, other: Life) -> bool:
    return one.first <= other.last and other.first <= one.last
