"""Dividing a set in two, every class, or of masked images every kind of picture, in the same proportion."""

from typing import Any, Protocol, Self, TypeVar

import numpy as np
import numpy.typing as npt

from minidil.data.dataset import Dataset, Labels
from minidil.errors import OptionError


class Stratified(Protocol):
    """What can be divided: items of several kinds, of which some can be picked."""

    @property
    def strata(self) -> Labels:
        """The kind of each item."""
        ...

    def subset(self, indices: Any) -> Self:
        """The items that are picked."""
        ...


AnyDataset = TypeVar("AnyDataset", bound=Stratified)


def split(dataset: AnyDataset, fraction: float, seed: int) -> tuple[AnyDataset, AnyDataset]:
    """Divide a set in two, its `strata` in the same proportion: (first, second), both in the order of the set.

    The first has floor(fraction * N) items, drawn by `in_first`: split(train, 0.9, seed=0) keeps a tenth for validation.
    Raises: OptionError as `in_first` does.
    """
    chosen = in_first(dataset.strata, fraction, seed)
    return dataset.subset(chosen), dataset.subset(~chosen)


def few(dataset: Dataset, per_class: int, seed: int) -> Dataset:
    """`per_class` items of every class, in the order of the set: what is left if so few were labelled.

    Which ones is drawn from default_rng([seed, label]); a larger number takes the same ones and more.
    Raises: OptionError unless per_class is an int >= 1, if seed is negative, or if a class that occurs has fewer items.
    """
    if not isinstance(per_class, int) or isinstance(per_class, bool) or per_class < 1 or seed < 0:
        raise OptionError(f"few: per_class must be an int >= 1 and seed >= 0, got {per_class!r} and {seed!r}")
    if dataset.placed:
        raise OptionError(f"few: counts images by their class, and those of {dataset.name} have {dataset.placed}")
    chosen = np.zeros(len(dataset.labels), dtype=np.bool_)
    for label in np.unique(dataset.labels).tolist():
        members = np.flatnonzero(dataset.labels == label)
        if len(members) < per_class:
            name = dataset.classes[label]
            raise OptionError(
                f"few: {per_class} items of every class were asked for, and class {name!r} has {len(members)}"
            )
        chosen[np.random.default_rng([seed, label]).permutation(members)[:per_class]] = True
    return dataset.subset(chosen)


def in_first(labels: Labels, fraction: float, seed: int) -> npt.NDArray[np.bool_]:
    """Which items a stratified split puts into its first part, bool (N,), floor(fraction * N) of them.

    Each class gives floor(fraction * its count), and the classes with the largest remainders one more, until the total
    is right. Which items of a class go is drawn from default_rng([seed, label]).

    Raises: OptionError if fraction is not strictly between 0 and 1 or a part would be empty, or if seed is negative.
    """
    if not 0 < fraction < 1:
        raise OptionError(f"split: fraction must lie strictly between 0 and 1, got {fraction}")
    if seed < 0:
        raise OptionError(f"split: seed must not be negative, got {seed}")
    total = _floor(fraction * len(labels))
    if not 0 < total < len(labels):
        raise OptionError(
            f"split: {fraction} of {len(labels)} items puts {total} into the first part and {len(labels) - total} "
            "into the second; neither may be empty"
        )

    counts = np.bincount(labels)
    quota = np.array([_floor(fraction * count) for count in counts.tolist()])
    by_remainder = np.argsort(quota - fraction * counts, kind="stable")  # largest remainder first
    quota[by_remainder[: total - quota.sum()]] += 1

    chosen = np.zeros(len(labels), dtype=np.bool_)
    for label, wanted in enumerate(quota.tolist()):
        members = np.flatnonzero(labels == label)
        chosen[np.random.default_rng([seed, label]).permutation(members)[:wanted]] = True
    return chosen


def _floor(value: float) -> int:
    return int(value + 1e-9)  # 0.29 * 100 is 28.999999999999996
