"""Drawing the arguments of a case: whole numbers, choices and arrays that become simple when a failure is made smaller."""

from collections.abc import Callable, Sequence
from typing import Any, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

T = TypeVar("T")
_SEEDS = 10_000


class Source(Protocol):
    """Where whole numbers come from, smaller ones being simpler."""

    def __call__(self, low: int, high: int) -> int:
        """One of low, low + 1, ..., high."""


class Draw:
    """What an exercise draws its cases with.

    A case that fails is made smaller: towards `low`, the first choice, and arrays of 1, 2, 3, ...
    """

    def __init__(self, source: Source) -> None:
        self._source = source

    def integer(self, low: int, high: int) -> int:
        """A whole number from low to high, both included."""
        return self._source(low, high)

    def choice(self, options: Sequence[T]) -> T:
        """One of the options; put the simplest first."""
        return options[self._source(0, len(options) - 1)]

    def integers(self, low: int, high: int, least: int = 1, most: int = 4) -> tuple[int, ...]:
        """From `least` to `most` whole numbers."""
        return tuple(self.integer(low, high) for _ in range(self.integer(least, most)))

    def array(self, *shape: int) -> NDArray[np.float64]:
        """Whole numbers as float64, so that sums are exact: 1, 2, 3, ... in the simplest case, else from -9 to 9."""
        return self._filled(shape, lambda rng: rng.integers(-9, 10, shape))

    def reals(self, *shape: int, power: int = 1) -> NDArray[np.float64]:
        """Numbers with two decimals around 0: 1, 2, 3, ... in the simplest case, or with power=2 their squares."""
        return self._filled(shape, lambda rng: rng.normal(0, 2, shape).round(2), power)

    def labels(self, count: int, classes: int) -> NDArray[np.int64]:
        """Whole numbers from 0 to classes - 1: 0, 1, 2, ... in the simplest case."""
        seed = self._source(0, _SEEDS)
        if not seed:
            return np.arange(count) % classes
        return np.random.default_rng(seed).integers(0, classes, count)

    def _filled(
        self, shape: tuple[int, ...], random: Callable[[np.random.Generator], Any], power: int = 1
    ) -> NDArray[np.float64]:
        # All entries hang on one number: drawing each of them would take most of the time, and zeros say less than 1, 2, 3.
        seed = self._source(0, _SEEDS)
        if not seed:
            return np.arange(1.0, 1 + np.prod(shape, dtype=int)).reshape(shape) ** power
        return np.asarray(random(np.random.default_rng(seed)), np.float64)
