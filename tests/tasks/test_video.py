"""A clip as one picture."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from PIL import Image

from minidil.data import pictures
from minidil.errors import OptionError, ShapeError
from minidil.tasks.video import contact_sheet


def test_frames_lie_in_rows_on_white() -> None:
    clip = np.random.default_rng(0).integers(0, 255, (3, 5, 4, 3), dtype=np.uint8)
    sheet = contact_sheet(clip, columns=2)
    assert sheet.shape == (3, 3 * (4 + 2) + 2, 2 * (3 + 2) + 2)
    left = np.full_like(sheet, 255)
    for number in range(5):
        row, column = divmod(number, 2)
        place = (slice(None), slice(2 + 6 * row, 6 + 6 * row), slice(2 + 5 * column, 5 + 5 * column))
        assert_array_equal(sheet[place], clip[:, number])
        left[place] = sheet[place]
    assert_array_equal(sheet, left)


def test_small_frames_are_enlarged_by_a_whole_number() -> None:
    clip = np.arange(6, dtype=np.uint8).reshape(1, 1, 2, 3)
    sheet = contact_sheet(clip, least=5)
    assert_array_equal(sheet[0, 2:-2, 2:-2], clip[0, 0].repeat(3, axis=0).repeat(3, axis=1))
    assert_array_equal(contact_sheet(clip, least=2), contact_sheet(clip))


def test_what_is_no_clip_is_refused() -> None:
    with pytest.raises(ShapeError, match=r"contact_sheet: a clip is \(C, T, H, W\), not \(3, 4, 4\)"):
        contact_sheet(np.zeros((3, 4, 4), np.uint8))
    with pytest.raises(OptionError, match="columns and least must be at least 1, got 0 and 1"):
        contact_sheet(np.zeros((1, 1, 2, 2), np.uint8), columns=0)


@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_a_caption_stands_above_the_picture(mode: str) -> None:
    image = Image.new(mode, (60, 7), "gray")
    told = pictures.captioned(image, "words")
    assert (told.mode, told.width) == (mode, 60)
    assert_array_equal(np.asarray(told)[-7:], np.asarray(image))
    line = np.asarray(told)[:-7]
    assert line.min() < 100
    assert line[0].min() == line[-1].min() == 255
