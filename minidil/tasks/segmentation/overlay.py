"""A mask drawn over its picture."""

import numpy as np
import numpy.typing as npt

from minidil.array import Array
from minidil.errors import ShapeError

# Okabe and Ito's colours, in an order in which neighbours differ most: orange, sky blue, green, yellow, blue, red, pink.
COLOURS = ((230, 159, 0), (86, 180, 233), (0, 158, 115), (240, 228, 66), (0, 114, 178), (213, 94, 0), (204, 121, 167))


def overlaid(image: Array, mask: Array) -> npt.NDArray[np.uint8]:
    """The picture as RGB, uint8 (3, H, W), each class but the background tinted by a third and outlined in full colour.

    image: uint8 (C, H, W) with 1 or 3 channels. mask: class numbers (H, W). A pixel is on the outline if one of the four
    beside it has another class.
    Raises: ShapeError if they do not go together.
    """
    if image.ndim != 3 or image.shape[0] not in (1, 3) or mask.shape != image.shape[1:]:
        raise ShapeError(
            f"overlaid: the image is (C, H, W) with 1 or 3 channels and the mask (H, W), not {image.shape} and {mask.shape}"
        )
    colours = np.array([(0, 0, 0), *COLOURS])[np.where(mask > 0, 1 + (mask - 1) % len(COLOURS), 0)].transpose(2, 0, 1)
    around = np.pad(mask, 1, mode="edge")
    sides = (around[:-2, 1:-1], around[2:, 1:-1], around[1:-1, :-2], around[1:-1, 2:])
    outline = np.any([side != mask for side in sides], axis=0)
    share = np.where(mask == 0, 0, np.where(outline, 3, 1))  # thirds of the colour
    picture = np.broadcast_to(image, (3, *mask.shape)).astype(np.int64)
    return ((picture * (3 - share) + colours * share) // 3).astype(np.uint8)
