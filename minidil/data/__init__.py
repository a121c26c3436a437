"""Data sets, from the bytes that their authors published to batches ready for training.

train = data.cifar10("train")                                  # fetched on first use, verified on every use
augment = (transforms.Normalize(train.mean(), train.std()), transforms.PadCrop(4), transforms.Flip())
loader = data.DataLoader(train, 128, shuffle=True, transforms=augment)
for images, labels in loader: ...

Arrays of your own: data.TensorDataset(x, y), a list of items, or data.folder("pictures") of one sub-folder a class.
Clips, as (N, C, T, H, W): data.clips("train"), made of images, or data.clip_folder("films"), a folder of frames each.
A class for every pixel: data.nuclei("train"), or data.masked_folder("pictures") of images/ and masks/.
A tag for every word: data.wnut17("train"), or data.conll("mine.conll").
Texts: data.rt_polarity("train"), or data.text_file("reviews.csv") with a column of text and one of labels.
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
from minidil.data.clip_folder import clip_folder, write_clip
from minidil.data.clip_set import Clips
from minidil.data.clips import clips
from minidil.data.coco import boxed_folder
from minidil.data.conll import conll
from minidil.data.dataset import Dataset
from minidil.data.digits import digits
from minidil.data.drawn import Draw, Drawn, adding, copy_memory, memoryless
from minidil.data.folder import folder
from minidil.data.loader import Batch, DataLoader
from minidil.data.mask_folder import masked_folder
from minidil.data.masked import MaskedDataset
from minidil.data.mnist import fashion_mnist, mnist
from minidil.data.nuclei import nuclei
from minidil.data.recordings import Recordings
from minidil.data.registry import NAMES, SOURCES, source
from minidil.data.rt_polarity import rt_polarity
from minidil.data.sequential import sequential
from minidil.data.sound_folder import sound_folder, wave_of
from minidil.data.splitting import few, split
from minidil.data.spoken_digits import spoken_digits
from minidil.data.tagged import TaggedDataset
from minidil.data.texts import TextDataset, text_file
from minidil.data.wav import read_wav
from minidil.data.wnut17 import wnut17
from minidil.errors import OptionError
from minidil.names import lookup

__all__ = [
    "NAMES",
    "SOURCES",
    "Batch",
    "BoxedDataset",
    "Clips",
    "DataLoader",
    "Dataset",
    "Draw",
    "Drawn",
    "FileStatus",
    "MaskedDataset",
    "Recordings",
    "TaggedDataset",
    "TensorDataset",
    "TextDataset",
    "Truth",
    "adding",
    "boxed",
    "boxed_folder",
    "check",
    "cifar10",
    "cifar100",
    "clip_folder",
    "clips",
    "conll",
    "copy_memory",
    "digits",
    "fashion_mnist",
    "few",
    "folder",
    "get",
    "load",
    "masked_folder",
    "memoryless",
    "mnist",
    "nuclei",
    "path",
    "read_wav",
    "root",
    "rt_polarity",
    "sequential",
    "sound_folder",
    "source",
    "split",
    "spoken_digits",
    "text_file",
    "transforms",
    "wave_of",
    "wnut17",
    "write_clip",
]

_READERS: dict[str, Callable[[str, str | Path | None], Any]] = {
    "digits": lambda split, root: digits(split),
    "mnist": mnist,
    "fashion_mnist": fashion_mnist,
    "cifar10": cifar10,
    "cifar100": cifar100,
    "nuclei": nuclei,
    "clips": lambda split, root: clips(split),
    "rt_polarity": rt_polarity,
    "wnut17": wnut17,
    "spoken_digits": spoken_digits,
}


def load(name: str, split: str, root: str | Path | None = None) -> Any:
    """The set called `name`, one of `NAMES`: load("cifar10", "test") is cifar10("test").

    Raises: OptionError for an unknown name or split, or a set that is drawn; DataError as the set's own function does.
    """
    if source(name).name not in _READERS:
        raise OptionError(
            f"load: {name} is drawn, as long as it is wanted: data.Drawn(data.{name}(100)) are batches of it"
        )
    return _READERS[source(name).name](split, root)


def __getattr__(name: str) -> Any:
    return lookup.of_room("data", name, sys.modules[__name__])
