"""Boxes around the parts of a mask, and boxes drawn over a picture."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from minidil.detect import boxes_drawn, components_found
from minidil.errors import ShapeError
from minidil.tasks.segmentation.overlay import COLOURS


def test_parts_of_a_mask_have_the_boxes_of_their_pixels():
    mask = np.zeros((9, 12), np.uint8)
    mask[1:4, 2:8] = 1
    mask[5:8, 0:3] = 1
    mask[8, 5:10] = 1  # one pixel high
    found = components_found(mask)
    assert_array_equal(found.boxes, [[2, 1, 8, 4], [0, 5, 3, 8]])
    assert_array_equal(found.scores, [18, 9])
    sure = np.arange(9 * 12).reshape(9, 12) / 100
    assert_allclose(
        components_found(mask, sure, least=1).scores,
        [sure[1:4, 2:8].mean(), sure[5:8, :3].mean(), sure[8, 5:10].mean()],
    )
    assert len(components_found(mask * 0).boxes) == 0


def test_lines_lie_just_inside_the_boxes_and_the_first_on_top():
    image = np.full((1, 6, 8), 9, np.uint8)
    drawn = boxes_drawn(image, [[1, 1, 5, 4], [3.5, 0, 99, 99]], [0, 9])
    one, other = (np.array(COLOURS[label % len(COLOURS)]) for label in (0, 9))
    wanted = np.full((6, 8, 3), 9)
    wanted[0, 3:] = wanted[:, 3] = other
    wanted[1:4, 1:5] = np.where(np.pad(np.zeros((1, 2)), 1, constant_values=1)[..., None], one, wanted[1:4, 1:5])
    assert_array_equal(drawn.transpose(1, 2, 0), wanted)
    assert_array_equal(boxes_drawn(image, []), np.repeat(image, 3, axis=0))
    with pytest.raises(ShapeError, match=r"boxes_drawn: the image is \(C, H, W\) with 1 or 3 channels, not \(6, 8\)"):
        boxes_drawn(image[0], [])
    with pytest.raises(ShapeError, match=r"labels must be \(1,\), one for each box"):
        boxes_drawn(image, [[0, 0, 1, 1]], [1, 2])
