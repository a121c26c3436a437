"""Team: what training needs of the processes that share it. `mpi.World` has it."""

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray


class Sum(Protocol):
    """A sum over the ranks that is on its way."""

    def poll(self) -> None:
        """Let it make progress: MPI does nothing between two calls of it."""
        ...

    def wait(self) -> NDArray[Any]:
        """The sum, the same bits on every rank."""
        ...


class Team(Protocol):
    """`size` processes, of which this one is number `rank`. All of them call the same methods in the same order."""

    rank: int
    size: int

    def start_sum(self, part: NDArray[Any]) -> Sum:
        """Begin to add up `part` (n,), of one shape and type on all ranks; it must not be changed before the sum is there.

        float64, the type for checking, is added in the order of the ranks, whoever comes first: ((0 + 1) + 2) + 3.
        """
        ...

    def broadcast(self, value: Any) -> Any:
        """What rank 0 gives, on every rank."""
        ...


def total(team: Team, part: NDArray[Any]) -> NDArray[Any]:
    """The sum of `part` over the ranks, waited for."""
    return team.start_sum(np.ascontiguousarray(part)).wait()
