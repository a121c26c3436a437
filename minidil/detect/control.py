"""Detectors to be beaten, which were never shown a box: the parts of a mask that hang together."""

from __future__ import annotations

import numpy as np

from minidil.array import Array
from minidil.detect.metric import Detections
from minidil.tasks.segmentation.components import components


def components_found(mask: Array, sure: Array | None = None, least: int = 3) -> Detections:
    """The boxes around the connected parts of a mask (H, W) of one class, 0 being background; all labels are 0.

    sure (H, W): how sure each pixel is, of which a part's score is the mean; None: the larger a part, the surer it is.
    least: of fewer pixels' height or width a part is left out.
    """
    parts = components(mask)
    rows, columns = np.nonzero(parts)
    numbers = parts[rows, columns] - 1
    count = int(parts.max(initial=0))
    low, high = np.full((count, 2), max(mask.shape)), np.zeros((count, 2), np.int64)
    for axis, places in enumerate((columns, rows)):
        np.minimum.at(low[:, axis], numbers, places)
        np.maximum.at(high[:, axis], numbers, places + 1)
    area = np.bincount(numbers, minlength=count)
    scores = area if sure is None else np.bincount(numbers, sure[rows, columns], count) / area
    large = ((high - low) >= least).all(axis=1)
    return Detections(np.hstack([low, high])[large], scores[large])
