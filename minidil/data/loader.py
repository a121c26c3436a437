"""Batches of a data set: seeded, resumable, and prepared ahead on a background thread."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, Protocol, TypeAlias

import numpy as np

from minidil.calls.words import understood
from minidil.data.arrays import TensorDataset
from minidil.data.collate import stack
from minidil.data.dataset import Dataset, Floats, Labels
from minidil.data.prefetch import ahead
from minidil.data.transforms import Moving, Placed, Still, Transform
from minidil.errors import DtypeError, OptionError, ShapeError

Batch: TypeAlias = tuple[Floats, Labels]

Collate: TypeAlias = Callable[[list[Any]], Any]


class Items(Protocol):
    """Anything with a length and items numbered from 0, such as a list of (x, y)."""

    def __len__(self) -> int:
        """How many items there are."""
        ...

    def __getitem__(self, index: int, /) -> Any:
        """Item number `index`."""
        ...


ORDER, AUGMENT = 0, 1  # which of an epoch's streams of random numbers a seed opens


class DataLoader:
    """Iterating yields the batches of one epoch.

    Of a `Dataset`: images float32 (n, C, H, W) and labels int64 (n,), masks int64 (n, H, W), or an array of objects (n,), the
    `Truth` of each image. Before the transforms, images run
    from 0 to 1 (pixel / 255); those that are float32 already come as they are. Of a `TensorDataset`, and of any other sequence of
    items, such as a list of (x, y): the items stacked, a tuple of one array for each of their parts (see
    `data.collate.stack`), which must have one shape in a batch unless `collate` knows what to do with others. Batches
    are NumPy arrays.

    The random numbers of a batch depend on (seed, epoch, position) alone and on nothing drawn before: the order of
    epoch e comes from default_rng([seed, e, 0]), the augmentation of its batch b from default_rng([seed, e, 1, b]).
    So `batches(e, start=b)` yields exactly what an uninterrupted epoch would have yielded from batch b on, which is
    how a training run resumes bit for bit.

    Args:
        batch_size: images a batch; the last batch is smaller where the set does not divide evenly.
        shuffle: a new order every epoch, instead of the order of the set.
        drop_last: leave a smaller last batch out.
        transforms: callables (images, rng) -> images, or what gives one for an epoch and the numbers of the images,
            applied in turn to each batch; see `data.transforms`. Of masked or boxed images each must be a
            `transforms.Moving`, which then moves the masks or boxes as well, or a `transforms.Still`, which leaves every
            pixel where it is.
        seed: decides the order and the augmentation.
        prefetch: batches prepared ahead by a thread of their own; 0 prepares each one when it is asked for.
        collate: a function that makes the batch of the list of its items, each as dataset[i] gives it: to pad sequences
            of several lengths to the longest, for instance. None: stack them.
    Attributes:
        epoch: the epoch that the next `iter()` yields; `iter()` adds 1 to it.
    Raises: OptionError for a setting that makes no sense, or that leaves no batch at all, for what has no length or no
        items by number, and for transforms of anything but a Dataset's images. While iterating, ShapeError or DtypeError
        for items that do not stack, naming them.
    """

    @partial(understood, name="DataLoader", method=True)
    def __init__(
        self,
        dataset: Dataset | TensorDataset | Items,
        batch_size: int,
        *,
        shuffle: bool = False,
        drop_last: bool = False,
        transforms: Sequence[Transform | Placed] = (),
        seed: int = 0,
        prefetch: int = 2,
        collate: Collate | None = None,
    ) -> None:
        _check_items(dataset)
        if transforms and (collate is not None or not isinstance(dataset, Dataset)):
            raise OptionError(
                "DataLoader: transforms change the images of a Dataset, batch by batch, and would leave what belongs to "
                f"them, such as a mask, behind; change the items of {_described(dataset)} themselves, or in collate"
            )
        if isinstance(dataset, Dataset) and dataset.placed:
            for transform in transforms:
                if not isinstance(transform, Moving | Placed | Still):
                    raise OptionError(
                        f"DataLoader: {transform} does not say what becomes of the {dataset.placed} of {dataset.name}; derive it "
                        "from transforms.Moving, and it moves them along, or from transforms.Still, and they stay"
                    )
        for name, value, least in (("batch_size", batch_size, 1), ("seed", seed, 0), ("prefetch", prefetch, 0)):
            if not isinstance(value, int | np.integer) or value < least:
                raise OptionError(f"DataLoader: {name} must be an int of at least {least}, got {value!r}")
        self.dataset = dataset
        self.batch_size = batch_size
        self.shuffle = shuffle
        self.drop_last = drop_last
        self.transforms = tuple(transforms)
        self.seed = seed
        self.prefetch = prefetch
        self.collate = collate
        self.epoch = 0
        if len(self) == 0:
            raise OptionError(
                f"DataLoader: {len(dataset)} items in batches of {batch_size} with drop_last={drop_last} "
                "make no batch at all"
            )

    def __len__(self) -> int:
        """Batches in an epoch."""
        full, rest = divmod(len(self.dataset), self.batch_size)
        return full if self.drop_last or rest == 0 else full + 1

    def __repr__(self) -> str:
        options = {"shuffle": self.shuffle, "drop_last": self.drop_last, "transforms": self.transforms}
        given = "".join(f", {name}={value}" for name, value in options.items() if value)
        return f"DataLoader({_described(self.dataset)}: {len(self):,} batches of {self.batch_size}{given}, seed={self.seed})"

    def __iter__(self) -> Iterator[Any]:
        epoch, self.epoch = self.epoch, self.epoch + 1
        return self.batches(epoch)

    def batches(self, epoch: int, start: int = 0) -> Iterator[Any]:
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

    def _prepare(self, order: Labels, epoch: int, position: int) -> Any:
        chosen = order[position * self.batch_size : (position + 1) * self.batch_size]
        if self.collate is None and isinstance(self.dataset, Dataset):
            return self._images(self.dataset, chosen, epoch, position)
        if self.collate is None and isinstance(self.dataset, TensorDataset):
            return self.dataset.batch(chosen)
        numbers = chosen.tolist()
        items = [self.dataset[number] for number in numbers]
        return stack(items, numbers) if self.collate is None else self.collate(items)

    def _images(self, dataset: Dataset, chosen: Labels, epoch: int, position: int) -> Batch:
        images, targets = dataset.floats(chosen), dataset.targets(chosen)
        rng = np.random.default_rng([self.seed, epoch, AUGMENT, position])
        for transform in self.transforms:
            apply = transform.at(epoch, chosen) if isinstance(transform, Placed) else transform
            if isinstance(apply, Moving):
                move = apply.move(images.shape, rng)
                images = _checked(transform, move(images), len(chosen))
                targets = dataset.moved(targets, move, images.shape[2:])
            else:
                images = _checked(transform, apply(images, rng), len(chosen))
        return images, targets


def _check_items(dataset: Any) -> None:
    try:
        fits = len(dataset) >= 0 and hasattr(dataset, "__getitem__") and not isinstance(dataset, str | bytes | Mapping)
    except TypeError:  # no length, as a generator or an array without axes
        fits = False
    if not fits:
        raise OptionError(
            "DataLoader: takes a Dataset, a TensorDataset or another sequence of items with a length, such as a list of "
            f"(x, y), got {type(dataset).__name__}; of arrays make TensorDataset(x, y), of a generator a list"
        )


def _described(dataset: Any) -> str:
    if isinstance(dataset, Dataset | TensorDataset):
        return repr(dataset)
    return f"{type(dataset).__name__} of {len(dataset):,} items"


def _checked(transform: Transform | Placed, images: Floats, n: int) -> Floats:
    if images.dtype != np.float32:
        raise DtypeError(f"DataLoader: {transform} returned {images.dtype}; a transform must keep float32")
    if images.ndim != 4 or len(images) != n:
        raise ShapeError(
            f"DataLoader: {transform} returned the shape {images.shape}; a transform must keep ({n}, C, H, W)"
        )
    return images
