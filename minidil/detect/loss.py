"""What a stage of a detector is asked, and what it pays: a few of its boxes are drawn, each with its class and its code."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

import minidil.functional as F
from minidil.data import Truth
from minidil.detect.anchor import BACKGROUND, BETWEEN, match
from minidil.detect.boxes import box_iou, encode
from minidil.errors import ShapeError
from minidil.nn import Module
from minidil.ops.boxes import Boxes
from minidil.tensor import Tensor


@dataclass(frozen=True)
class Drawn:
    """Which boxes were drawn (S,), objects first; their classes (S,), 0 for background, else label + 1; the objects' codes."""

    chosen: NDArray[np.int64]
    classes: NDArray[np.int64]
    codes: Boxes


@dataclass(frozen=True)
class Draw:
    """How a stage draws its boxes: at most `count` of a picture, of which at most the share `objects` hold something.

    high, low, keep_best: as `match` takes them. weights: as `encode` does.
    """

    count: int
    objects: float
    high: float
    low: float
    keep_best: bool
    weights: tuple[float, float, float, float]

    def __call__(self, boxes: Boxes, truth: Truth, rng: np.random.Generator) -> Drawn:
        """Of the boxes (N, 4) of one picture. What lies on a crowd, or on what is to be ignored, is no background, either."""
        counts = ~(truth.crowd | truth.ignore)
        wanted, labels = truth.boxes[counts], truth.labels[counts]
        found = match(box_iou(boxes, wanted), self.high, self.low, keep_best=self.keep_best)
        aside = box_iou(boxes, truth.boxes[~counts], truth.crowd[~counts]).max(axis=1, initial=0) >= self.low
        found[(found == BACKGROUND) & aside] = BETWEEN
        objects = rng.permutation(np.flatnonzero(found >= 0))[: int(self.count * self.objects)]
        background = rng.permutation(np.flatnonzero(found == BACKGROUND))[: self.count - len(objects)]
        classes = np.append(labels[found[objects]] + 1, np.zeros(len(background), np.int64))
        codes = encode(wanted[found[objects]], boxes[objects], self.weights)
        return Drawn(np.append(objects, background), classes, codes)


class StageLoss(Module):
    """Cross-entropy of the classes, and smooth L1 of the objects' codes, both over the number of boxes drawn.

        L = 1/S sum_i -log p_i(class_i) + 1/S sum_objects smooth_L1(t_i - code_i),      smooth_L1(e) = huber(e, beta) / beta

    Shapes: logits (S, K + 1), codes (S, 4), and what was drawn, picture by picture -> a scalar; 0 if nothing was.
    Source: Ren et al. 2015, arXiv:1506.01497, equation 1, with the normalisation of their program.
    """

    def __init__(self, beta: float = 1 / 9) -> None:
        super().__init__()
        self.beta = beta

    def forward(self, logits: Tensor, codes: Tensor, drawn: list[Drawn]) -> Tensor:
        classes = np.concatenate([picture.classes for picture in drawn])
        wanted = np.concatenate([picture.codes for picture in drawn])
        if logits.shape[0] != len(classes) or codes.shape != (len(classes), 4):
            raise ShapeError(
                f"StageLoss: {len(classes)} boxes were drawn, but logits are {logits.shape} and codes {codes.shape}"
            )
        if not len(classes):
            return F.sum(logits)
        guessed = codes[np.flatnonzero(classes)]
        error = F.huber_loss(guessed, wanted.astype(codes.dtype), delta=self.beta, reduction="sum")
        return F.cross_entropy(logits, classes) + error / (self.beta * len(classes))
