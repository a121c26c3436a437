"""Data sets, from the bytes that their authors published to batches ready for training.

train = data.cifar10("train")                                  # fetched on first use, verified on every use
augment = (transforms.Normalize(train.mean(), train.std()), transforms.PadCrop(4), transforms.Flip())
loader = data.DataLoader(train, 128, shuffle=True, transforms=augment)
for images, labels in loader: ...

Arrays of your own: data.TensorDataset(x, y), a list of items, or data.folder("pictures") of one sub-folder a class.
A class for every pixel: data.nuclei("train"), or data.masked_folder("pictures") of images/ and masks/.
Boxes around objects: data.boxed(data.nuclei("train")), or data.boxed_folder("pictures") of images/ and annotations.json.
"""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from minidil.data import transforms
from minidil.data.arrays import TensorDataset
from minidil.data.boxed import BoxedDataset, Truth, boxed
from minidil.data.cache import FileStatus, check, get, path, root
from minidil.data.cifar import cifar10, cifar100
from minidil.data.coco import boxed_folder
from minidil.data.dataset import Dataset
from minidil.data.digits import digits
from minidil.data.folder import folder
from minidil.data.loader import Batch, DataLoader
from minidil.data.mask_folder import masked_folder
from minidil.data.masked import MaskedDataset
from minidil.data.mnist import fashion_mnist, mnist
from minidil.data.nuclei import nuclei
from minidil.data.registry import NAMES, SOURCES, source
from minidil.data.splitting import few, split
from minidil.names import lookup

__all__ = [
    "NAMES",
    "SOURCES",
    "Batch",
    "BoxedDataset",
    "DataLoader",
    "Dataset",
    "FileStatus",
    "MaskedDataset",
    "TensorDataset",
    "Truth",
    "boxed",
    "boxed_folder",
    "check",
    "cifar10",
    "cifar100",
    "digits",
    "fashion_mnist",
    "few",
    "folder",
    "get",
    "load",
    "masked_folder",
    "mnist",
    "nuclei",
    "path",
    "root",
    "source",
    "split",
    "transforms",
]

_READERS: dict[str, Callable[[str, str | Path | None], Dataset]] = {
    "digits": lambda split, root: digits(split),
    "mnist": mnist,
    "fashion_mnist": fashion_mnist,
    "cifar10": cifar10,
    "cifar100": cifar100,
    "nuclei": nuclei,
}


def load(name: str, split: str, root: str | Path | None = None) -> Dataset:
    """The set called `name`, one of `NAMES`: load("cifar10", "test") is cifar10("test").

    Raises: OptionError for an unknown name or split; DataError as the set's own function does.
    """
    return _READERS[source(name).name](split, root)


def __getattr__(name: str) -> Any:
    return lookup.of_room("data", name, sys.modules[__name__])
