"""Boxes (N, 4) as (x1, y1, x2, y2): how much of one lies in another, and which of many that overlap stay."""

from __future__ import annotations

import numpy as np

from minidil.array import Array


def box_iou(a: Array, b: Array, crowd: Array | None) -> Array:
    """What a (N, 4) and b (M, 4) share, over what they cover together, (N, M); over a's own area alone where b is a crowd."""
    low, high = np.maximum(a[:, np.newaxis, :2], b[:, :2]), np.minimum(a[:, np.newaxis, 2:], b[:, 2:])
    width, height = np.moveaxis(np.maximum(high - low, 0), 2, 0)
    shared, own = width * height, _area(a)[:, np.newaxis]
    covered = own + _area(b) - shared
    if crowd is not None:
        covered = np.where(crowd, own, covered)
    return np.divide(shared, covered, out=np.zeros_like(shared), where=covered > 0)


def nms(boxes: Array, groups: Array, threshold: float) -> Array:
    """Which boxes are kept, (N,) bools: each, from the first on, removes those behind it with a larger IoU in its group."""
    kept = np.ones(len(boxes), bool)
    for i in range(len(boxes)):
        if kept[i]:
            overlap = box_iou(boxes[i : i + 1], boxes[i + 1 :], None)[0]
            kept[i + 1 :] &= (overlap <= threshold) | (groups[i + 1 :] != groups[i])
    return kept


def _area(boxes: Array) -> Array:
    return (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
