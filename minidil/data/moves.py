"""Transforms that move pixels and leave what they are alone, so that a mask can go the same way as its image.

A `Moving` transform draws once for a batch, and what it has drawn is then done to the images and to the masks alike.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from minidil.data.dataset import Floats, Labels
from minidil.errors import OptionError, ShapeError

Pixels: TypeAlias = npt.NDArray[Any]
Move: TypeAlias = Callable[[Pixels], Pixels]
"""Pixels (N, C, H, W) -> the same moved, of the same number type. Whole numbers are taken for classes, and never mixed."""


@dataclass(frozen=True, eq=False)
class Affine:
    """A `Move` that also says where points go, and boxes with them: (x, y) of image n to places[n] (x, y, 1).

    Points are in pixels from the corner of the image: pixel i covers i..i + 1. places: (N, 2, 3).
    """

    pixels: Move
    places: npt.NDArray[np.float64]

    @classmethod
    def of(cls, pixels: Move, n: int, x: Sequence[Any], y: Sequence[Any]) -> "Affine":
        """x, y: three numbers each, or of them n values: the new x is x[0] x + x[1] y + x[2], and so is the new y."""
        rows = [[np.broadcast_to(np.asarray(value, np.float64), n) for value in row] for row in (x, y)]
        return cls(pixels, np.array(rows).transpose(2, 0, 1))

    def __call__(self, pixels: Pixels) -> Pixels:
        return self.pixels(pixels)


_FLIPS = 2  # the stream of random numbers of AlternatingFlip, beside the loader's two of epoch 0


class Moving(ABC):
    """A transform that says where every pixel goes; derive from it to move images and masks in a way of your own."""

    @abstractmethod
    def move(self, shape: tuple[int, ...], rng: np.random.Generator) -> Move:
        """Draw for a batch of this shape (N, C, H, W); return what does it, to the images and to any other maps of them.

        An `Affine` says of boxes, too, where they go.
        """

    def __call__(self, images: Floats, rng: np.random.Generator) -> Floats:
        return self.move(images.shape, rng)(images)


FILLS = {"zeros": "constant", "reflect": "reflect"}
"""What PadCrop can pad with, and NumPy's name for it."""


@dataclass(frozen=True)
class PadCrop(Moving):
    """Pad every side by `padding` and cut the original size out again, at a place drawn for each image.

    fill: "zeros", which after Normalize are the mean colour, and in a mask background; or "reflect", which mirrors the image at
        its outermost pixels without repeating them, so that a crop has no border.
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

    def move(self, shape: tuple[int, ...], rng: np.random.Generator) -> Move:
        n, _, height, width = shape
        if self.fill == "reflect" and self.padding >= min(height, width):
            raise ShapeError(
                f"PadCrop: an image of {height}x{width} reflects at most {min(height, width) - 1} pixels, "
                f"not padding={self.padding}"
            )
        pad = (self.padding, self.padding)
        top, left = rng.integers(0, 2 * self.padding + 1, size=(2, n))

        def cut(pixels: Pixels) -> Pixels:
            padded = np.pad(pixels, ((0, 0), (0, 0), pad, pad), mode=FILLS[self.fill])  # type: ignore[call-overload]
            return _cut(padded, top, left, height, width)

        # What is mirrored at the border is seen twice, and no box tells of it.
        moved = self.padding - left, self.padding - top
        return cut if self.fill == "reflect" else Affine.of(cut, n, (1, 0, moved[0]), (0, 1, moved[1]))


@dataclass(frozen=True)
class Crop(Moving):
    """Cut a square of `size` x `size` pixels out of each image, at a place drawn for each.

    Raises: OptionError if size is below 1; ShapeError for images that are smaller.
    """

    size: int

    def __post_init__(self) -> None:
        if self.size < 1:
            raise OptionError(f"Crop: size must be at least 1, got {self.size}")

    def move(self, shape: tuple[int, ...], rng: np.random.Generator) -> Move:
        n, _, height, width = shape
        if self.size > min(height, width):
            raise ShapeError(f"Crop: {self.size}x{self.size} pixels cannot be cut out of an image of {height}x{width}")
        top, left = (rng.integers(0, length - self.size + 1, n) for length in (height, width))
        return Affine.of(lambda pixels: _cut(pixels, top, left, self.size, self.size), n, (1, 0, -left), (0, 1, -top))


def _cut(pixels: Pixels, top: Labels, left: Labels, height: int, width: int) -> Pixels:
    # Every place that a crop can have, as a view (N, C, places, places, height, width): only picking copies.
    crops = np.lib.stride_tricks.sliding_window_view(pixels, (height, width), axis=(2, 3))
    picked: Pixels = crops[np.arange(len(pixels)), :, top, left]
    return picked


@dataclass(frozen=True)
class Flip(Moving):
    """Mirror each image left to right with probability p. Not for digits or letters, which have a direction.

    Raises: OptionError unless 0 <= p <= 1.
    """

    p: float = 0.5

    def __post_init__(self) -> None:
        if not 0 <= self.p <= 1:
            raise OptionError(f"Flip: p is a probability from 0 to 1, got {self.p}")

    def move(self, shape: tuple[int, ...], rng: np.random.Generator) -> Move:
        return _mirror(rng.random(shape[0]) < self.p, shape[3])


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

    def at(self, epoch: int, indices: Labels) -> Moving:
        """The flip of images number `indices` in `epoch`."""
        # Image i always gets the i-th of one stream of numbers, however many of them are drawn.
        stream = np.random.default_rng([self.seed, 0, _FLIPS]).random(int(indices.max(initial=-1)) + 1)
        return _Mirrored((stream[indices] < 0.5) ^ (epoch % 2 == 1))


@dataclass(frozen=True, eq=False)
class _Mirrored(Moving):
    """Mirror the chosen images of the batch, bool (N,): nothing is left to draw."""

    chosen: npt.NDArray[np.bool_]

    def move(self, shape: tuple[int, ...], rng: np.random.Generator) -> Move:
        return _mirror(self.chosen, shape[3])


def _mirror(chosen: npt.NDArray[np.bool_], width: int) -> Move:
    def mirror(pixels: Pixels) -> Pixels:
        flipped = pixels.copy()
        flipped[chosen] = pixels[chosen, :, :, ::-1]
        return flipped

    return Affine.of(mirror, len(chosen), (1 - 2 * chosen, 0, width * chosen), (0, 1, 0))


@dataclass(frozen=True)
class Turn(Moving):
    """Turn each image by 0, 90, 180 or 270 degrees, all alike likely. For what has no up and down, as seen from above.

    Raises: ShapeError for images that are not square.
    """

    def move(self, shape: tuple[int, ...], rng: np.random.Generator) -> Move:
        n, _, height, width = shape
        if height != width:
            raise ShapeError(f"Turn: only square images keep their size when turned, not {height}x{width}")
        quarters = rng.integers(0, 4, n)

        def turn(pixels: Pixels) -> Pixels:
            turned = np.empty_like(pixels)
            for number in range(4):
                chosen = quarters == number
                turned[chosen] = np.rot90(pixels[chosen], number, axes=(2, 3))
            return turned

        # A quarter takes what is at (x, y) to (y, S - x), two of them to (S - x, S - y), three to (S - y, x).
        cos, sin = np.array([1, 0, -1, 0])[quarters], np.array([0, 1, 0, -1])[quarters]
        return Affine.of(turn, n, (cos, sin, width * (cos + sin < 0)), (-sin, cos, width * (cos - sin < 0)))


@dataclass(frozen=True)
class Zoom(Moving):
    """Scale each image about its centre by a factor from 1/most to most, evenly drawn on a logarithmic scale.

    Its size stays: what grows beyond it is cut off, and around what shrinks the outermost pixels go on. Images are interpolated
    linearly between the two nearest rows and columns; whole numbers, as in masks, take those of the nearest pixel.
    Raises: OptionError if most is below 1.
    """

    most: float

    def __post_init__(self) -> None:
        if not 1 <= self.most < np.inf:
            raise OptionError(f"Zoom: most is the largest factor, at least 1, got {self.most}")

    def move(self, shape: tuple[int, ...], rng: np.random.Generator) -> Move:
        factors = self.most ** rng.uniform(-1, 1, shape[0])

        def zoom(pixels: Pixels) -> Pixels:
            scaled = [
                _resampled(_resampled(image, 1, factor), 2, factor)
                for image, factor in zip(pixels, factors, strict=True)
            ]
            return np.stack(scaled) if scaled else pixels.copy()

        n, _, height, width = shape
        x, y = ((1 - factors) * length / 2 for length in (width, height))
        return Affine.of(zoom, n, (factors, 0, x), (0, factors, y))


def _resampled(image: Pixels, axis: int, factor: float) -> Pixels:
    """An image (C, H, W) scaled along an axis about its middle."""
    last = image.shape[axis] - 1
    at = np.clip((np.arange(last + 1) - last / 2) / factor + last / 2, 0, last)
    if image.dtype.kind != "f":
        return np.take(image, np.floor(at + 0.5).astype(np.int64), axis)
    before = np.floor(at).astype(np.int64)
    share = (at - before).astype(image.dtype).reshape(-1, *(1,) * (2 - axis))
    return (1 - share) * np.take(image, before, axis) + share * np.take(image, np.minimum(before + 1, last), axis)
