"""The receptive field: how much of a network's input one position of a layer depends on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import ceil
from typing import Self

from minidil.errors import ShapeError
from minidil.kernels.geometry import Window


@dataclass(frozen=True)
class Field:
    """What one position of a layer sees of the network's input, with one entry per spatial axis.

    size: the number of input positions from the first to the last that it depends on (padding counted, holes counted)
    jump: how far apart, in input positions, the fields of two neighbours are

    Through a window of K taps, dilation d and stride s,

        size += d (K - 1) jump,    jump *= s:

    the K taps reach over d (K - 1) steps of the layer below, each of which is `jump` input positions long.
    Source: Araujo, Norris & Sim 2019, "Computing receptive fields of convolutional neural networks", Distill.
    """

    size: tuple[Fraction, ...]
    jump: tuple[Fraction, ...]

    @classmethod
    def of_input(cls, ndim: int) -> Self:
        """An input position sees itself."""
        return cls((Fraction(1),) * ndim, (Fraction(1),) * ndim)

    def through(self, window: Window) -> Field:
        """The field of an output position of `window`, sliding over positions that see this field."""
        self._check(window.span)
        size = tuple(r + (span - 1) * j for r, span, j in zip(self.size, window.span, self.jump, strict=True))
        return Field(size, tuple(j * s for j, s in zip(self.jump, window.stride, strict=True)))

    def spread(self, window: Window) -> Field:
        """The same for the transposed convolution of `window`, whose outputs lie `stride` times as densely.

        Output o collects the inputs i with o = i s + k d, which lie within floor(d (K - 1) / s) steps of each other.
        """
        self._check(window.span)
        steps = zip(self.size, window.span, window.stride, self.jump, strict=True)
        size = tuple(r + (span - 1) // s * j for r, span, s, j in steps)
        return Field(size, tuple(j / s for j, s in zip(self.jump, window.stride, strict=True)))

    def over(self, sizes: Sequence[int]) -> Field:
        """The field of something that looks at all of `sizes` positions at once, such as a global mean."""
        return self.through(Window.of(sizes, tuple(sizes)))

    @staticmethod
    def widest(fields: Sequence[Field]) -> Field:
        """Where paths join: per axis, the largest size and the largest jump among them."""
        sizes = zip(*(field.size for field in fields), strict=True)
        return Field(tuple(map(max, sizes)), tuple(map(max, zip(*(field.jump for field in fields), strict=True))))

    def __str__(self) -> str:
        sizes = [str(ceil(size)) for size in self.size]
        return sizes[0] if len(set(sizes)) == 1 else "x".join(sizes)

    def _check(self, axes: tuple[int, ...]) -> None:
        if len(axes) != len(self.size):
            raise ShapeError(f"receptive field: a window over {len(axes)} axes on a field of {len(self.size)}")
