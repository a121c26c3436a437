"""How the pictures were prepared with which networks were trained elsewhere."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from minidil.array import Array
from minidil.errors import ShapeError


@dataclass(frozen=True)
class Pixels:
    """(pixels - mean) / std, per channel of RGB, white being 255; bgr: the channels are then turned around.

    shape: (C, H, W) that the network was trained for; others do unless it says so.
    """

    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    shape: tuple[int, int, int] = (3, 224, 224)
    bgr: bool = False

    def prepare(self, pixels: Array) -> Array:
        """Images (N, 3, H, W) of RGB in 0 ... 255, as the network takes them: float32. Raises: ShapeError for other axes."""
        if pixels.ndim != 4 or pixels.shape[1] != 3:
            raise ShapeError(f"Pixels.prepare: pixels must be (N, 3, H, W), not {pixels.shape}")
        mean, std = (np.array(each, np.float32)[:, None, None] for each in (self.mean, self.std))
        ready = (pixels.astype(np.float32) - mean) / std
        return np.ascontiguousarray(ready[:, ::-1]) if self.bgr else ready


_TORCHVISION = Pixels((123.675, 116.28, 103.53), (58.395, 57.12, 57.375))

PIXELS: dict[str, Pixels] = {
    **dict.fromkeys(("vgg16", "resnet18", "resnet34", "resnet50"), _TORCHVISION),
    "efficientnet_lite0": Pixels((127.0, 127.0, 127.0), (128.0, 128.0, 128.0)),
    "hed": Pixels((122.67892, 116.66877, 104.00699), (1.0, 1.0, 1.0), bgr=True),
}
