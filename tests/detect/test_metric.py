"""Average precision against answers that can be counted by hand, and against COCO's own program where it is installed."""

import contextlib
import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from minidil.detect import Detections, Truth, average_precision, f1
from minidil.errors import OptionError, ShapeError


def row(count, side=4, gap=6):
    """Boxes side by side."""
    start = gap * np.arange(count)
    return np.stack([start, np.zeros(count), start + side, np.full(count, side)], axis=1)


def of_one(boxes, scores, truth, **options):
    """The result for one picture."""
    return average_precision([Detections(boxes, scores)], [truth], **options)


def falling(count):
    return np.linspace(0.9, 0.1, count)


def test_all_found_and_nothing_else():
    found = of_one(row(7), falling(7), Truth(row(7)))
    assert (found.ap, found.ar, found.at(0.5), found.at(0.95)) == (1, 1, 1, 1)


def test_more_than_a_hundred_objects_in_a_picture():
    """Cut at 100, two thirds of 150 can be found: precision is 1 at the recalls 0, ..., 0.66, 67 of 101, and 0 beyond."""
    everything = of_one(row(150), falling(150), Truth(row(150)))
    cut = of_one(row(150), falling(150), Truth(row(150)), max_detections=100)
    assert (everything.ap, everything.ar) == (1, 1)
    assert (cut.ap, cut.ar) == (pytest.approx(67 / 101), pytest.approx(2 / 3))


def test_half_found():
    found = of_one(row(1), [0.9], Truth(row(2)))
    assert (found.ap, found.ar) == (pytest.approx(51 / 101), 0.5)  # at the recalls 0, ..., 0.5


def test_a_wrong_box_costs_where_it_is_surer_than_a_right_one():
    boxes = [[50, 50, 60, 60], *row(1)]
    assert of_one(boxes, [0.9, 0.8], Truth(row(1))).ap == 0.5
    assert of_one(boxes, [0.7, 0.8], Truth(row(1))).ap == 1


def test_a_box_found_twice_is_right_once():
    twice = [*row(2), *row(2)]
    assert of_one(twice, [0.9, 0.5, 0.8, 0.4], Truth(row(2))).ap == pytest.approx((51 + 50 * 2 / 3) / 101)
    assert of_one(twice, [0.9, 0.8, 0.5, 0.4], Truth(row(2))).ap == 1


def test_f1_counts_what_is_sure_and_right():
    """Of four true boxes two are found, beside one that is wrong: 2 * 2 / (3 + 4). What is not sure does not count."""
    boxes = np.concatenate([row(2), [[0, 20, 4, 24]], row(4)[2:]])
    found = Detections(boxes, [0.9, 0.8, 0.7, 0.4, 0.1])
    assert f1([found], [Truth(row(4))]).tolist() == [4 / 7]
    assert f1([found], [Truth(row(4))], score=0.4).tolist() == [6 / 8]
    assert f1([found], [Truth(row(4), [0, 1, 1, 1])]).tolist() == [2 / 7]
    assert f1([found], [Truth(row(2))], threshold=1).tolist() == [4 / 5]
    assert f1([found], [Truth([*row(2), [0, 20, 4, 24]], ignore=[False, False, True])]).tolist() == [1]
    nothing, none = Detections([], []), Truth([])
    assert_allclose(f1([nothing, nothing, found], [none, Truth(row(1)), none]), [np.nan, 0, 0])


def test_the_demand_on_iou_is_met_by_equality():
    half = of_one([[0, 0, 4, 2]], [0.5], Truth([[0, 0, 4, 4]]))
    assert (half.ap, half.at(0.5), half.at(0.55)) == (pytest.approx(0.1), 1, 0)
    assert of_one([[0, 0, 4, 4]], [0.5], Truth([[0, 0, 4, 4]]), thresholds=[1.0]).ap == 1


def test_in_a_crowd_any_number_of_boxes_is_neither_right_nor_wrong():
    """The crowd comes first, and the boxes in it are surer than the one that is right."""
    truth = Truth([[0, 10, 60, 20], *row(1)], crowd=[True, False])
    inside = np.add(row(5), [0, 10, 0, 10])
    assert of_one([*inside, *row(1)], [*falling(5), 0.05], truth).ap == 1
    half_inside = np.add(
        inside, [0, 8, 0, 8]
    )  # at an IoU of 0.5 that is enough, and at the nine others five of six are wrong
    assert of_one([*half_inside, *row(1)], [*falling(5), 0.05], truth).ap == pytest.approx((1 + 9 / 6) / 10)


def test_what_is_ignored_need_not_be_found_and_does_no_harm_once():
    truth = Truth(row(2), ignore=[True, False])
    assert of_one(row(2)[1:], [0.5], truth).ap == 1
    assert of_one(row(2), [0.9, 0.5], truth).ap == 1
    assert of_one([*row(1), *row(2)], [0.9, 0.8, 0.5], truth).ap == 0.5  # a second one on it is wrong


def test_a_box_that_counts_goes_before_a_better_one_that_is_ignored():
    truth = Truth([[0, 0, 10, 10], [0, 0, 10, 6]], ignore=[True, False])
    assert of_one([[0, 0, 10, 10]], [0.5], truth).at(0.5) == 1


def test_boxes_of_no_area_are_never_found():
    point = [[3, 3, 3, 3]]
    assert of_one(point, [0.9], Truth(point)).ap == 0
    assert of_one([*point, *row(1)], [0.9, 0.5], Truth(row(1))).ap == 0.5


def test_nothing_found_and_nothing_there():
    assert (of_one([], [], Truth(row(3))).ap, of_one([], [], Truth(row(3))).ar) == (0, 0)
    nothing = of_one(row(1), [0.5], Truth([]))
    assert np.isnan([nothing.ap, nothing.ar, nothing.at(0.5)]).all()
    assert np.isnan(of_one(row(1), [0.5], Truth(row(1), ignore=[True])).ap)


def test_classes_are_judged_apart_and_count_alike():
    truth = Truth(row(3), labels=[4, 4, 9])
    found = average_precision([Detections(row(3), falling(3), [4, 4, 4])], [truth])
    assert found.classes == (4, 9)
    assert_allclose(found.precision[0].mean(axis=0), [1, 0])
    assert found.ap == 0.5


def test_scores_are_compared_across_pictures():
    found = [Detections(row(1), [0.3]), Detections(row(1) + 50, [0.7])]
    assert average_precision(found, [Truth(row(1)), Truth(row(1))]).at(0.5) == pytest.approx(51 * 0.5 / 101)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: average_precision([], [Truth([])]), ShapeError, "0 pictures were searched, but the truth is of 1"),
        (
            lambda: of_one([], [], Truth([]), max_detections=0),
            OptionError,
            "max_detections must be an int >= 1, or None",
        ),
        (
            lambda: of_one([], [], Truth([]), thresholds=[0.0]),
            OptionError,
            r"thresholds must lie in 0..1, .*, not \(0.0,\)",
        ),
        (lambda: of_one([], [], Truth(row(1))).at(0.52), OptionError, "0.52 is none of the thresholds"),
        (lambda: Truth([[4, 0, 0, 4]]), OptionError, r"Truth: boxes\[0\] = \(4, 0, 0, 4\) is inverted"),
        (lambda: Truth(row(2), crowd=[True]), ShapeError, r"Truth: crowd must be \(2,\), one for each box, not \(1,\)"),
        (lambda: Truth(row(1), ignore=[2]), OptionError, "Truth: ignore must be bool, not int64 such as 2"),
        (lambda: Detections(row(1), [np.nan]), OptionError, r"Detections: scores\[0\] is NaN"),
        (lambda: Detections([[0, 0, np.nan, 1]], [1]), OptionError, r"Detections: boxes\[0\] = .* is not finite"),
        (lambda: Detections(row(2), [1, 2], [1]), ShapeError, r"labels must be \(2,\), one for each box, not \(1,\)"),
    ],
)
def test_refused(call, error, message):
    with pytest.raises(error, match=message):
        call()


# --- COCO's program


def annotations(pictures):
    """Their own form: x, y, width, height. It takes no ignore flag of ours, but ignores what lies outside its range of areas."""
    for image, picture in enumerate(pictures, start=1):
        for i, (x1, y1, x2, y2) in enumerate(picture.boxes):
            found = {"image_id": image, "category_id": int(picture.labels[i]) + 1, "bbox": [x1, y1, x2 - x1, y2 - y1]}
            found["area"] = (x2 - x1) * (y2 - y1)
            if isinstance(picture, Detections):
                yield {**found, "score": picture.scores[i]}
            else:
                found["area"] = 1e12 if picture.ignore[i] else found["area"]
                yield {**found, "iscrowd": int(picture.crowd[i])}


def cocos(found, truth, max_detections):
    coco, cocoeval = (pytest.importorskip(f"pycocotools.{name}") for name in ("coco", "cocoeval"))
    with contextlib.redirect_stdout(io.StringIO()):
        sets = []
        for pictures in (truth, found):
            data = coco.COCO()
            data.dataset = {
                "images": [{"id": image} for image in range(1, len(truth) + 1)],
                "categories": [{"id": category} for category in (1, 2)],
                "annotations": [{**entry, "id": i} for i, entry in enumerate(annotations(pictures), start=1)],
            }
            data.createIndex()
            sets.append(data)
        judge = cocoeval.COCOeval(*sets, "bbox")
        judge.params.maxDets = [max_detections]
        judge.params.areaRng, judge.params.areaRngLbl = [[0, 1e10]], ["all"]
        judge.evaluate()
        judge.accumulate()
    return judge.eval["precision"][:, :, :, 0, 0], judge.eval["recall"][:, :, 0, 0]


def agree(found, truth, max_detections):
    precision, recall = cocos(found, truth, max_detections)
    ours = average_precision(found, truth, max_detections=max_detections)
    there = [label in ours.classes for label in (0, 1)]
    for mine, theirs in ((ours.precision, precision), (ours.recall, recall)):
        assert (theirs[..., np.logical_not(there)] == -1).all()
        assert_allclose(np.nan_to_num(mine, nan=-1), theirs[..., there], rtol=1e-12)


SIDE = st.integers(0, 8)
BOX = st.tuples(SIDE, SIDE, SIDE, SIDE).map(lambda s: (min(s[::2]), min(s[1::2]), max(s[::2]), max(s[1::2])))
THERE = st.lists(st.tuples(BOX, st.integers(0, 1), st.booleans(), st.booleans()), max_size=5)
FOUND = st.lists(st.tuples(BOX, st.integers(0, 1), st.integers(0, 3)), max_size=6)


@given(st.lists(st.tuples(THERE, FOUND), min_size=1, max_size=3), st.sampled_from([1, 3, 100]))
def test_coco_says_the_same_of_small_pictures(pictures, max_detections):
    """Scores, overlaps and boxes are often equal, and often of no area, so all ties are met."""
    truth = [Truth(*[[entry[i] for entry in there] for i in range(4)]) for there, _ in pictures]
    found = [Detections(*[[entry[i] for entry in boxes] for i in (0, 2, 1)]) for _, boxes in pictures]
    agree(found, truth, max_detections)


@pytest.mark.parametrize("max_detections", [100, 1000])
def test_coco_says_the_same_of_crowded_pictures(max_detections):
    """150 boxes a picture, each found with an error, some not, some twice, among others that are not there."""
    rng = np.random.default_rng(0)
    truth, found = [], []
    for _ in range(3):
        corner = rng.integers(0, 400, (150, 2)) / 2
        boxes = np.hstack([corner, corner + rng.integers(4, 40, (150, 2)) / 2])
        labels = rng.integers(0, 2, 150)
        truth.append(Truth(boxes, labels, rng.random(150) < 0.05, rng.random(150) < 0.1))
        again = rng.choice(150, 220)
        moved = boxes[again] + rng.integers(-2, 3, (220, 4)) / 4
        moved[:, 2:] = np.maximum(moved[:, :2], moved[:, 2:])
        found.append(
            Detections(moved, rng.integers(0, 50, 220) / 50, np.where(rng.random(220) < 0.9, labels[again], 0))
        )
    agree(found, truth, max_detections)
