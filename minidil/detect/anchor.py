"""Anchors, the boxes that a detector starts from, and which of them has to find which box."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from minidil.errors import OptionError, ShapeError
from minidil.kernels.geometry import Ints, per_axis

BACKGROUND, BETWEEN = -1, -2  # what `match` says of an anchor without a box: nothing is there, or nobody should say


def anchors(
    map_size: Ints, stride: int, sizes: Sequence[float], ratios: Sequence[float] = (1.0,)
) -> NDArray[np.float64]:
    """One box of every size and ratio around the middle of each cell of a map: (H W A, 4), A = len(sizes) len(ratios).

    Cell (i, j) stands for the pixels stride i..stride (i + 1) and stride j..stride (j + 1), so its middle is stride (i + 1/2),
    where `roi_align` reads it, too. Rows come cell by cell, row by row, and in a cell ratio by ratio of the first size first.
    map_size: H and W. sizes: the root of the area, in pixels. ratios: height over width.
    Raises: OptionError unless all are positive.
    Source: Ren et al. 2015, arXiv:1506.01497, section 3.1.1.
    """
    height, width = per_axis(map_size, 2, "map_size", "anchors", least=1)
    (step,) = per_axis(stride, 1, "stride", "anchors", least=1)
    side, ratio = (np.asarray(values, np.float64) for values in (sizes, ratios))
    for name, values in (("sizes", side), ("ratios", ratio)):
        if values.ndim != 1 or not values.size or not ((values > 0) & np.isfinite(values)).all():
            raise OptionError(f"anchors: {name} must be numbers > 0, at least one, not {values.tolist()}")
    root = np.sqrt(ratio)
    half = np.stack([(side[:, np.newaxis] / root).ravel(), (side[:, np.newaxis] * root).ravel()], axis=1) / 2
    row, column = np.indices((height, width))
    middle = (np.stack([column, row], axis=2).reshape(-1, 1, 2) + 0.5) * step
    return np.concatenate([middle - half, middle + half], axis=2).reshape(-1, 4)


def match(iou: ArrayLike, high: float, low: float, *, keep_best: bool = False) -> NDArray[np.int64]:
    """For every anchor the number of its box, or BACKGROUND (-1), or BETWEEN (-2): iou (A, G) of A anchors and G boxes -> (A,).

    An anchor's box is the one it overlaps most, the first of equal ones, if their IoU is at least `high`. Below `low` it is
    background; between the two it is neither, and should cost nothing.
    keep_best: also an anchor that overlaps some box as much as no other anchor does has its own best box, however small the IoU
        is, so that no box goes without an anchor. One that no anchor touches does: there the best is 0, for all of them.
    Raises: ShapeError if iou has not two axes; OptionError if it is not in 0..1, or not 0 < low <= high <= 1.
    Source: Ren et al. 2015, arXiv:1506.01497, section 3.1.2.
    """
    overlap = np.asarray(iou, np.float64)
    if overlap.ndim != 2:
        raise ShapeError(f"match: iou must be (anchors, boxes), not {overlap.shape}")
    if not 0 < low <= high <= 1:
        raise OptionError(f"match: the thresholds must be 0 < low <= high <= 1, not low = {low} and high = {high}")
    if not ((overlap >= 0) & (overlap <= 1)).all():
        raise OptionError("match: iou must lie in 0..1, and be no NaN; box_iou(anchors, boxes) gives it")
    if not overlap.shape[1]:
        return np.full(len(overlap), BACKGROUND)
    best = overlap.argmax(axis=1)
    most = overlap.max(axis=1)
    found = np.where(most >= high, best, np.where(most < low, BACKGROUND, BETWEEN))
    if keep_best and len(overlap):
        top = overlap.max(axis=0)
        needed = ((overlap == top) & (top > 0)).any(axis=1)
        found[needed] = best[needed]
    return found
