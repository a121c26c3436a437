"""How the positions along an axis are mixed: a sparse matrix, of which interpolation is a product and its gradient another."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Mixing:
    """Output o of O is the sum of weight[k] times input index[k] of S, over the k with starts[o] <= k < starts[o + 1].

    Shapes: starts (O + 1,); index and weight (K,), one entry for each number of the matrix that is not left out.
    The arrays are on the host, and nobody writes into them.
    """

    starts: NDArray[np.int64]
    index: NDArray[np.int64]
    weight: NDArray[np.floating[Any]]
    inputs: int

    @property
    def outputs(self) -> int:
        """O."""
        return len(self.starts) - 1

    @cached_property
    def adjoint(self) -> Mixing:
        """The transposed matrix: input i, as an output, is the sum of what has taken it, in the order of the outputs."""
        order = np.argsort(self.index, kind="stable")
        takers = np.repeat(np.arange(self.outputs), np.diff(self.starts))
        starts = np.searchsorted(self.index[order], np.arange(self.inputs + 1))
        return Mixing(starts, takers[order], self.weight[order], self.outputs)
