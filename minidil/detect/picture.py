"""Boxes drawn over their picture."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from minidil.array import Array
from minidil.errors import ShapeError
from minidil.ops.boxes import as_boxes, as_column
from minidil.tasks.segmentation.overlay import COLOURS


def boxes_drawn(image: Array, boxes: ArrayLike, labels: Any = None) -> NDArray[np.uint8]:
    """The picture as RGB, uint8 (3, H, W), with a line one pixel wide just inside each box, in a colour for each class.

    image: uint8 (C, H, W) with 1 or 3 channels. boxes (N, 4); labels (N,), 0 by default. The first boxes lie on top; what is
    outside the picture is not seen.
    Raises: ShapeError, DtypeError or OptionError if they are no such things.
    """
    if image.ndim != 3 or image.shape[0] not in (1, 3):
        raise ShapeError(f"boxes_drawn: the image is (C, H, W) with 1 or 3 channels, not {image.shape}")
    found = as_boxes("boxes_drawn", boxes)
    classes = as_column(
        "boxes_drawn", np.zeros(len(found)) if labels is None else labels, len(found), "labels", np.int64
    )
    height, width = image.shape[1:]
    picture = np.broadcast_to(image, (3, height, width)).copy()
    for box, label in zip(found[::-1], classes[::-1], strict=True):
        x1, y1 = np.floor(box[:2]).astype(int)
        x2, y2 = np.maximum(np.ceil(box[2:]).astype(int) - 1, (x1, y1))  # the last column and row
        rows, columns = (slice(max(low, 0), max(high + 1, 0)) for low, high in ((y1, y2), (x1, x2)))
        colour = np.array(COLOURS[label % len(COLOURS)], np.uint8)[:, np.newaxis]
        for row in {y1, y2} & set(range(height)):
            picture[:, row, columns] = colour
        for column in {x1, x2} & set(range(width)):
            picture[:, rows, column] = colour
    return picture
