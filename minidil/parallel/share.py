"""Share: a rank's part of every batch."""

from collections.abc import Iterator
from typing import Any, Protocol

from minidil.array import Array
from minidil.data import DataLoader
from minidil.errors import OptionError
from minidil.parallel.team import Team


class Batches(Protocol):
    """What is divided: a loader as `train.Loader` describes it."""

    def __len__(self) -> int: ...
    def batches(self, epoch: int, start: int = 0) -> Iterator[tuple[Array, Array]]: ...


class Share:
    """The loader of rank r of p: items r n // p up to (r + 1) n // p of every batch of n.

    The whole batch is the one that a single process would have had, its augmentation drawn for all of it and then divided; so the
    images do not depend on the number of ranks, and a run may go on with another one.
    skip: whether a rank goes on with the next batch where its part is empty. To learn, all go through the model together.
    Raises: OptionError if a batch has fewer items than there are ranks and skip is False: at once for a `DataLoader`, else when
        the batch comes.
    """

    def __init__(self, loader: Batches, team: Team, skip: bool = False) -> None:
        self.loader, self.team, self.skip = loader, team, skip
        if isinstance(loader, DataLoader):
            rest = 0 if loader.drop_last else len(loader.dataset) % loader.batch_size
            self._check(rest or min(loader.batch_size, len(loader.dataset)))

    def __len__(self) -> int:
        """Batches in an epoch: as many as before."""
        return len(self.loader)

    def batches(self, epoch: int, start: int = 0) -> Iterator[tuple[Any, Any]]:
        """The parts of the batches of `epoch` from position `start` on."""
        rank, size = self.team.rank, self.team.size
        for inputs, targets in self.loader.batches(epoch, start):
            self._check(len(targets))
            first, end = len(targets) * rank // size, len(targets) * (rank + 1) // size
            if first < end:
                yield inputs[first:end], targets[first:end]

    def _check(self, items: int) -> None:
        if items < self.team.size and not self.skip:
            raise OptionError(
                f"a batch of {items} items leaves nothing for some of {self.team.size} ranks; take another batch size, "
                "drop_last=True where it is the last batch, or fewer ranks"
            )
