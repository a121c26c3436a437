"""Sounds moved a little at random: said earlier or later and, as a spectrogram, by a higher or a deeper voice."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from minidil.array import Array
from minidil.data import DataLoader
from minidil.data.dataset import Floats
from minidil.data.loader import AUGMENT
from minidil.errors import OptionError


@dataclass(frozen=True)
class Shaken:
    """A loader of spectrograms (n, bands, frames), each moved by up to `bands` bands and `frames` frames; zeros come in.

    A wave (n, 1, L) is moved by up to `frames` samples.
    By how much depends on (seed, epoch, position) alone, the seed being the loader's, so that a run resumes bit for bit.
    Raises: OptionError for a negative number.
    """

    loader: DataLoader
    bands: int = 0
    frames: int = 0

    def __post_init__(self) -> None:
        if min(self.bands, self.frames) < 0:
            raise OptionError(f"Shaken: bands and frames must be at least 0, got {self.bands} and {self.frames}")

    def __len__(self) -> int:
        return len(self.loader)

    def batches(self, epoch: int, start: int = 0) -> Iterator[tuple[Array, Array]]:
        """The batches of epoch number `epoch` from number `start` on."""
        for number, (x, labels) in enumerate(self.loader.batches(epoch, start), start):
            rng = np.random.default_rng([self.loader.seed, epoch, AUGMENT, number])
            yield self._moved(x, rng), labels

    def _moved(self, x: Floats, rng: np.random.Generator) -> Floats:
        n, height, width = x.shape
        far = ((0, 0), (self.bands, self.bands), (self.frames, self.frames))
        wide = np.pad(x, far)
        tops, lefts = (rng.integers(0, 2 * most + 1, n) for most in (self.bands, self.frames))
        windows = np.lib.stride_tricks.sliding_window_view(wide, (height, width), axis=(1, 2))
        return windows[np.arange(n), tops, lefts]
