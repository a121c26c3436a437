"""Batch transforms: callables (images, rng) -> images on whole float32 batches (N, C, H, W).

They never change their input. Everything random is drawn from `rng`, in an order that depends on the shape of the
batch alone. All are plain values: equal, hashable and printed with their settings.

What a transform does may also depend on which images it gets, and in which epoch: it then has a method `at` that
gives the callable for that batch (see `Placed`).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from minidil.data.dataset import Floats, Labels
from minidil.errors import OptionError, ShapeError

Transform = Callable[[Floats, np.random.Generator], Floats]

_FLIPS = 2  # the stream of random numbers of AlternatingFlip, beside the loader's two of epoch 0


@runtime_checkable
class Placed(Protocol):
    """A transform that depends on the place of a batch in the training: on its epoch and on which images it holds."""

    def at(self, epoch: int, indices: Labels) -> Transform:
        """The transform for the batch of images number `indices`, int64 (N,), of the set, in epoch 0, 1, ...

        A pure function of both, so that an epoch that is taken up in its middle goes on as it would have.
        """
        ...


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


FILLS = {"zeros": "constant", "reflect": "reflect"}
"""What PadCrop can pad with, and NumPy's name for it."""


@dataclass(frozen=True)
class PadCrop:
    """Pad every side by `padding` and cut the original size out again, at a place drawn for each image.

    fill: "zeros", which after Normalize are the mean colour, or "reflect", which mirrors the image at its outermost
        pixels without repeating them, so that a crop has no border.
    Source: the CIFAR augmentation of Lee et al. 2015, arXiv:1409.5185, with padding 4 and zeros.
    Raises: OptionError if padding is negative or there is no such fill; ShapeError for a reflection of more pixels than
        the image has beside its outermost ones.
    """

    padding: int
    fill: str = "zeros"

    def __post_init__(self) -> None:
        if self.padding < 0:
            raise OptionError(f"PadCrop: padding must not be negative, got {self.padding}")
        if self.fill not in FILLS:
            raise OptionError(f"PadCrop: fill must be {' or '.join(map(repr, FILLS))}, got {self.fill!r}")

    def __call__(self, images: Floats, rng: np.random.Generator) -> Floats:
        n, _, height, width = images.shape
        if self.fill == "reflect" and self.padding >= min(height, width):
            raise ShapeError(
                f"PadCrop: an image of {height}x{width} reflects at most {min(height, width) - 1} pixels, "
                f"not padding={self.padding}"
            )
        pad = (self.padding, self.padding)
        padded = np.pad(images, ((0, 0), (0, 0), pad, pad), mode=FILLS[self.fill])  # type: ignore[call-overload]
        top, left = rng.integers(0, 2 * self.padding + 1, size=(2, n))
        # Every place that a crop can have, as a view (N, C, 2 padding + 1, 2 padding + 1, H, W): only picking copies.
        crops = np.lib.stride_tricks.sliding_window_view(padded, (height, width), axis=(2, 3))
        picked: Floats = crops[np.arange(n), :, top, left]
        return picked


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
        return _mirrored(images, rng.random(len(images)) < self.p)


@dataclass(frozen=True)
class AlternatingFlip:
    """Mirror each image left to right in every second epoch: half of the images in even ones, the others in odd ones.

    So any two epochs in a row show an image both ways, where `Flip` shows it the same way twice half of the time.
    seed: decides which images are mirrored in even epochs, each with probability 1/2.
    Source: Jordan 2024, arXiv:2404.00498.
    Raises: OptionError if seed is negative.
    """

    seed: int = 0

    def __post_init__(self) -> None:
        if self.seed < 0:
            raise OptionError(f"AlternatingFlip: seed must not be negative, got {self.seed}")

    def at(self, epoch: int, indices: Labels) -> Transform:
        """The flip of images number `indices` in `epoch`."""
        # Image i always gets the i-th of one stream of numbers, however many of them are drawn.
        stream = np.random.default_rng([self.seed, 0, _FLIPS]).random(int(indices.max(initial=-1)) + 1)
        chosen = (stream[indices] < 0.5) ^ (epoch % 2 == 1)
        return lambda images, rng: _mirrored(images, chosen)


def _mirrored(images: Floats, chosen: npt.NDArray[np.bool_]) -> Floats:
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
