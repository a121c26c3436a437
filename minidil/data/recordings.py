"""Recordings in memory, each with a class."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np

from minidil.data.dataset import Floats, Indices, Labels, picked, read_only, which
from minidil.errors import DataError, OptionError, ShapeError


@dataclass(frozen=True, eq=False, repr=False)
class Recordings:
    """Recordings of one rate and of any length, with one class label each.

    Shapes: waves, N float32 (n,) with n >= 1, from -1 to 1 unless somebody made them louder; labels int64 (N,), values
        0..len(classes)-1. rate: samples a second. speakers int64 (N,), values 0..len(speaker_names)-1, where they are known.

    `sounds[3]` is the wave and its label, `sounds[:100]` are Recordings, as `subset` gives them.
    Raises: ShapeError for a wave that is no row or lengths that differ; DataError for an empty wave, one that is not finite, or a
        label without a class, naming its number.
    """

    name: str
    waves: Sequence[Floats]
    labels: Labels
    classes: tuple[str, ...]
    rate: int
    speakers: Labels | None = None
    speaker_names: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for field, numbers, names in (
            ("label", self.labels, self.classes),
            ("speaker", self.speakers, self.speaker_names),
        ):
            if numbers is None:
                continue
            if len(numbers) != len(self.waves):
                raise ShapeError(
                    f"Recordings {self.name}: {len(self.waves)} waves need as many {field}s, got {len(numbers)}"
                )
            wrong = np.flatnonzero((numbers < 0) | (numbers >= len(names)))
            if wrong.size:
                raise DataError(
                    f"Recordings {self.name}: {field} {numbers[wrong[0]]} of wave {wrong[0]} names none of the {len(names)}"
                )
        for number, wave in enumerate(self.waves):
            if wave.ndim != 1:
                raise ShapeError(f"Recordings {self.name}: wave {number} must be (n,), got {wave.shape}")
            if not wave.size or not np.isfinite(wave).all():
                fault = "has a sample that is not finite" if wave.size else "is empty"
                raise DataError(f"Recordings {self.name}: wave {number} {fault}")
        object.__setattr__(self, "waves", tuple(read_only(wave) for wave in self.waves))
        object.__setattr__(self, "labels", read_only(self.labels))

    def __len__(self) -> int:
        return len(self.waves)

    def __repr__(self) -> str:
        seconds = sum(len(wave) for wave in self.waves) / self.rate
        return f"Recordings({self.name!r}: {len(self):,} sounds, {seconds:,.0f} s at {self.rate} Hz, {len(self.classes)} classes)"

    def __getitem__(self, index: int | Indices) -> Any:
        at = which(index, f"Recordings {self.name}", len(self))
        return (self.waves[at], int(self.labels[at])) if isinstance(at, int) else self.subset(at)

    def __iter__(self) -> Iterator[tuple[Floats, int]]:
        return (self[at] for at in range(len(self)))

    @property
    def strata(self) -> Labels:
        """What `split` shares out in the same proportion, int64 (N,): the classes."""
        return self.labels

    def subset(self, indices: Indices) -> Self:
        """The sounds that `indices` (integers, a slice or a boolean mask) picks, in that order, with the same classes.

        Raises: OptionError if an index is outside the set or a mask has another length.
        """
        try:
            chosen = np.arange(len(self))[picked(indices)]
        except IndexError as error:
            raise OptionError(f"Recordings.subset: {self.name} has {len(self)} sounds: {error}") from error
        speakers = None if self.speakers is None else self.speakers[chosen]
        return replace(self, waves=[self.waves[at] for at in chosen], labels=self.labels[chosen], speakers=speakers)

    def fixed(self, length: int) -> Floats:
        """All of them `length` samples long, float32 (N, length): of a longer one its middle, after a shorter one zeros.

        Raises: OptionError for a length below 1.
        """
        if length < 1:
            raise OptionError(f"Recordings.fixed: length must be at least 1, got {length}")
        rows = np.zeros((len(self), length), np.float32)
        for row, wave in zip(rows, self.waves, strict=True):
            start = max(0, len(wave) - length) // 2
            row[: len(wave)] = wave[start : start + length]
        return rows
