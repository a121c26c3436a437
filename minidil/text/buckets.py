"""Batches of sequences of like lengths: little padding, and a new order every epoch."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from minidil.data.dataset import Labels
from minidil.data.loader import ORDER, Collate, DataLoader, Items
from minidil.errors import OptionError
from minidil.text.padding import padded_batch

_BATCHES = 20  # that are sorted by length together: enough for little padding, and few beside an epoch


class BucketLoader(DataLoader):
    """A DataLoader whose batches hold sequences of like lengths, where it shuffles; items are (ids, label).

    An epoch's random order is cut into stretches of 20 batches; each stretch is sorted by length and cut into batches, and the
    batches are put into a random order. What does not fill a batch comes last. The order depends on (seed, epoch) alone, so
    `batches(e, start=b)` yields what an uninterrupted epoch would have yielded, and a run resumes bit for bit.

    Without shuffle the order is that of the set, so that answers stand where their sentences do.

    Args:
        lengths: of the sequences; by default len(ids) of every item.
        collate: makes the batch of a list of items; by default `padded_batch`.
        The others are those of `data.DataLoader`.
    Raises: OptionError as DataLoader, or if lengths are not as many as items.
    """

    def __init__(
        self,
        items: Items,
        batch_size: int,
        *,
        lengths: Sequence[int] | None = None,
        collate: Collate = padded_batch,
        shuffle: bool = False,
        drop_last: bool = False,
        seed: int = 0,
        prefetch: int = 2,
    ) -> None:
        options: dict[str, Any] = {"shuffle": shuffle, "drop_last": drop_last, "seed": seed, "prefetch": prefetch}
        super().__init__(items, batch_size, collate=collate, **options)
        self.lengths = np.array(
            [len(items[at][0]) for at in range(len(items))] if lengths is None else lengths, np.int64
        )
        if self.lengths.shape != (len(items),):
            raise OptionError(f"BucketLoader: {len(items)} items need as many lengths, got {self.lengths.shape}")

    def _order(self, epoch: int) -> Labels:
        if not self.shuffle:
            return super()._order(epoch)
        rng = np.random.default_rng([self.seed, epoch, ORDER])
        order = rng.permutation(len(self.lengths))
        full = len(order) // self.batch_size
        filling, rest = np.split(order, [full * self.batch_size])
        stretches = np.split(filling, range(_BATCHES * self.batch_size, len(filling), _BATCHES * self.batch_size))
        by_length = [stretch[np.argsort(self.lengths[stretch], kind="stable")] for stretch in stretches]
        batches = np.concatenate(by_length).reshape(full, self.batch_size)
        return np.concatenate([rng.permutation(batches).ravel(), rest])
