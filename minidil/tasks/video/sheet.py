"""A clip as one picture."""

import numpy as np
import numpy.typing as npt

from minidil.array import Array
from minidil.errors import OptionError, ShapeError

_GAP = 2  # white pixels between frames, and around them


def contact_sheet(clip: Array, columns: int = 8, least: int = 1) -> npt.NDArray[np.uint8]:
    """The frames of a clip in rows, first to last, on white: uint8 (C, T, H, W) -> uint8 (C, H', W').

    columns: frames in a row. least: frames that are smaller are enlarged by the first whole number that makes both sides so long.
    Raises: ShapeError for another shape or no frame; OptionError for numbers below 1.
    """
    if clip.ndim != 4 or min(clip.shape) < 1:
        raise ShapeError(f"contact_sheet: a clip is (C, T, H, W), not {clip.shape}")
    if columns < 1 or least < 1:
        raise OptionError(f"contact_sheet: columns and least must be at least 1, got {columns} and {least}")
    factor = -(-least // min(clip.shape[2:]))
    frames = clip.repeat(factor, axis=2).repeat(factor, axis=3).swapaxes(0, 1)
    channels, height, width = frames.shape[1:]
    columns = min(columns, len(frames))
    rows = -(-len(frames) // columns)
    sheet = np.full((channels, rows * (height + _GAP) + _GAP, columns * (width + _GAP) + _GAP), 255, np.uint8)
    for number, frame in enumerate(frames):
        top, left = (
            place * (side + _GAP) + _GAP for place, side in zip(divmod(number, columns), (height, width), strict=True)
        )
        sheet[:, top : top + height, left : left + width] = frame
    return sheet
