"""Batch transforms: callables (images, rng) -> images on whole float32 batches (N, C, H, W).

They never change their input. Everything random is drawn from `rng`, in an order that depends on the shape of the
batch alone. All are plain values: equal, hashable and printed with their settings.

What a transform does may also depend on which images it gets, and in which epoch: it then has a method `at` that
gives the callable for that batch (see `Placed`).

Of masked and boxed images every transform says what becomes of masks and boxes: a `Moving` one moves them along, a `Still` one
leaves them alone.
"""

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from minidil.data.dataset import Floats, Labels
from minidil.data.moves import FILLS, Affine, AlternatingFlip, Crop, Flip, Move, Moving, PadCrop, Turn, Zoom
from minidil.errors import OptionError, ShapeError
from minidil.names import lookup

__all__ = [
    "FILLS",
    "Affine",
    "AlternatingFlip",
    "Crop",
    "Cutout",
    "Flip",
    "Move",
    "Moving",
    "Normalize",
    "PadCrop",
    "Placed",
    "Standardize",
    "Still",
    "Transform",
    "Turn",
    "Zoom",
]

Transform = Callable[[Floats, np.random.Generator], Floats]


@runtime_checkable
class Placed(Protocol):
    """A transform that depends on the place of a batch in the training: on its epoch and on which images it holds."""

    def at(self, epoch: int, indices: Labels) -> Transform:
        """The transform for the batch of images number `indices`, int64 (N,), of the set, in epoch 0, 1, ...

        A pure function of both, so that an epoch that is taken up in its middle goes on as it would have.
        """
        ...


class Still:
    """A transform that changes what pixels are and not where they are; derive from it to say so of one of your own."""


@dataclass(frozen=True)
class Normalize(Still):
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
class Standardize(Still):
    """(x - mean) / (std + 0.001) with the mean and deviation of each image itself, over all its channels and pixels.

    For pictures that are not alike bright, as under a microscope; the 0.001, a quarter of a grey level, keeps an image of one
    colour finite. dark_ground: images that are bright on the whole, with a mean above 1/2, are inverted first, 1 - x, so that
    what is looked for is bright on dark in all of them. Images are in units where white is 1.
    """

    dark_ground: bool = False

    def __call__(self, images: Floats, rng: np.random.Generator) -> Floats:
        mean = images.mean(axis=(1, 2, 3), keepdims=True)
        if self.dark_ground:
            bright = mean > 0.5
            images, mean = np.where(bright, 1 - images, images), np.where(bright, 1 - mean, mean)
        return (images - mean) / (images.std(axis=(1, 2, 3), keepdims=True) + np.float32(1e-3))


@dataclass(frozen=True)
class Cutout(Still):
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


def __getattr__(name: str) -> Any:
    return lookup.of_room("data.transforms", name, sys.modules[__name__])
