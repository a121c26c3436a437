"""Suppressing boxes that overlap: each pair is looked at once, and none whose answer nobody needs."""

from __future__ import annotations

import numpy as np

from minidil.array import Array
from minidil.kernels.cpu.jit import njit


def nms(boxes: Array, groups: Array, threshold: float) -> Array:
    """Which boxes are kept; see the reference."""
    kept = np.ones(len(boxes), np.bool_)
    _suppress(np.ascontiguousarray(boxes), np.ascontiguousarray(groups), float(threshold), kept)
    return kept


def _remove(boxes: Array, groups: Array, threshold: float, kept: Array) -> None:
    for i in range(len(boxes)):
        if not kept[i]:
            continue
        x1, y1, x2, y2 = boxes[i]
        own = (x2 - x1) * (y2 - y1)
        for j in range(i + 1, len(boxes)):
            if not kept[j] or groups[j] != groups[i]:
                continue
            width = min(x2, boxes[j, 2]) - max(x1, boxes[j, 0])
            height = min(y2, boxes[j, 3]) - max(y1, boxes[j, 1])
            if width > 0 and height > 0:
                shared = width * height
                covered = own + (boxes[j, 2] - boxes[j, 0]) * (boxes[j, 3] - boxes[j, 1]) - shared
                kept[j] = not shared / covered > threshold


# As written, without fused multiplication: an IoU that equals the threshold must do so to the last bit, as in the reference.
_suppress = njit(_remove, cache=True, nogil=True, error_model="numpy")
