"""The linter on the schedules of chapter 2, and its remedy against exhaustive search."""

from __future__ import annotations

from itertools import product

import pytest

from minidil.analysis import has_holes, lint
from minidil.errors import OptionError


def test_linter_names_the_problem_and_the_nearest_schedule() -> None:
    grid = lint((2, 2, 2), ndim=2)
    assert repr(grid) == (
        "2, 2, 2: all rates are multiples of 2, so it sees a grid; 71 % of the pixels of its field of 13x13 are not seen; "
        "the nearest schedule without holes is 1, 2, 2"
    )
    leap = lint((1, 2, 9))
    assert leap.problem == (
        "a step of 9 passes over what the smaller ones see without a gap, 7 positions; 16 % of the positions of its field of 25 "
        "are not seen"
    )
    assert leap.nearest == (1, 3, 9)
    assert repr(lint((1, 2, 4))) == "1, 2, 4: no holes; it sees all of its field of 15"
    assert lint((9, 2, 1)).nearest == (9, 3, 1)  # each layer keeps its place


def test_the_nearest_is_the_nearest() -> None:
    good = [rates for rates in product(range(1, 10), repeat=3) if not has_holes(rates)]
    for rates in product(range(1, 10), repeat=3):
        found = lint(rates).nearest
        assert not has_holes(found)

        def distance(other, rates=rates) -> int:
            return sum(abs(a - b) for a, b in zip(rates, other, strict=True))

        assert distance(found) == min(map(distance, good))


def test_a_stride_that_skips_cannot_be_mended() -> None:
    verdict = lint((1, 1), (1, 3), (2, 1))
    assert verdict.nearest is None
    assert "no dilations help, since a stride is larger than what the layers up to it see" in repr(verdict)
    assert verdict.as_dict()["good"] is False


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"dilations": [(1, 1), (1, 5)]}, r"dilations of layer 2, \(1, 5\),"),
        ({"dilations": (1, 2), "kernel_size": [(3, 3), (3, 1)]}, r"kernel_size of layer 2, \(3, 1\),"),
        ({"dilations": (1, 2), "strides": [(1, 2), 1]}, r"strides of layer 1, \(1, 2\),"),
    ],
)
def test_axes_that_differ_are_not_judged_by_the_first(arguments: dict, words: str) -> None:
    with pytest.raises(OptionError, match=f"lint: {words} differ by axis, and one schedule is judged; judge each axis"):
        lint(**arguments, ndim=2)
