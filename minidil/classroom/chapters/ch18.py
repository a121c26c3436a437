"""Chapter 18, detection: how well boxes overlap, which of many stay, and where a box lies on a map."""

from collections.abc import Callable
from typing import Any

import numpy as np

from minidil.array import Array
from minidil.classroom.draw import Draw
from minidil.classroom.exercise import Exercise, Mistake

# What is expected


def iou(a: Array, b: Array) -> Array:
    """Intersection over union (N, M) of every box of a (N, 4) with every box of b (M, 4); 0 for two that cover nothing."""
    shared = _product(_overlaps(a, b))
    return _share(shared, _area(a)[:, None] + _area(b) - shared)


def kept(boxes: Array, scores: Array, threshold: float) -> Array:
    """The numbers of the boxes that stay, by falling score: each removes those behind it with an IoU above the threshold."""
    return _suppressed(boxes, np.argsort(-scores, kind="stable"), lambda value: value > threshold)


def samples(low: float, high: float, stride: int, bins: int) -> Array:
    """Where on a map of that stride the middles of the bins of a box from low to high lie, (bins,), cell 0 standing at 0."""
    return _placed(low / stride, high / stride, bins) - 0.5


def _overlaps(a: Array, b: Array) -> Array:
    """Width and height (N, M, 2) of what two boxes share."""
    return np.maximum(_sides(a, b), 0)


def _sides(a: Array, b: Array) -> Array:
    return np.asarray(np.minimum(a[:, None, 2:], b[:, 2:]) - np.maximum(a[:, None, :2], b[:, :2]))


def _product(sides: Array) -> Array:
    return np.asarray(sides[..., 0] * sides[..., 1])


def _area(boxes: Array) -> Array:
    return _product(boxes[:, 2:] - boxes[:, :2])


def _share(shared: Array, covered: Array) -> Array:
    return np.divide(shared, covered, out=np.zeros_like(shared), where=covered > 0)


def _suppressed(boxes: Array, order: Array, same: Callable[[float], bool], *, by_removed: bool = False) -> Array:
    """by_removed: what was removed removes others in its turn."""
    overlap, stay, removed = iou(boxes, boxes), list[int](), set[int]()
    for place, number in enumerate(order.tolist()):
        if number not in removed:
            stay.append(number)
        elif not by_removed:
            continue
        removed |= {other for other in order[place + 1 :].tolist() if same(overlap[number, other])}
    return np.array(stay, np.int64)


def _placed(low: float, high: float, bins: int) -> Array:
    return low + (np.arange(bins) + 0.5) * (high - low) / bins


# How cases are drawn


def _boxes(draw: Draw, count: int, most: int = 6) -> Array:
    """Boxes with whole corners, some of them without area."""
    rows = []
    for _ in range(count):
        x, y = draw.integer(0, 5), draw.integer(0, 5)
        rows.append((x, y, x + draw.integer(0, most), y + draw.integer(0, most)))
    return np.array(rows, np.float64)


def _iou_cases(draw: Draw) -> dict[str, Any]:
    return {"a": _boxes(draw, draw.integer(1, 3)), "b": _boxes(draw, draw.integer(1, 3))}


def _nms_cases(draw: Draw) -> dict[str, Any]:
    # Boxes in a row whose overlaps are known: moved by a, boxes of side 4 have an IoU of (4 - a) / (4 + a).
    # Half of them are surer the further to the left: the first removes the second, which must not remove the third.
    count = draw.integer(1, 6)
    scores = draw.reals(count)
    starts = np.cumsum([draw.integer(0, 4) for _ in range(count)]).astype(np.float64)
    boxes = np.stack([starts, np.zeros(count), starts + 4, np.full(count, 4.0)], axis=1)
    if draw.choice((True, False)):
        scores = np.sort(scores)[::-1]
    return {"boxes": boxes, "scores": scores, "threshold": draw.choice((0.5, 0.6, 1 / 3, 0.1, 0.0))}


def _sample_cases(draw: Draw) -> dict[str, Any]:
    low = draw.integer(0, 20)
    return {
        "low": float(low),
        "high": float(low + draw.integer(1, 20)),
        "stride": draw.choice((1, 4, 8, 16)),
        "bins": draw.integer(1, 5),
    }


# What students get wrong


def _iou_of_pixels(a: Array, b: Array) -> Array:
    sides = np.maximum(_sides(a, b) + 1, 0)
    areas = [_product(boxes[:, 2:] - boxes[:, :2] + 1) for boxes in (a, b)]
    shared = _product(sides)
    return _share(shared, areas[0][:, None] + areas[1] - shared)


def _iou_unclipped(a: Array, b: Array) -> Array:
    shared = _product(_sides(a, b))
    return _share(shared, _area(a)[:, None] + _area(b) - shared)


def _iou_counted_twice(a: Array, b: Array) -> Array:
    return _share(_product(_overlaps(a, b)), _area(a)[:, None] + _area(b))


def _iou_of_smaller(a: Array, b: Array) -> Array:
    return _share(_product(_overlaps(a, b)), np.minimum(_area(a)[:, None], _area(b)))


def _iou_of_one_axis(a: Array, b: Array) -> Array:
    shared, (own, others) = _overlaps(a, b)[..., 0], (boxes[:, 2] - boxes[:, 0] for boxes in (a, b))
    return _share(shared, own[:, None] + others - shared)


def _kept_at_equality(boxes: Array, scores: Array, threshold: float) -> Array:
    return _suppressed(boxes, np.argsort(-scores, kind="stable"), lambda value: value >= threshold)


def _kept_by_removed(boxes: Array, scores: Array, threshold: float) -> Array:
    order = np.argsort(-scores, kind="stable")
    return _suppressed(boxes, order, lambda value: value > threshold, by_removed=True)


def _kept_in_order_of_boxes(boxes: Array, scores: Array, threshold: float) -> Array:
    return _suppressed(boxes, np.arange(len(boxes)), lambda value: value > threshold)


def _kept_of_worst(boxes: Array, scores: Array, threshold: float) -> Array:
    return _suppressed(boxes, np.argsort(scores, kind="stable"), lambda value: value > threshold)


def _kept_beside_surest(boxes: Array, scores: Array, threshold: float) -> Array:
    order = np.argsort(-scores, kind="stable")
    overlap = iou(boxes, boxes)[order[0]]
    return np.array([number for number in order if number == order[0] or overlap[number] <= threshold], np.int64)


def _kept_by_number(boxes: Array, scores: Array, threshold: float) -> Array:
    return np.sort(kept(boxes, scores, threshold))


EXERCISES = (
    Exercise(
        name="ex18_1",
        title="Intersection over union",
        function="my_iou",
        signature="my_iou(a, b)",
        cases=_iou_cases,
        expected=iou,
        hints=(
            "What two intervals share reaches from the larger start to the smaller end. What if they do not meet?",
            "With a[:, None] and b the larger starts are np.maximum(a[:, None, :2], b[:, :2]), (N, M, 2). Lengths below 0 are 0. "
            "What both cover together is the sum of the areas without what was counted twice.",
            "sides = np.maximum(np.minimum(a[:, None, 2:], b[:, 2:]) - np.maximum(a[:, None, :2], b[:, :2]), 0); shared is the "
            "product of both sides; divide by area_a[:, None] + area_b - shared, where that is above 0.",
        ),
        mistakes=(
            Mistake(
                "pixels are counted",
                _iou_of_pixels,
                "You add 1 to each side, as if the corners were pixels. Coordinates are continuous: x2 - x1 is a width.",
            ),
            Mistake(
                "negative sides",
                _iou_unclipped,
                "Boxes that do not meet have sides below 0, and the product of two of them is an area that is not there.",
            ),
            Mistake(
                "the intersection is counted twice",
                _iou_counted_twice,
                "The sum of both areas holds what they share twice; their union holds it once.",
            ),
            Mistake(
                "over the smaller box",
                _iou_of_smaller,
                "You divide by the smaller area: a small box in a large one would fit perfectly. Divide by the union.",
            ),
            Mistake("one axis only", _iou_of_one_axis, "Boxes have a height, too: they may share columns and no row."),
        ),
        points=2,
        minutes=20,
        forbidden=("minidil.detect.box_iou",),
    ),
    Exercise(
        name="ex18_2",
        title="Non-maximum suppression",
        function="my_nms",
        signature="my_nms(boxes, scores, threshold)",
        cases=_nms_cases,
        expected=kept,
        hints=(
            "Which box stays for certain? Which others does it remove? And what is the question then, of those that are left?",
            "order = np.argsort(-scores, kind='stable'). Walk along it with a set of what is removed: a box that is not in it "
            "stays, and adds those behind it that overlap it by more than the threshold.",
            "for place, i in enumerate(order): if i in removed: continue; stay.append(i); "
            "removed.update(j for j in order[place + 1:] if iou[i, j] > threshold)",
        ),
        mistakes=(
            Mistake(
                "equality removes",
                _kept_at_equality,
                "An IoU that equals the threshold removes nothing: it must be larger.",
            ),
            Mistake(
                "the removed remove",
                _kept_by_removed,
                "A box that was removed says nothing any more: what only it overlaps stays.",
            ),
            Mistake(
                "only the surest removes",
                _kept_beside_surest,
                "The surest box has removed what it overlaps; now the surest of those that are left does, and so on.",
            ),
            Mistake(
                "in the order of the boxes",
                _kept_in_order_of_boxes,
                "The surest box goes first, wherever it stands in the list.",
            ),
            Mistake("the least sure first", _kept_of_worst, "argsort begins with the smallest; the surest goes first."),
            Mistake(
                "the answer is not by score",
                _kept_by_number,
                "The right boxes stay, but their numbers are asked for by falling score.",
            ),
        ),
        points=3,
        minutes=25,
        forbidden=("minidil.detect.nms",),
    ),
    Exercise(
        name="ex18_3",
        title="Half a pixel",
        function="my_samples",
        signature="my_samples(low, high, stride, bins)",
        cases=_sample_cases,
        expected=samples,
        hints=(
            "Where on the map does the box begin, and how long is it there? Where is the middle of its first bin?",
            "low / stride and high / stride, in cells; bin i reaches from i to i + 1 parts of the length. "
            "Cell 0 covers 0 ... 1. Where does it stand?",
            "low / stride + (np.arange(bins) + 0.5) * (high - low) / stride / bins, and half a cell less, "
            "since index 0 stands at the middle of cell 0, at 0.5.",
        ),
        mistakes=(
            Mistake(
                "cells stand at their corners",
                lambda low, high, stride, bins: _placed(low / stride, high / stride, bins),
                "Everything is read half a cell too far on: cell i covers i ... i + 1 and stands at i + 1/2.",
            ),
            Mistake(
                "half a pixel of the picture",
                lambda low, high, stride, bins: _placed((low - 0.5) / stride, (high - 0.5) / stride, bins),
                "The half is one of a cell of the map, not of a pixel of the picture: take it off after dividing.",
            ),
            Mistake(
                "the box is rounded",
                lambda low, high, stride, bins: _placed(low // stride, -(-high // stride), bins) - 0.5,
                "You round the box to whole cells, as RoIPool did. RoIAlign rounds nothing.",
            ),
            Mistake(
                "starts instead of middles",
                lambda low, high, stride, bins: low / stride + np.arange(bins) * (high - low) / stride / bins - 0.5,
                "These are the places where the bins begin; their middles are asked for.",
            ),
            Mistake(
                "from end to end",
                lambda low, high, stride, bins: np.linspace(low / stride, high / stride, bins) - 0.5,
                "The first sample lies on the box's border and the last on the other: a bin's middle is half a bin inside.",
            ),
        ),
        points=2,
        minutes=20,
    ),
)
