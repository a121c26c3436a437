"""MNIST and Fashion-MNIST, in the idx format that both were published in."""

import math
import struct
from pathlib import Path

import numpy as np

from minidil.data import archive, cache, registry
from minidil.data.dataset import Dataset, Images, check_split
from minidil.data.registry import File, Source

DIGITS = tuple("0123456789")
CLOTHES = ("t-shirt/top", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle boot")
PREFIX = {"train": "train-", "test": "t10k-"}


def mnist(split: str, root: str | Path | None = None) -> Dataset:
    """MNIST: 60,000 handwritten digits for "train" and 10,000 for "test", uint8 (N, 1, 28, 28), ink bright on dark.

    Looks for the four idx .gz files in mnist/ below `root` (default: `data.root()`), then in `root` itself, and
    fetches (11 MiB) what is not there. What the files hold is checked, so they may have been packed again.

    Source: LeCun, Bottou, Bengio and Haffner 1998, Gradient-based learning applied to document recognition.
    Raises: OptionError for another split; DataError for a file that cannot be fetched or is damaged.
    """
    check_split(split, "mnist")
    cache.get("mnist", root)
    return read(registry.MNIST, split, DIGITS, root)


def fashion_mnist(split: str, root: str | Path | None = None) -> Dataset:
    """Fashion-MNIST: 60,000 pieces of clothing for "train" and 10,000 for "test", uint8 (N, 1, 28, 28).

    Looks for the four idx .gz files in fashion-mnist/ below `root` (default: `data.root()`), then in `root` itself,
    and fetches (29 MiB) what is not there. They must be the published files to the byte.

    Source: Xiao, Rasul and Vollgraf 2017, arXiv:1708.07747, MIT licence.
    Raises: OptionError for another split; DataError for a file that cannot be fetched or is damaged.
    """
    check_split(split, "fashion_mnist")
    cache.get("fashion_mnist", root)
    return read(registry.FASHION_MNIST, split, CLOTHES, root)


def read(source: Source, split: str, classes: tuple[str, ...], root: str | Path | None) -> Dataset:
    """Read one part of `source`, whose four files lie below `root`. Raises DataError that names what is wrong."""
    images_file, labels_file = (file for file in source.files if file.name.startswith(PREFIX[split]))
    images = _array(cache.locate(source, images_file, root), images_file, ndim=3)
    path = cache.locate(source, labels_file, root)
    labels = _array(path, labels_file, ndim=1).astype(np.int64)
    if len(labels) != len(images):
        raise archive.damaged(path, f"it has {len(labels):,} labels for {len(images):,} images")
    if labels.size and labels.max() >= len(classes):
        raise archive.damaged(path, f"it holds the label {labels.max()}, but there are {len(classes)} classes")
    return Dataset(source.name, images[:, None], labels, classes)


def _array(path: Path, file: File, ndim: int) -> Images:
    """An idx file: 8 (for uint8) and ndim in a magic number, the size of every axis (big-endian), then the values."""
    content = archive.read_unpacked(path, file)
    header = 4 * (1 + ndim)
    if len(content) < header:
        raise archive.damaged(path, f"it unpacks to {len(content)} bytes, less than its header of {header}")
    magic, *shape = struct.unpack(f">{1 + ndim}I", content[:header])
    if magic != 0x0800 + ndim:
        raise archive.damaged(path, f"it begins with the magic number {magic} instead of {0x0800 + ndim}")
    if len(content) != header + math.prod(shape):
        raise archive.damaged(
            path,
            f"it unpacks to {len(content):,} bytes, but the shape {tuple(shape)} needs {header + math.prod(shape):,}",
        )
    return np.frombuffer(content, dtype=np.uint8, offset=header).reshape(shape)
