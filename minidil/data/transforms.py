"""Batch transforms: callables (images, rng) -> images on whole float32 batches (N, C, H, W).

They never change their input. Everything random is drawn from `rng`, in an order that depends on the shape of the
batch alone. All are plain values: equal, hashable and printed with their settings.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from minidil.data.dataset import Floats
from minidil.errors import OptionError, ShapeError

Transform = Callable[[Floats, np.random.Generator], Floats]


@dataclass(frozen=True)
class Normalize:
    """(x - mean) / std for every channel, so that a set with that mean and deviation comes out with 0 and 1.

    mean, std: one number per channel, in units where white is 1: `Normalize(train.mean(), train.std())`, the training
    set's own always.
    Raises: OptionError if the lengths differ or a deviation is not positive; ShapeError for a batch with another
        number of channels.
    """

    mean: Sequence[float] | Floats
    std: Sequence[float] | Floats

    def __post_init__(self) -> None:
        object.__setattr__(self, "mean", tuple(float(value) for value in self.mean))
        object.__setattr__(self, "std", tuple(float(value) for value in self.std))
        if len(self.mean) != len(self.std):
            raise OptionError(
                f"Normalize: {len(self.mean)} means but {len(self.std)} deviations; give one of each per channel"
            )
        if not all(value > 0 for value in self.std):
            raise OptionError(
                f"Normalize: every deviation must be positive, got {self.std}; a constant channel needs 1"
            )

    def __call__(self, images: Floats, rng: np.random.Generator) -> Floats:
        if images.shape[1] != len(self.mean):
            raise ShapeError(
                f"Normalize: made for {len(self.mean)} channels, but the batch {images.shape} has {images.shape[1]}"
            )
        normal = images - np.array(self.mean, dtype=np.float32)[:, None, None]
        normal /= np.array(self.std, dtype=np.float32)[:, None, None]
        return normal


@dataclass(frozen=True)
class PadCrop:
    """Pad every side with `padding` zeros and cut the original size out again, at a place drawn for each image.

    After Normalize the zeros are the mean colour. Source: the CIFAR augmentation of Lee et al. 2015, arXiv:1409.5185,
    with padding 4.
    Raises: OptionError if padding is negative.
    """

    padding: int

    def __post_init__(self) -> None:
        if self.padding < 0:
            raise OptionError(f"PadCrop: padding must not be negative, got {self.padding}")

    def __call__(self, images: Floats, rng: np.random.Generator) -> Floats:
        n, _, height, width = images.shape
        pad = (self.padding, self.padding)
        padded = np.pad(images, ((0, 0), (0, 0), pad, pad))
        top, left = rng.integers(0, 2 * self.padding + 1, size=(2, n))
        # Every place that a crop can have, as a view (N, C, 2 padding + 1, 2 padding + 1, H, W): only picking copies.
        crops = np.lib.stride_tricks.sliding_window_view(padded, (height, width), axis=(2, 3))
        return crops[np.arange(n), :, top, left]


@dataclass(frozen=True)
class Flip:
    """Mirror each image left to right with probability p. Not for digits or letters, which have a direction.

    Raises: OptionError unless 0 <= p <= 1.
    """

    p: float = 0.5

    def __post_init__(self) -> None:
        if not 0 <= self.p <= 1:
            raise OptionError(f"Flip: p is a probability from 0 to 1, got {self.p}")

    def __call__(self, images: Floats, rng: np.random.Generator) -> Floats:
        chosen = rng.random(len(images)) < self.p
        flipped = images.copy()
        flipped[chosen] = images[chosen, :, :, ::-1]
        return flipped


@dataclass(frozen=True)
class Cutout:
    """Set a square of size x size pixels to 0, its centre drawn anywhere in the image: it may hang over the edge.

    After Normalize, 0 is the mean colour. Source: DeVries and Taylor 2017, arXiv:1708.04552 (size 16 for CIFAR-10, 8
    for CIFAR-100).
    Raises: OptionError if size is not positive.
    """

    size: int

    def __post_init__(self) -> None:
        if self.size < 1:
            raise OptionError(f"Cutout: size must be at least 1, got {self.size}")

    def __call__(self, images: Floats, rng: np.random.Generator) -> Floats:
        height, width = images.shape[2:]
        in_rows = self._covers(rng.integers(height, size=len(images)), height)
        in_columns = self._covers(rng.integers(width, size=len(images)), width)
        hole = in_rows[:, :, None] & in_columns[:, None, :]  # (N, H, W)
        return np.where(hole[:, None], np.float32(0), images)

    def _covers(self, centre: npt.NDArray[np.int64], length: int) -> npt.NDArray[np.bool_]:
        """Which of the positions 0..length-1 the hole covers, bool (N, length); a hole of 1 covers its centre."""
        offset = np.arange(length) - (centre[:, None] - self.size // 2)
        return (offset >= 0) & (offset < self.size)
