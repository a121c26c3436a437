"""Anchors and their boxes, written out."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from minidil.detect import anchors, box_iou, match
from minidil.detect.anchor import BACKGROUND, BETWEEN
from minidil.errors import OptionError, ShapeError


def test_one_cell_after_the_other():
    found = anchors((2, 3), 4, (4,))
    assert_array_equal(found[:3], [[0, 0, 4, 4], [4, 0, 8, 4], [8, 0, 12, 4]])  # cells of 4 pixels, tiled without a gap
    assert_array_equal(found[3:], np.add(found[:3], [0, 4, 0, 4]))


def test_sizes_and_ratios():
    found = anchors(1, 10, (6, 12), (0.25, 1, 4))
    assert_array_equal((found[:, :2] + found[:, 2:]) / 2, np.full((6, 2), 5))
    width, height = (found[:, 2:] - found[:, :2]).T
    assert_allclose(width, [12, 6, 3, 24, 12, 6])
    assert_allclose(height / width, [0.25, 1, 4] * 2)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"map_size": (2, 0)}, r"map_size must be made of ints >= 1, not \(2, 0\)"),
        ({"stride": 0.5}, "stride must be an int"),
        ({"sizes": ()}, r"sizes must be numbers > 0, at least one, not \[\]"),
        ({"sizes": (4, np.nan)}, r"sizes must be numbers > 0, at least one, not \[4.0, nan\]"),
        ({"ratios": (-1,)}, r"ratios must be numbers > 0, at least one, not \[-1.0\]"),
    ],
)
def test_refused(options, message):
    with pytest.raises(OptionError, match="anchors: " + message):
        anchors(**{"map_size": 2, "stride": 4, "sizes": (8,), **options})


def by_hand(iou, high, low, keep_best):
    """The rules of the paper, one anchor at a time."""
    found = []
    for row in iou:
        most = max(row, default=0)
        best = row.index(most) if row else None
        required = keep_best and any(row[g] > 0 and row[g] == max(other[g] for other in iou) for g in range(len(row)))
        if row and (most >= high or required):
            found.append(best)
        else:
            found.append(BACKGROUND if most < low else BETWEEN)
    return found


IOU = st.integers(0, 3).flatmap(
    lambda boxes: st.lists(
        st.lists(st.sampled_from([0, 0.1, 0.3, 0.5, 0.7, 1]), min_size=boxes, max_size=boxes), max_size=6
    )
)


@given(IOU, st.sampled_from([(0.7, 0.3), (0.5, 0.5), (1, 0.1)]), st.booleans())
def test_every_anchor_follows_the_rules(iou, thresholds, keep_best):
    shape = (len(iou), len(iou[0]) if iou else 0)
    found = match(np.reshape(iou, shape), *thresholds, keep_best=keep_best)
    assert found.dtype == np.int64
    assert found.tolist() == by_hand(iou, *thresholds, keep_best)


def test_a_box_that_no_anchor_touches_takes_none():
    """Its best IoU is 0, which every anchor has: elsewhere one box of no area makes an object of every anchor."""
    iou = box_iou(anchors(4, 4, (4,)), [[5, 5, 5, 9], [100, 100, 108, 108], [0, 0, 5, 4]])
    found = match(iou, 0.7, 0.3, keep_best=True)
    assert found[0] == 2
    assert set(found[1:]) == {BACKGROUND}


def test_the_best_anchor_of_a_small_box_keeps_it():
    iou = box_iou(anchors(4, 4, (8,)), [[6, 6, 9, 9]])
    assert iou.max() < 0.3
    assert_array_equal(match(iou, 0.7, 0.3), np.full(16, BACKGROUND))
    kept = match(iou, 0.7, 0.3, keep_best=True)
    assert_array_equal(np.flatnonzero(kept == 0), np.flatnonzero(iou[:, 0] == iou.max()))


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        (([0.5], 0.7, 0.3), ShapeError, r"match: iou must be \(anchors, boxes\), not \(1,\)"),
        (
            ([[0.5]], 0.3, 0.7),
            OptionError,
            "match: the thresholds must be 0 < low <= high <= 1, not low = 0.7 and high = 0.3",
        ),
        (([[np.nan]], 0.7, 0.3), OptionError, "match: iou must lie in 0..1, and be no NaN"),
        (([[1.5]], 0.7, 0.3), OptionError, "match: iou must lie in 0..1, and be no NaN"),
    ],
)
def test_what_is_no_iou_is_refused(given, error, message):
    with pytest.raises(error, match=message):
        match(*given)
