"""Coverage and holes of schedules: the exact rule and HDC against the set of sums."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from minidil import nn
from minidil.analysis import coverage, has_holes, hdc_accepts, hdc_distance, holes, receptive_field
from minidil.errors import OptionError


def sums(rates, kernels) -> set[int]:
    """Every sum of one tap per layer, spelt out."""
    return {
        sum(each) for each in product(*([k * r for k in range(taps)] for r, taps in zip(rates, kernels, strict=True)))
    }


def test_the_exact_rule_is_exact() -> None:
    compared = 0
    for taps, depth, largest in [(2, 4, 6), (3, 3, 9), (4, 3, 7), (5, 2, 12)]:
        for rates in product(range(1, largest + 1), repeat=depth):
            reached = sums(rates, [taps] * depth)
            assert has_holes(rates, taps) == (len(reached) <= max(reached))
            compared += 1
    for rates in product(range(1, 5), repeat=3):
        for kernels in product(range(1, 4), repeat=3):
            reached = sums(rates, kernels)
            assert has_holes(rates, kernels) == (len(reached) <= max(reached))
            compared += 1
    assert compared == 4240


def test_with_strides_between() -> None:
    for dilations, strides in product(product(range(1, 4), repeat=3), product((1, 2, 3), repeat=2)):
        rates = (dilations[0], dilations[1] * strides[0], dilations[2] * strides[0] * strides[1])
        reached = sums(rates, (3, 2, 3))
        seen = coverage(dilations, (3, 2, 3), (*strides, 1)).axes[0]
        assert set(np.flatnonzero(seen.paths)) == reached
        assert has_holes(dilations, (3, 2, 3), (*strides, 1)) == bool(seen.holes) == (len(reached) <= max(reached))


def test_repaired_hdc_is_the_exact_rule() -> None:
    compared = 0
    for taps, (depth, largest) in product((2, 3, 4, 5, 7), ((1, 4), (2, 9), (3, 8), (4, 4))):
        for rates in product(range(1, largest + 1), repeat=depth):
            assert hdc_accepts(rates, taps) == (not has_holes(rates, taps))
            compared += 1
    assert compared == 4265


def test_published_hdc_is_as_the_paper_has_it() -> None:
    published = {(1, 2, 5): 2, (1, 2, 9): 5, (2, 2, 2): 2, (9, 2, 1): 3, (2, 3, 5): 3, (1, 4, 2): 6}
    for rates, distance in published.items():
        assert hdc_distance(rates, repaired=False) == distance
    wrong = [rates for rates in published if (published[rates] <= 3) == has_holes(rates)]
    assert wrong == [(2, 2, 2), (9, 2, 1), (2, 3, 5), (1, 4, 2)]
    assert hdc_distance((9, 2, 1)) == hdc_distance((1, 2, 9)) == 5


def test_for_kernels_of_three_the_repaired_recursion_is_the_published_one() -> None:
    for rates in product(range(1, 9), repeat=4):
        if rates == tuple(sorted(rates)) and rates[0] == 1:
            assert hdc_distance(rates) == hdc_distance(rates, repaired=False)


def test_coverage_of_a_plane() -> None:
    seen = coverage((2, 2, 2), ndim=2)
    assert (seen.seen, seen.size) == (49, 169)
    assert round(100 * seen.unseen_share) == 71
    assert holes((2, 2, 2)) == (-5, -3, -1, 1, 3, 5)
    assert holes((1, 2, 9)) == (-5, -4, 4, 5)
    assert holes((2, 3, 5)) == (-9, 9)
    uneven = coverage([(1, 2), (2, 2)], [(3, 1), (3, 3)], ndim=2)
    assert [axis.paths for axis in uneven.axes] == [(1, 1, 2, 1, 2, 1, 1), (1, 0, 1, 0, 1)]
    assert has_holes([(1, 2), (2, 2)], [(3, 1), (3, 3)], ndim=2)


@pytest.mark.parametrize(("rates", "kernel"), [((2, 2, 2), 3), ((1, 2, 9), 3), ((1, 3, 9), 3), ((3, 1, 2), 2)])
def test_it_is_what_the_layers_see(rates, kernel) -> None:
    model = nn.Sequential(*(nn.Conv1d(1, 1, kernel, dilation=r) for r in rates))
    assert receptive_field(model, (1, 40)).axes[0].paths == coverage(rates, kernel).axes[0].paths


def test_table() -> None:
    assert repr(coverage((1, 2), (3, 2), (2, 1), ndim=2)).splitlines() == [
        "layer  kernel  stride  dilation  field so far",
        "---------------------------------------------",
        "1           3       2         1             3",
        "2           2       1         2             7",
        "---------------------------------------------",
        "field 7x7: 36 of 49 positions are seen, 27 % are not",
    ]
    assert "every position is seen" in coverage((1, 2))._repr_html_()


def test_refusals() -> None:
    with pytest.raises(OptionError, match="dilations must be a sequence with an entry per layer"):
        coverage(())
    with pytest.raises(OptionError, match="3 layers but 2 entries of kernel_size"):
        has_holes((1, 2, 4), (3, 3))
    with pytest.raises(OptionError, match="dilations must be made of ints >= 1, not 0"):
        holes((1, 0))
    with pytest.raises(OptionError, match="ndim must be an int >= 1, not 0"):
        coverage((1, 2), ndim=0)
