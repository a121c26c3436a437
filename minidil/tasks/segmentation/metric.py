"""How well masks fit: IoU and Dice of every image and class, from counts of pixels.

    IoU = |P and T| / |P or T|      Dice = 2 |P and T| / (|P| + |T|) = 2 IoU / (1 + IoU)      P said, T true pixels of the class

Class 0 is the background and not counted. A class that is neither in the image nor in the prediction has 0/0: it is not
defined, so it is left out of every mean, and how often is told. If only one of the two is empty, both figures are 0.
"""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from minidil.array import Array
from minidil.errors import DataError, ShapeError

Counts = npt.NDArray[np.int64]
Figures = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Overlap:
    """Pixels of every image and class but the background, int64 (N, K - 1): in both masks, said, and true."""

    both: Counts
    said: Counts
    true: Counts

    @classmethod
    def of(cls, said: Array, true: Array, classes: int) -> Self:
        """Count two batches of masks (N, *S) of class numbers in 0..classes-1.

        Raises: ShapeError if they differ in shape, DataError for a number that is no class.
        """
        if said.shape != true.shape:
            raise ShapeError(f"Overlap: masks {said.shape} and {true.shape} must have one shape")
        for name, masks in (("said", said), ("true", true)):
            if masks.size and not 0 <= masks.min() <= masks.max() < classes:
                raise DataError(
                    f"Overlap: {name} holds {masks.min()}..{masks.max()} but the {classes} classes are 0..{classes - 1}"
                )
        space = tuple(range(1, said.ndim))

        def counted(chosen: Any) -> Counts:
            return np.stack([np.asarray(chosen(number)).sum(axis=space) for number in range(1, classes)], axis=1)

        return cls(
            counted(lambda number: (said == number) & (true == number)),
            counted(lambda number: said == number),
            counted(lambda number: true == number),
        )

    def __getitem__(self, chosen: Any) -> "Overlap":
        """Those of some of the images."""
        return Overlap(self.both[chosen], self.said[chosen], self.true[chosen])

    @property
    def undefined(self) -> int:
        """How many images and classes have neither a true pixel nor a said one."""
        return int((self.said + self.true == 0).sum())

    def iou(self) -> Figures:
        """Of every image and class, (N, K - 1); NaN where it is not defined."""
        return _ratio(self.both, self.said + self.true - self.both)

    def dice(self) -> Figures:
        """Of every image and class, (N, K - 1); NaN where it is not defined."""
        return _ratio(2 * self.both, self.said + self.true)

    def pooled_iou(self) -> Figures:
        """Of every class over the pixels of all images, (K - 1,): images with much of a class count for more; NaN for none."""
        both, said, true = (counts.sum(axis=0) for counts in (self.both, self.said, self.true))
        return _ratio(both, said + true - both)


def mean(figures: Figures) -> float:
    """The mean of those that are defined; NaN if none is."""
    defined = figures[~np.isnan(figures)]
    return float(defined.mean()) if defined.size else float("nan")


def iou(logits: Array, target: Array) -> Figures:
    """A metric for `train.fit`: the IoU of every image and class of a batch for which it is defined."""
    return _defined(_overlap(logits, target).iou())


def dice(logits: Array, target: Array) -> Figures:
    """A metric for `train.fit`: the Dice coefficient of every image and class of a batch for which it is defined."""
    return _defined(_overlap(logits, target).dice())


def _overlap(logits: Array, target: Array) -> Overlap:
    return Overlap.of(np.asarray(logits).argmax(axis=1), np.asarray(target), logits.shape[1])


def _defined(figures: Figures) -> Figures:
    return figures[~np.isnan(figures)]


def _ratio(part: Counts, whole: Counts) -> Figures:
    return np.divide(part, whole, out=np.full(whole.shape, np.nan), where=whole > 0)
