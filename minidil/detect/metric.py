"""Average precision as COCO defines it: how well boxes were found, over all scores at which one may cut and ten demands on IoU.

For a class and an IoU t, the boxes found are taken by falling score, and each gets the true box of its image that it overlaps
most, if their IoU is at least t and no box before it has it: it is right then, and wrong otherwise. After n of them

    precision = right / n,      recall = right / all true boxes,

and the precision *at* a recall r is the best that is had at r or more. Average precision is its mean over r = 0, 0.01, ..., 1,
over t = 0.5, 0.55, ..., 0.95, and over the classes that there are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from minidil.data import Truth
from minidil.detect.boxes import box_iou
from minidil.errors import OptionError, ShapeError
from minidil.ops.boxes import as_boxes, as_column

THRESHOLDS = tuple(np.linspace(0.5, 0.95, 10).tolist())
RECALLS = np.linspace(0, 1, 101)


@dataclass
class Detections:
    """What was found in a picture: boxes (D, 4), scores (D,), the larger the surer, and labels (D,), 0 by default.

    Raises: as `Truth`; OptionError also for a score that is NaN.
    """

    boxes: Any
    scores: Any
    labels: Any = None

    def __post_init__(self) -> None:
        self.boxes = as_boxes("Detections", self.boxes)
        self.scores = as_column("Detections", self.scores, len(self.boxes), "scores", np.float64)
        if np.isnan(self.scores).any():
            raise OptionError(f"Detections: scores[{int(np.argmax(np.isnan(self.scores)))}] is NaN")
        labels = np.zeros(len(self.boxes), np.int64) if self.labels is None else self.labels
        self.labels = as_column("Detections", labels, len(self.boxes), "labels", np.int64)


@dataclass(frozen=True)
class AveragePrecision:
    """The curves, by IoU threshold (T) and class (K), of which the figures are means.

    Where there was nothing to find they are NaN, for which COCO's program writes -1.
    precision (T, 101, K): at the recalls 0, 0.01, ..., 1. recall (T, K): the share of the true boxes that was found at all.
    classes (K,): those of true boxes.
    """

    thresholds: tuple[float, ...]
    classes: tuple[int, ...]
    precision: NDArray[np.float64]
    recall: NDArray[np.float64]

    @property
    def ap(self) -> float:
        """Average precision, COCO's AP."""
        return _mean(self.precision)

    @property
    def ar(self) -> float:
        """Average recall, COCO's AR."""
        return _mean(self.recall)

    def at(self, threshold: float) -> float:
        """Average precision at one IoU threshold: at(0.5) is COCO's AP50. Raises: OptionError unless it is one of them."""
        near = np.flatnonzero(np.isclose(self.thresholds, threshold, rtol=0, atol=1e-9))
        if not near.size:
            raise OptionError(f"AveragePrecision.at: {threshold} is none of the thresholds {self.thresholds}")
        return _mean(self.precision[near[0]])


def average_precision(
    found: Sequence[Detections],
    truth: Sequence[Truth],
    *,
    max_detections: int | None = None,
    thresholds: Sequence[float] = THRESHOLDS,
) -> AveragePrecision:
    """How well what was found is what is there, picture by picture.

    max_detections: how many of an image and class count, those of the highest scores; None: all. COCO's own figures are made with
        100, which cuts off what is found in a picture with more objects than that.
    Raises: ShapeError unless there are as many of both; OptionError for thresholds outside 0..1 or max_detections < 1.
    Source: Lin et al. 2014, arXiv:1405.0312; the rules are those of the reference program, cocoeval.py.
    """
    if len(found) != len(truth):
        raise ShapeError(f"average_precision: {len(found)} pictures were searched, but the truth is of {len(truth)}")
    if max_detections is not None and max_detections < 1:
        raise OptionError(f"average_precision: max_detections must be an int >= 1, or None, not {max_detections}")
    if not len(thresholds) or not all(0 < threshold <= 1 for threshold in thresholds):
        raise OptionError(f"average_precision: thresholds must lie in 0..1, at least one, not {tuple(thresholds)}")
    classes = sorted({int(label) for picture in truth for label in picture.labels})
    limits = np.minimum(thresholds, 1 - 1e-10)
    precision = np.full((len(limits), len(RECALLS), len(classes)), np.nan)
    recall = np.full((len(limits), len(classes)), np.nan)
    for number, label in enumerate(classes):
        pairs = zip(found, truth, strict=True)
        scores, right, wrong, wanted = zip(
            *(_judged(*pair, label, max_detections, limits) for pair in pairs), strict=True
        )
        if total := sum(wanted):
            order = np.argsort(-np.concatenate(scores), kind="stable")
            hits, misses = (np.concatenate(parts, axis=1)[:, order].cumsum(axis=1) for parts in (right, wrong))
            precision[:, :, number], recall[:, number] = _curves(hits, misses, total)
    return AveragePrecision(tuple(thresholds), tuple(classes), precision, recall)


def f1(
    found: Sequence[Detections], truth: Sequence[Truth], *, score: float = 0.5, threshold: float = 0.5
) -> NDArray[np.float64]:
    """Of every picture 2 right / (found + true boxes), (N,), of the boxes with at least that score; NaN if there are neither.

    It is the harmonic mean of precision and recall where one cuts at that score. threshold: the IoU that is demanded.
    Raises: ShapeError unless there are as many of both.
    """
    if len(found) != len(truth):
        raise ShapeError(f"f1: {len(found)} pictures were searched, but the truth is of {len(truth)}")
    figures = np.full(len(found), np.nan)
    for number, (guessed, picture) in enumerate(zip(found, truth, strict=True)):
        sure = guessed.scores >= score
        kept = Detections(guessed.boxes[sure], guessed.scores[sure], guessed.labels[sure])
        right = wrong = wanted = 0
        for label in {*kept.labels.tolist(), *picture.labels.tolist()}:
            _, hits, misses, count = _judged(kept, picture, label, None, np.array([threshold]))
            right, wrong, wanted = right + hits.sum(), wrong + misses.sum(), wanted + count
        if right + wrong + wanted:
            figures[number] = 2 * right / (right + wrong + wanted)
    return figures


def _judged(
    found: Detections, truth: Truth, label: int, max_detections: int | None, limits: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.bool_], NDArray[np.bool_], int]:
    """Of one class in a picture: the scores (D,), which boxes are right and which are wrong, (T, D) each; how many count.

    By falling score a box takes a true one that counts, or else one that does not; of several the one it overlaps most, of equal
    ones the last, as cocoeval.py does.
    """
    mine = np.flatnonzero(found.labels == label)
    mine = mine[np.argsort(-found.scores[mine], kind="stable")][:max_detections]
    theirs = np.flatnonzero(truth.labels == label)
    ignored = (truth.crowd | truth.ignore)[theirs]
    theirs, wanted = np.append(theirs[~ignored], theirs[ignored]), int((~ignored).sum())
    crowd = truth.crowd[theirs]

    right = np.zeros((len(limits), len(mine)), bool)
    wrong = np.ones((len(limits), len(mine)), bool)
    free = np.ones((len(limits), len(theirs)), bool)
    rows = np.arange(len(limits))
    for d, overlap in enumerate(box_iou(found.boxes[mine], truth.boxes[theirs], crowd)):
        fits = np.where((free | crowd) & (overlap >= limits[:, np.newaxis]), overlap, -1)
        for first, end, counts in ((0, wanted, True), (wanted, len(theirs), False)):
            if first < end:
                best = end - 1 - fits[:, first:end][:, ::-1].argmax(axis=1)
                takes = wrong[:, d] & (fits[rows, best] >= 0)
                free[rows[takes], best[takes]] = False
                wrong[takes, d] = False
                right[takes, d] = counts
    return found.scores[mine], right, wrong, wanted


def _curves(
    hits: NDArray[np.int64], misses: NDArray[np.int64], total: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Precision (T, 101) at every recall, and the largest recall (T,), from how many of the first are right and wrong, (T, D)."""
    recall = hits / total
    precision = hits / np.maximum(hits + misses, 1)
    best = np.maximum.accumulate(precision[:, ::-1], axis=1)[:, ::-1]
    curves = np.zeros((len(hits), len(RECALLS)))
    for curve, reached, values in zip(curves, recall, best, strict=True):
        place = np.searchsorted(reached, RECALLS)
        curve[place < len(values)] = values[place[place < len(values)]]
    return curves, recall[:, -1] if recall.shape[1] else np.zeros(len(hits))


def _mean(values: NDArray[np.float64]) -> float:
    return float(np.nanmean(values)) if np.isfinite(values).any() else float("nan")
