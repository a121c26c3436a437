"""Share: a rank's part of every batch."""

from collections.abc import Iterator
from typing import Any, Protocol

from minidil.array import Array
from minidil.parallel.team import Team


class Batches(Protocol):
    """What is divided: a loader as `train.Loader` describes it."""

    def __len__(self) -> int: ...
    def batches(self, epoch: int, start: int = 0) -> Iterator[tuple[Array, Array]]: ...


class Share:
    """The loader of rank r of p: items r n // p up to (r + 1) n // p of every batch of n.

    The whole batch is the one that a single process would have had, its augmentation drawn for all of it and then divided; so the
    images do not depend on the number of ranks, and a run may go on with another one.
    idle: whether a rank whose part is empty, as there are fewer items than ranks, gets the first item, which is then not to be
        counted, since all ranks must go through the model together; else it gets nothing, and goes on with the next batch.
    Attributes:
        counts: whether the batch that was given last is to be counted.
    """

    def __init__(self, loader: Batches, team: Team, idle: bool = True) -> None:
        self.loader, self.team, self.idle = loader, team, idle
        self.counts = True

    def __len__(self) -> int:
        """Batches in an epoch: as many as before."""
        return len(self.loader)

    def batches(self, epoch: int, start: int = 0) -> Iterator[tuple[Any, Any]]:
        """The parts of the batches of `epoch` from position `start` on."""
        rank, size = self.team.rank, self.team.size
        for inputs, targets in self.loader.batches(epoch, start):
            first, end = len(targets) * rank // size, len(targets) * (rank + 1) // size
            self.counts = first < end
            if self.counts:
                yield inputs[first:end], targets[first:end]
            elif self.idle:
                yield inputs[:1], targets[:1]
