"""Which positions an output position of one op reads along one axis: the taps. Everything else here composes these maps.

A map takes positions that may lie outside the output, on its padding or beyond, and gives those outside the input as well: so a
chain of maps is the field on an input without borders, the one that the literature gives. `matrix` cuts it to the real sizes.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from fractions import Fraction
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Positions: TypeAlias = NDArray[np.int64]
Read: TypeAlias = tuple[Positions, NDArray[np.bool_]]


@dataclass(frozen=True)
class Taps(ABC):
    """The positions of an axis of `size` that every position of an axis of `out` reads."""

    size: int
    out: int

    @property
    @abstractmethod
    def jump(self) -> Fraction:
        """How far apart the taps of two neighbouring outputs are."""

    @abstractmethod
    def read(self, at: Positions) -> Read:
        """Shapes: at (n,) -> positions (n, taps), and which of them count (n, taps)."""

    def is_identity(self) -> bool:
        """Whether every position reads its own and no other."""
        return False

    def behind(self, at: Positions) -> Positions:
        """The set of positions that the positions `at` read, in order."""
        positions, counted = self.read(at)
        return np.unique(positions[counted])

    def matrix(self) -> NDArray[np.bool_]:
        """Which of the real inputs every real output reads, (out, size)."""
        return self.counts() > 0

    def counts(self) -> NDArray[np.int64]:
        """By how many taps every real output reads each of the real inputs, (out, size)."""
        outputs = np.arange(self.out)
        positions, counted = self.read(outputs)
        inside = counted & (positions >= 0) & (positions < self.size)
        read = np.zeros((self.out, self.size), np.int64)
        np.add.at(read, (np.broadcast_to(outputs[:, None], positions.shape)[inside], positions[inside]), 1)
        return read


@dataclass(frozen=True)
class Slide(Taps):
    """A window: output o reads o stride + k dilation - before, for k = 0 .. kernel - 1."""

    kernel: int = 1
    stride: int = 1
    dilation: int = 1
    before: int = 0

    @property
    def jump(self) -> Fraction:
        return Fraction(self.stride)

    def is_identity(self) -> bool:
        return (self.size, self.kernel, self.stride, self.before) == (self.out, 1, 1, 0)

    def read(self, at: Positions) -> Read:
        positions = at[:, None] * self.stride + np.arange(self.kernel) * self.dilation - self.before
        return positions, np.ones(positions.shape, bool)


@dataclass(frozen=True)
class Spread(Taps):
    """The adjoint of a window: output o reads every i with o = i stride + k dilation - before for a k = 0 .. kernel - 1."""

    kernel: int = 1
    stride: int = 1
    dilation: int = 1
    before: int = 0

    @property
    def jump(self) -> Fraction:
        return Fraction(1, self.stride)

    def read(self, at: Positions) -> Read:
        stretched = at[:, None] + self.before - np.arange(self.kernel) * self.dilation
        return stretched // self.stride, stretched % self.stride == 0


@dataclass(frozen=True)
class Part(Taps):
    """Output o reads o - first, where that is a position of the input: one of several that lie side by side."""

    first: int = 0

    @property
    def jump(self) -> Fraction:
        return Fraction(1)

    def read(self, at: Positions) -> Read:
        positions = at[:, None] - self.first
        return positions, (positions >= 0) & (positions < self.size)


@dataclass(frozen=True)
class Whole(Taps):
    """Every output reads the whole axis."""

    @property
    def jump(self) -> Fraction:
        return Fraction(self.size)

    def read(self, at: Positions) -> Read:
        real = (at >= 0) & (at < self.out)
        shape = (len(at), self.size)
        return np.broadcast_to(np.arange(self.size), shape), np.broadcast_to(real[:, None], shape)


@dataclass(frozen=True)
class Repeated(Taps):
    """Every output reads position 0 of an axis of 1, as where a global mean scales a map."""

    @property
    def jump(self) -> Fraction:
        return Fraction(0)

    def read(self, at: Positions) -> Read:
        real = (at >= 0) & (at < self.out)
        return np.zeros((len(at), 1), np.int64), real[:, None]


@dataclass(frozen=True)
class Regions(Taps):
    """Adaptive pooling: output o of O reads floor(o S/O) .. ceil((o + 1) S/O) - 1."""

    @property
    def jump(self) -> Fraction:
        return Fraction(self.size, self.out)

    def read(self, at: Positions) -> Read:
        first, last = at * self.size // self.out, -(-(at + 1) * self.size // self.out)
        positions = first[:, None] + np.arange(int((last - first).max(initial=1)))
        return positions, positions < last[:, None]


@dataclass(frozen=True)
class Resized(Taps):
    """Interpolation: output o reads around the input coordinate c(o), as `minidil.ops.interpolate` defines it.

    scale: the factor that was given, or None for out/size. mode: "nearest", "linear" or "cubic".
    """

    mode: str = "nearest"
    scale: float | None = None
    align_corners: bool = False

    @property
    def jump(self) -> Fraction:
        if self.align_corners and self.mode != "nearest":
            return Fraction(self.size - 1, max(self.out - 1, 1))
        return Fraction(self.size, self.out) if self.scale is None else 1 / Fraction(self.scale)

    def read(self, at: Positions) -> Read:
        if self.mode == "nearest":
            nearest = at * self.size // self.out if self.scale is None else np.floor(at / self.scale).astype(np.int64)
            return self._on_the_map(at, nearest[:, None]), np.ones((len(at), 1), bool)
        if self.align_corners:
            centre = at * ((self.size - 1) / (self.out - 1)) if self.out > 1 else np.zeros(len(at))
        else:
            centre = (at + 0.5) * (self.size / self.out if self.scale is None else 1 / self.scale) - 0.5
        inside = (at >= 0) & (at < self.out)
        if self.mode == "linear":
            centre = np.where(inside, np.clip(centre, 0, self.size - 1), centre)
        before = np.floor(centre).astype(np.int64)
        steps = np.array([0, 1] if self.mode == "linear" else [0, -1, 1, 2])
        positions = self._on_the_map(at, before[:, None] + steps)
        exact = (centre == before)[:, None] & (steps != 0)  # on a position itself, all the other weights are 0
        return positions, ~exact

    def _on_the_map(self, at: Positions, positions: Positions) -> Positions:
        """Beyond the border its value goes on, so a real output reads the border there."""
        real = ((at >= 0) & (at < self.out))[:, None]
        return np.where(real, np.clip(positions, 0, self.size - 1), positions)
