"""How many objects are found: those of a picture, one number each, against those that people have numbered.

An object that is said matches a true one if they share more than half of the pixels that they have together, IoU > 1/2. What is
matched is TP, what is said besides FP, and what is true besides FN:

    AP50 = TP / (TP + FP + FN) = matched / (said + true - matched).

No object has two matches. If P matches T, then |P and T| > |P or T| / 2 >= |T| / 2: more than half of T lies in P; two objects
without a pixel in common cannot both have more than half of it. So there is nothing to decide, and no score to sort by.
Source: Schmidt, Weigert, Broaddus & Myers 2018, arXiv:1806.03535, section 3, at tau = 0.5.
"""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from minidil.array import Array
from minidil.errors import ShapeError
from minidil.tasks.segmentation.components import components
from minidil.tasks.segmentation.metric import Counts


@dataclass(frozen=True)
class Matches:
    """Objects of every image, int64 (N,): matched, said, and true."""

    matched: Counts
    said: Counts
    true: Counts

    @classmethod
    def of(cls, said: Array, true: Array) -> Self:
        """Compare two batches of numbered objects (N, H, W), 0 being none; each batch has numbers of its own.

        Raises: ShapeError if they differ in shape or are no batches.
        """
        if said.shape != true.shape or said.ndim != 3:
            raise ShapeError(f"Matches: numbered objects {said.shape} and {true.shape} must have one shape (N, H, W)")
        counts = np.array([_counted(*pair) for pair in zip(said, true, strict=True)], np.int64).reshape(-1, 3)
        return cls(*counts.T)

    @classmethod
    def of_masks(cls, masks: Array, true: Array) -> Self:
        """As `of`, where an object that is said is a connected part of what is not 0 in a mask: those that touch are one."""
        return cls.of(np.stack([components(mask) for mask in masks]) if len(masks) else masks, true)

    def __getitem__(self, chosen: Any) -> "Matches":
        """Those of some of the images."""
        return Matches(self.matched[chosen], self.said[chosen], self.true[chosen])

    def ap50(self) -> float:
        """AP50 over the objects of all images together; NaN where none is true and none said."""
        matched, said, true = (int(counts.sum()) for counts in (self.matched, self.said, self.true))
        return matched / (said + true - matched) if said + true else float("nan")


def _counted(said: Array, true: Array) -> tuple[int, int, int]:
    """(matched, said, true) of one image."""
    (numbers, where), (true_numbers, true_where) = (np.unique(each, return_inverse=True) for each in (said, true))
    shape = (len(numbers), len(true_numbers))
    both = np.bincount(where.reshape(-1) * shape[1] + true_where.reshape(-1), minlength=shape[0] * shape[1]).reshape(
        shape
    )
    whole = both.sum(axis=1, keepdims=True) + both.sum(axis=0, keepdims=True)
    # |P and T| / (|P| + |T| - |P and T|) > 1/2 where 3 |P and T| > |P| + |T|, in whole numbers.
    matched = (3 * both > whole)[numbers != 0][:, true_numbers != 0]
    return int(matched.sum()), *matched.shape
