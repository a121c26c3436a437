"""Boxes on the host, NumPy arrays (N, 4) of (x1, y1, x2, y2) in pixels, computed in float64.

How a box b differs from an anchor a of width w and height h is coded by four numbers that depend on neither place nor size:

    t = ((x_b - x_a) / w_a, (y_b - y_a) / h_a, log(w_b / w_a), log(h_b / h_a)),      x and y the middles.

A network guesses t; `decode` turns its guess into boxes, and is the inverse of `encode`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from minidil.errors import OptionError, ShapeError
from minidil.kernels.backend import active
from minidil.ops.boxes import Boxes, as_boxes, as_column, as_table

# Of log(w_b / w_a): a first guess gone wild must not overflow exp. Everybody has this number.
LARGEST = math.log(1000 / 16)


def box_iou(a: ArrayLike, b: ArrayLike, crowd: ArrayLike | None = None) -> NDArray[np.float64]:
    """Intersection over union of every box of a (N, 4) with every box of b (M, 4), (N, M); 0 for two that cover nothing.

    crowd: bools (M,). A box of b that stands for a crowd is no union's part: over the area of a's box alone, as COCO has it.
    Raises: ShapeError, DtypeError or OptionError for what are no boxes: inverted, not finite, not four numbers.
    """
    first, second = as_boxes("box_iou", a, "a"), as_boxes("box_iou", b, "b")
    marked = None if crowd is None else as_column("box_iou", crowd, len(second), "crowd", np.bool_)
    return active().box_iou(first, second, marked)


def encode(boxes: ArrayLike, anchors: ArrayLike, weights: Sequence[float] = (1, 1, 1, 1)) -> NDArray[np.float64]:
    """The code of every box seen from its anchor: boxes (N, 4), anchors (N, 4) -> (N, 4).

    weights: factors of the four numbers, which bring them to about the size of 1.
    Raises: ShapeError, DtypeError or OptionError for what are no boxes, or boxes without area, which have no logarithm.
    Source: Girshick et al. 2014, arXiv:1311.2524, appendix C.
    """
    found, from_ = as_boxes("encode", boxes, with_area=True), as_boxes("encode", anchors, "anchors", with_area=True)
    _check_pairs("encode", "boxes", found, from_)
    middle, size = _middle_and_size(found)
    anchor_middle, anchor_size = _middle_and_size(from_)
    code = np.hstack([(middle - anchor_middle) / anchor_size, np.log(size / anchor_size)])
    return code * _four("encode", weights)


def decode(deltas: ArrayLike, anchors: ArrayLike, weights: Sequence[float] = (1, 1, 1, 1)) -> NDArray[np.float64]:
    """The boxes of codes (N, 4) seen from anchors (N, 4). A box is at most 1000/16 times as wide and high as its anchor.

    Raises: as `encode`; OptionError also for a code that is not finite, which a network gives whose training has diverged.
    """
    code, from_ = as_table("decode", deltas, "deltas"), as_boxes("decode", anchors, "anchors", with_area=True)
    _check_pairs("decode", "deltas", code, from_)
    code = code / _four("decode", weights)
    anchor_middle, anchor_size = _middle_and_size(from_)
    middle = anchor_middle + code[:, :2] * anchor_size
    half = anchor_size * np.exp(np.minimum(code[:, 2:], LARGEST)) / 2
    return np.hstack([middle - half, middle + half])


def clip_boxes(boxes: ArrayLike, size: Sequence[int]) -> NDArray[np.float64]:
    """Boxes limited to a picture of this height and width; one that lies outside has no area then."""
    height, width = size
    limit = np.array([width, height, width, height])
    return np.clip(as_boxes("clip_boxes", boxes), 0, limit)


def nms(boxes: ArrayLike, scores: ArrayLike, threshold: float, labels: ArrayLike | None = None) -> NDArray[np.int64]:
    """Non-maximum suppression: which boxes stay, by falling score, where each removes those of lower score with IoU > threshold.

    Of equal scores the first goes first. An IoU that equals the threshold removes nothing.
    labels: ints (N,); boxes of different labels leave each other alone. They are compared as they are, and not, as elsewhere,
        told apart by moving the boxes of each label far away, where coordinates round.
    Raises: as `box_iou`; OptionError for a threshold outside 0..1 or a score that is NaN.
    """
    found = as_boxes("nms", boxes)
    score = as_column("nms", scores, len(found), "scores", np.float64)
    group = (
        np.zeros(len(found), np.int64) if labels is None else as_column("nms", labels, len(found), "labels", np.int64)
    )
    if not 0 <= threshold <= 1:
        raise OptionError(f"nms: threshold must lie in 0..1, not {threshold}")
    if np.isnan(score).any():
        raise OptionError(f"nms: scores[{int(np.argmax(np.isnan(score)))}] is NaN, which has no place in an order")
    order = np.argsort(-score, kind="stable")
    return order[active().nms(found[order], group[order], threshold)]


def _middle_and_size(boxes: Boxes) -> tuple[Boxes, Boxes]:
    return (boxes[:, :2] + boxes[:, 2:]) / 2, boxes[:, 2:] - boxes[:, :2]


def _check_pairs(op: str, name: str, rows: Boxes, anchors: Boxes) -> None:
    if len(rows) != len(anchors):
        raise ShapeError(
            f"{op}: every row needs its anchor, but there are {len(rows)} {name} and {len(anchors)} anchors"
        )


def _four(op: str, weights: Sequence[float]) -> NDArray[np.float64]:
    found = np.asarray(weights, np.float64)
    if found.shape != (4,) or not (found > 0).all():
        raise OptionError(f"{op}: weights must be four numbers > 0, not {weights}")
    return found
