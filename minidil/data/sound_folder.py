"""A folder of WAV files by class: one sub-folder each, named after it."""

from collections.abc import Sequence
from math import gcd
from pathlib import Path
from typing import Any

import numpy as np

from minidil.data.dataset import Floats
from minidil.data.folder import files_of, folders
from minidil.data.recordings import Recordings
from minidil.data.wav import read_wav
from minidil.errors import DataError, OptionError

SUFFIXES = (".wav", ".wave")


def sound_folder(path: str | Path, rate: int = 8000, classes: Sequence[str] | None = None) -> Recordings:
    """Read path/<class>/<sound>.wav, in the order of the names, mixed down to one channel and at `rate` samples a second.

    Files with another suffix, and hidden ones, are passed over.
    classes: the sub-folders to read, in the order of their labels. None: all of them, sorted by name. Pass the training set's
        `classes` when reading a test set, so that a label means the same in both.
    Raises: OptionError for a rate below 1; DataError, naming the file, if a folder is missing or empty, or as `wave_of`.
    """
    path = Path(path)
    names = folders(path, "sound_folder", "the sounds of each class") if classes is None else tuple(classes)
    if not names:
        raise DataError("sound_folder: classes names no class")
    files = [(file, label) for label, name in enumerate(names) for file in files_of(path / name, SUFFIXES, "sound")]
    waves = [wave_of(file, rate) for file, _ in files]
    return Recordings(path.name, waves, np.array([label for _, label in files], np.int64), names, rate)


def wave_of(file: str | Path, rate: int = 8000) -> Floats:
    """The sound of one file, float32 (n,): the mean of its channels, at `rate` samples a second.

    Another rate needs SciPy (`pip install minidil[sound]`), whose polyphase filter leaves out what the new rate cannot hold.
    Raises: OptionError for a rate below 1; DataError as `read_wav` does, or if SciPy is needed and not installed.
    """
    if rate < 1:
        raise OptionError(f"wave_of: rate must be at least 1, got {rate}")
    samples, own = read_wav(file)
    mixed = samples.mean(axis=1)
    return mixed if own == rate else _resampled(Path(file), mixed, own, rate)


def _resampled(file: Path, wave: Floats, own: int, rate: int) -> Floats:
    try:
        from scipy.signal import resample_poly
    except ImportError as error:
        raise DataError(
            f"{file} has {own} samples a second and {rate} are wanted, which needs SciPy: pip install minidil[sound]"
        ) from error
    common = gcd(own, rate)
    changed: Any = resample_poly(wave, rate // common, own // common)
    return changed.astype(np.float32)
