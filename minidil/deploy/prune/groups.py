"""Numbers that are found to belong together, and the sets that follow."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.int64]


class Groups:
    """Disjoint sets of numbers. 0 is there from the start; what belongs to its set is never removed.

    Source: Galler & Fischer 1964, doi:10.1145/364099.364331: each number points towards the root of its set.
    """

    def __init__(self) -> None:
        self._above = [0]

    def new(self, count: int) -> Numbers:
        """So many numbers that belong to nothing yet."""
        first = len(self._above)
        self._above += range(first, first + count)
        return np.arange(first, first + count)

    def roots(self, numbers: Numbers) -> Numbers:
        """The number that stands for the set of each; 0 for that of 0."""
        table = np.array([self._root(number) for number in range(len(self._above))])
        found: Numbers = table[numbers]
        return found

    def join(self, ones: Numbers, others: Numbers) -> None:
        """Every number belongs with the one at the same place of the other array; the arrays are broadcast."""
        pairs = np.broadcast_arrays(ones, others)
        repeated = [not any(each.strides[axis] for each in pairs) for axis in range(pairs[0].ndim)]
        # Maps repeat a number along their axes.
        once = tuple(slice(0, 1) if again else slice(None) for again in repeated)
        keys = np.unique(pairs[0][once] * len(self._above) + pairs[1][once])
        for one, other in zip(*np.divmod(keys, len(self._above)), strict=True):
            low, high = sorted((self._root(int(one)), self._root(int(other))))
            self._above[high] = low

    def keep(self, numbers: Any) -> None:
        """These are never removed."""
        self.join(np.asarray(numbers), np.zeros((), np.int64))

    def _root(self, number: int) -> int:
        while self._above[number] != number:
            self._above[number] = self._above[self._above[number]]
            number = self._above[number]
        return number
