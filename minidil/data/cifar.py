"""CIFAR-10 and CIFAR-100, read straight out of the official binary archives."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from minidil.data import archive, cache, cifar_names, registry
from minidil.data.dataset import Dataset, Images, check_split
from minidil.data.registry import Source

PIXELS = 3 * 32 * 32  # a record: its label bytes, then 1,024 red, 1,024 green, 1,024 blue, each row by row


@dataclass(frozen=True)
class Layout:
    """How an archive holds its set: the members of each part, the label bytes of a record, and which of them counts.

    classes: the names, in the order of the labels.
    """

    source: Source
    train: tuple[str, ...]
    test: tuple[str, ...]
    classes: tuple[str, ...]
    label_bytes: int = 1
    label: int = 0


TEN = Layout(
    registry.CIFAR10,
    train=tuple(f"cifar-10-batches-bin/data_batch_{number}.bin" for number in range(1, 6)),
    test=("cifar-10-batches-bin/test_batch.bin",),
    classes=cifar_names.TEN,
)
HUNDRED = Layout(
    registry.CIFAR100,
    train=("cifar-100-binary/train.bin",),
    test=("cifar-100-binary/test.bin",),
    classes=cifar_names.HUNDRED,
    label_bytes=2,
    label=1,
)
TWENTY = Layout(
    registry.CIFAR100,
    train=HUNDRED.train,
    test=HUNDRED.test,
    classes=cifar_names.TWENTY,
    label_bytes=2,
    label=0,
)


def cifar10(split: str, root: str | Path | None = None) -> Dataset:
    """CIFAR-10: 50,000 images for "train" and 10,000 for "test", uint8 (N, 3, 32, 32), RGB, ten classes of equal size.

    Looks for cifar-10-binary.tar.gz below `root` (default: `data.root()`) and fetches it (162 MiB) if it is not
    there. Every member is held against its SHA-1, so a repacked archive is as good as the official one.

    Source: Krizhevsky 2009, Learning Multiple Layers of Features from Tiny Images; the sums are those of Apache
        MXNet's Gluon.
    Raises: OptionError for another split; DataError for an archive that cannot be fetched or is damaged.
    """
    check_split(split, "cifar10")
    return read(cache.get("cifar10", root)[0], TEN, split)


def cifar100(split: str, root: str | Path | None = None, coarse: bool = False) -> Dataset:
    """CIFAR-100: 50,000 images for "train" and 10,000 for "test", uint8 (N, 3, 32, 32), RGB.

    There are 100 classes of equal size or, if coarse, the 20 groups that they form.

    Looks for cifar-100-binary.tar.gz below `root` (default: `data.root()`) and fetches it (161 MiB) if it is not
    there. Every member is held against its SHA-1, so a repacked archive is as good as the official one.

    Source: Krizhevsky 2009, Learning Multiple Layers of Features from Tiny Images; the sums are those of Apache
        MXNet's Gluon.
    Raises: OptionError for another split; DataError for an archive that cannot be fetched or is damaged.
    """
    check_split(split, "cifar100")
    return read(cache.get("cifar100", root)[0], TWENTY if coarse else HUNDRED, split)


def read(path: Path, layout: Layout, split: str) -> Dataset:
    """Read one part of the archive at `path`. Raises DataError that names the file and what is wrong with it."""
    members = archive.read_members(path, layout.source.files[0])
    parts = [
        _records(path, name, members[name], layout) for name in (layout.train if split == "train" else layout.test)
    ]
    labels = np.concatenate([part[:, layout.label] for part in parts]).astype(np.int64)
    if labels.size and labels.max() >= len(layout.classes):
        raise archive.damaged(path, f"it holds the label {labels.max()}, but there are {len(layout.classes)} classes")
    images = np.concatenate([part[:, layout.label_bytes :] for part in parts]).reshape(-1, 3, 32, 32)
    return Dataset(layout.source.name, images, labels, layout.classes)


def _records(path: Path, name: str, member: memoryview, layout: Layout) -> Images:
    """One row a record: uint8 (N, label_bytes + PIXELS), a view into the archive."""
    width = layout.label_bytes + PIXELS
    if len(member) % width:
        raise archive.damaged(
            path,
            f"its member {name} has {len(member):,} bytes, which are no whole number of records of {width:,} bytes",
        )
    return np.frombuffer(member, dtype=np.uint8).reshape(-1, width)
