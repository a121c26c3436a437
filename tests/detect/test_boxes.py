"""Boxes against exact fractions, a picture of cells, and non-maximum suppression written out pair by pair."""

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

import minidil as md
from minidil.detect import box_iou, clip_boxes, decode, encode, nms
from minidil.errors import DtypeError, OptionError, ShapeError

SIDE = st.integers(0, 6)
BOX = st.tuples(SIDE, SIDE, SIDE, SIDE).map(lambda s: (min(s[::2]), min(s[1::2]), max(s[::2]), max(s[1::2])))
BOXES = st.lists(BOX, max_size=12)


def cells(box):
    """The pixels that a box with whole corners covers."""
    return {(i, j) for i in range(box[1], box[3]) for j in range(box[0], box[2])}


def exact_iou(a, b):
    """As a fraction; 0 where nothing is covered."""
    covered = len(cells(a) | cells(b))
    return Fraction(len(cells(a) & cells(b)), covered) if covered else Fraction(0)


@given(BOXES, BOXES)
def test_iou_counts_pixels(backend, a, b):
    assert_array_equal(box_iou(a, b), np.reshape([float(exact_iou(p, q)) for p in a for q in b], (len(a), len(b))))


@given(BOXES, BOXES)
def test_a_crowd_has_no_union(a, b):
    expected = [len(cells(p) & cells(q)) / len(cells(p)) if cells(p) else 0 for p in a for q in b]
    assert_array_equal(box_iou(a, b, np.ones(len(b), bool)), np.reshape(expected, (len(a), len(b))))
    assert_array_equal(box_iou(a, b, np.zeros(len(b), bool)), box_iou(a, b))


def test_boxes_of_no_area_and_boxes_that_only_touch_share_nothing(backend):
    """0 / 0 is NaN elsewhere, and NaN matches everything or nothing, as the comparison goes."""
    point, line, square = (2, 2, 2, 2), (0, 1, 4, 1), (0, 0, 2, 2)
    assert_array_equal(box_iou([point, line], [point, line, square]), np.zeros((2, 3)))
    assert_array_equal(box_iou([square], [(2, 0, 4, 2), (0, 2, 2, 4), (2, 2, 4, 4)]), [[0, 0, 0]])
    assert_array_equal(nms([point, point], [0.5, 0.7], 0.0), [1, 0])


def exact_nms(boxes, order, threshold, labels):
    """Every pair, also of those removed already: a box stays unless one that stays, before it in the order, takes it."""
    stay = []
    for i in order:
        if not any(labels[i] == labels[j] and exact_iou(boxes[i], boxes[j]) > threshold for j in stay):
            stay.append(i)
    return stay


@given(st.lists(st.tuples(BOX, st.integers(0, 3), st.integers(0, 1)), max_size=14), st.sampled_from([0, 1, 2, 3, 4]))
def test_nms_looks_at_every_pair(backend, drawn, quarter):
    """Scores and labels come often twice, and the thresholds are numbers that IoUs of such boxes take."""
    boxes, scores, labels = [[entry[i] for entry in drawn] for i in range(3)]
    order = sorted(range(len(drawn)), key=lambda i: -scores[i])
    kept = nms(boxes, scores, quarter / 4, labels)
    assert kept.tolist() == exact_nms(boxes, order, Fraction(quarter, 4), labels)
    assert nms(boxes, scores, quarter / 4).tolist() == exact_nms(boxes, order, Fraction(quarter, 4), [0] * len(drawn))


def test_both_backends_keep_the_same_of_many():
    rng = np.random.default_rng(0)
    corner = rng.uniform(0, 100, (600, 2))
    boxes, scores = np.hstack([corner, corner + rng.uniform(1, 30, (600, 2))]), rng.uniform(size=600)
    kept = []
    for name in ("numpy", "numba"):
        with md.use(name):
            kept.append(nms(boxes, scores, 0.1))
    assert_array_equal(*kept)
    overlap = box_iou(boxes[kept[0]], boxes[kept[0]])
    assert (overlap - np.eye(len(overlap))).max() <= 0.1
    assert 100 < len(kept[0]) < 400


def test_labels_are_told_apart_however_many_and_far_out_the_boxes_are(backend):
    """Boxes moved by label 10^6 times the largest coordinate would lose their fractions in float32, and all stay."""
    boxes = np.array([[0, 0, 1, 1], [0, 0, 1, 0.9]], np.float32) + np.float32(4096)
    assert_array_equal(nms(boxes, [0.9, 0.8], 0.5, [10**6, 10**6]), [0])
    assert_array_equal(nms(boxes, [0.9, 0.8], 0.5, [10**6, 10**6 + 1]), [0, 1])


POSITIVE = st.floats(0.5, 40)
AREA = st.tuples(st.floats(-50, 50), st.floats(-50, 50), POSITIVE, POSITIVE).map(
    lambda s: (s[0], s[1], s[0] + s[2], s[1] + s[3])
)


@given(st.lists(st.tuples(AREA, AREA), max_size=5), st.sampled_from([(1, 1, 1, 1), (10, 10, 5, 5)]))
def test_decode_is_the_inverse_of_encode(pairs, weights):
    if not pairs:
        assert decode(encode([], []), []).shape == (0, 4)
        return
    boxes, from_ = map(np.array, zip(*pairs, strict=True))
    bounded = from_.copy()
    bounded[:, 2:] = from_[:, :2] + np.maximum(from_[:, 2:] - from_[:, :2], 1)  # no ratio over 40
    assert_allclose(decode(encode(boxes, bounded, weights), bounded, weights), boxes, atol=1e-11)


def test_known_codes():
    """A box twice as wide, half as high, one width to the right and half a height up."""
    anchor, box = [[10, 20, 14, 28]], [[12, 18, 20, 22]]
    assert_allclose(encode(box, anchor), [[1, -0.5, math.log(2), -math.log(2)]])
    assert_allclose(encode(box, anchor, (10, 10, 5, 5)), [[10, -5, 5 * math.log(2), -5 * math.log(2)]])
    assert_array_equal(decode([[0, 0, 0, 0]], anchor), anchor)


def test_a_wild_guess_is_limited_and_a_small_one_not():
    limit = decode([[0, 0, 1e30, 1e3]], [[-8, -16, 8, 16]])
    assert_allclose(limit, [[-500, -1000, 500, 1000]])
    assert_array_equal(decode([[0, 0, -1e30, -1e3]], [[-8, -16, 8, 16]]), [[0, 0, 0, 0]])


def test_boxes_outside_and_on_the_border():
    boxes = [[-5, -5, 3, 3], [9, 2, 30, 4], [-9, 0, -3, 2], [10, 6, 12, 8], [0, 0, 10, 6]]
    clipped = clip_boxes(boxes, (6, 10))
    assert_array_equal(clipped, [[0, 0, 3, 3], [9, 2, 10, 4], [0, 0, 0, 2], [10, 6, 10, 6], [0, 0, 10, 6]])


ONE = [[0, 0, 1, 1]]


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: box_iou([[0, 0, 1]], ONE), ShapeError, r"box_iou: a must be \(N, 4\), not \(1, 3\)"),
        (lambda: box_iou(ONE, [0, 0, 1, 1]), ShapeError, r"box_iou: b must be \(N, 4\), not \(4,\)"),
        (lambda: box_iou(ONE, [[True] * 4]), DtypeError, "box_iou: b must hold numbers, not bool"),
        (
            lambda: box_iou([[0, 0, 1, 1], [5, 2, 4, 8]], ONE),
            OptionError,
            r"a\[1\] = \(5, 2, 4, 8\) is inverted: boxes are",
        ),
        (lambda: box_iou(ONE, [[0, 0, np.nan, 1]]), OptionError, r"box_iou: b\[0\] = \(0, 0, nan, 1\) is not finite"),
        (lambda: box_iou(ONE, [[0, 0, np.inf, 1]]), OptionError, r"box_iou: b\[0\] = \(0, 0, inf, 1\) is not finite"),
        (lambda: box_iou(ONE, ONE, [True, False]), ShapeError, r"crowd must be \(1,\), one for each box, not \(2,\)"),
        (lambda: encode([[0, 0, 0, 2]], ONE), OptionError, r"encode: boxes\[0\] = \(0, 0, 0, 2\) has no area"),
        (lambda: encode(ONE, [[1, 1, 1, 1]]), OptionError, r"encode: anchors\[0\] = \(1, 1, 1, 1\) has no area"),
        (lambda: encode(ONE * 2, ONE), ShapeError, "encode: every row needs its anchor, .* 2 boxes and 1 anchors"),
        (lambda: encode(ONE, ONE, (1, 1, 0, 1)), OptionError, "encode: weights must be four numbers > 0, not"),
        (
            lambda: decode([[0, 0, np.nan, 0]], ONE),
            OptionError,
            r"decode: deltas\[0\] = \(0, 0, nan, 0\) is not finite",
        ),
        (lambda: decode([[0, 0, 0, 0]] * 3, ONE), ShapeError, "decode: .* 3 deltas and 1 anchors"),
        (lambda: nms(ONE, [0.1, 0.2], 0.5), ShapeError, r"nms: scores must be \(1,\), one for each box, not \(2,\)"),
        (lambda: nms(ONE * 2, [0.1, np.nan], 0.5), OptionError, r"nms: scores\[1\] is NaN"),
        (lambda: nms(ONE, [0.1], 1.5), OptionError, "nms: threshold must lie in 0..1, not 1.5"),
        (lambda: nms(ONE, [0.1], 0.5, [0.5]), OptionError, "nms: labels must be int64, not float64 such as 0.5"),
        (lambda: nms(ONE, ["much"], 0.5), DtypeError, "nms: scores must hold numbers, not <U4"),
        (lambda: nms([[3, 0, 1, 1]], [0.1], 0.5), OptionError, r"nms: boxes\[0\] = \(3, 0, 1, 1\) is inverted"),
    ],
)
def test_refused(call, error, message):
    with pytest.raises(error, match=message):
        call()
