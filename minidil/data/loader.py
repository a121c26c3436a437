"""Batches of a data set: seeded, resumable, and prepared ahead on a background thread."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from queue import Empty, Queue
from threading import Event, Thread
from typing import TypeAlias, TypeVar

import numpy as np

from minidil.data.dataset import Dataset, Floats, Labels
from minidil.data.transforms import Placed, Transform
from minidil.errors import DtypeError, OptionError, ShapeError

T = TypeVar("T")
Batch: TypeAlias = tuple[Floats, Labels]

ORDER, AUGMENT = 0, 1  # which of an epoch's streams of random numbers a seed opens


class DataLoader:
    """Iterating yields the batches of one epoch: images float32 (n, C, H, W) and labels int64 (n,).

    Before the transforms, images run from 0 to 1 (pixel / 255).

    The random numbers of a batch depend on (seed, epoch, position) alone and on nothing drawn before: the order of
    epoch e comes from default_rng([seed, e, 0]), the augmentation of its batch b from default_rng([seed, e, 1, b]).
    So `batches(e, start=b)` yields exactly what an uninterrupted epoch would have yielded from batch b on, which is
    how a training run resumes bit for bit.

    Args:
        batch_size: images a batch; the last batch is smaller where the set does not divide evenly.
        shuffle: a new order every epoch, instead of the order of the set.
        drop_last: leave a smaller last batch out.
        transforms: callables (images, rng) -> images, or what gives one for an epoch and the numbers of the images,
            applied in turn to each batch; see `data.transforms`.
        seed: decides the order and the augmentation.
        prefetch: batches prepared ahead by a thread of their own; 0 prepares each one when it is asked for.
    Attributes:
        epoch: the epoch that the next `iter()` yields; `iter()` adds 1 to it.
    Raises: OptionError for a setting that makes no sense, or that leaves no batch at all.
    """

    def __init__(
        self,
        dataset: Dataset,
        batch_size: int,
        *,
        shuffle: bool = False,
        drop_last: bool = False,
        transforms: Sequence[Transform | Placed] = (),
        seed: int = 0,
        prefetch: int = 2,
    ) -> None:
        for name, value, least in (("batch_size", batch_size, 1), ("seed", seed, 0), ("prefetch", prefetch, 0)):
            if value < least:
                raise OptionError(f"DataLoader: {name} must be at least {least}, got {value}")
        self.dataset = dataset
        self.batch_size = batch_size
        self.shuffle = shuffle
        self.drop_last = drop_last
        self.transforms = tuple(transforms)
        self.seed = seed
        self.prefetch = prefetch
        self.epoch = 0
        if len(self) == 0:
            raise OptionError(
                f"DataLoader: {len(dataset)} images in batches of {batch_size} with drop_last={drop_last} "
                "make no batch at all"
            )

    def __len__(self) -> int:
        """Batches in an epoch."""
        full, rest = divmod(len(self.dataset), self.batch_size)
        return full if self.drop_last or rest == 0 else full + 1

    def __iter__(self) -> Iterator[Batch]:
        epoch, self.epoch = self.epoch, self.epoch + 1
        return self.batches(epoch)

    def batches(self, epoch: int, start: int = 0) -> Iterator[Batch]:
        """The batches of `epoch` from position `start` on. Does not touch `self.epoch`.

        Raises: OptionError if epoch is negative or start is not in 0..len(self).
        """
        if epoch < 0 or not 0 <= start <= len(self):
            raise OptionError(
                f"DataLoader.batches: epoch must be at least 0 and start in 0..{len(self)}, "
                f"got epoch {epoch}, start {start}"
            )
        order = self._order(epoch)
        prepared = (self._prepare(order, epoch, position) for position in range(start, len(self)))
        return ahead(prepared, self.prefetch) if self.prefetch else prepared

    def _order(self, epoch: int) -> Labels:
        if not self.shuffle:
            return np.arange(len(self.dataset))
        return np.random.default_rng([self.seed, epoch, ORDER]).permutation(len(self.dataset))

    def _prepare(self, order: Labels, epoch: int, position: int) -> Batch:
        chosen = order[position * self.batch_size : (position + 1) * self.batch_size]
        images: Floats = np.divide(self.dataset.images[chosen], 255, dtype=np.float32)
        rng = np.random.default_rng([self.seed, epoch, AUGMENT, position])
        for transform in self.transforms:
            apply = transform.at(epoch, chosen) if isinstance(transform, Placed) else transform
            images = _checked(transform, apply(images, rng), len(chosen))
        return images, self.dataset.labels[chosen]


def _checked(transform: Transform | Placed, images: Floats, n: int) -> Floats:
    if images.dtype != np.float32:
        raise DtypeError(f"DataLoader: {transform} returned {images.dtype}; a transform must keep float32")
    if images.ndim != 4 or len(images) != n:
        raise ShapeError(
            f"DataLoader: {transform} returned the shape {images.shape}; a transform must keep ({n}, C, H, W)"
        )
    return images


@dataclass
class _End:
    """What follows the last item: the error that ended them, if one did."""

    error: BaseException | None = None


def ahead(items: Iterator[T], count: int) -> Iterator[T]:
    """Yield `items`, made by a thread that runs at most `count` + 1 of them ahead of the caller.

    What making an item raises is raised here, with its traceback, after the items before it. The thread ends when the
    items do, and when the caller stops early: leaving the loop waits for the item in work and no longer.
    """
    ready: Queue[T | _End] = Queue(maxsize=count)
    stop = Event()

    def work() -> None:
        try:
            for item in items:
                ready.put(item)
                if stop.is_set():
                    return
            ready.put(_End())
        except BaseException as error:
            ready.put(_End(error))

    worker = Thread(target=work, name="minidil-loader", daemon=True)
    worker.start()
    try:
        while not isinstance(item := ready.get(), _End):
            yield item
        if item.error is not None:
            raise item.error
    finally:
        stop.set()
        _drain(ready)  # makes room for the one thing that the worker may still put before it looks at `stop`
        worker.join()


def _drain(queue: Queue[T]) -> None:
    try:
        while True:
            queue.get_nowait()
    except Empty:
        return
