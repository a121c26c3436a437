"""The Free Spoken Digit Dataset: ten digits, said in English by six people. Its card is datasets/spoken_digits.md."""

import io
from pathlib import Path

import numpy as np

from minidil.data import archive, cache, registry
from minidil.data.dataset import check_split
from minidil.data.recordings import Recordings
from minidil.errors import OptionError

SPEAKERS = ("george", "jackson", "lucas", "nicolas", "theo", "yweweler")


def spoken_digits(split: str, root: str | Path | None = None, *, left_out: str | None = None) -> Recordings:
    """Spoken digits 0..9, 50 times each from six speakers, at 8,000 samples a second, 0.14 to 2.3 seconds long.

    The official split has takes 0 to 4 of every digit and speaker for "test", 300 sounds, and the rest for "train": all six are
    in both.
    left_out: one of `SPEAKERS`, who is then all of "test", 500 sounds, while "train" has the 2,500 of the others: what a network
        makes of a voice that it never heard.

    Looks for fsdd.npz below `root` (default: `data.root()`), which must be the one of the card to the byte.
    Source: Jakobovski et al., Free Spoken Digit Dataset, doi:10.5281/zenodo.1342401, CC BY-SA 4.0.
    Raises: OptionError for another split or speaker; DataError for a file that is missing or damaged.
    """
    check_split(split, "spoken_digits")
    if left_out is not None and left_out not in SPEAKERS:
        raise OptionError(f"spoken_digits: left_out must be one of {', '.join(SPEAKERS)}, got {left_out!r}")
    path = cache.get("spoken_digits", root)[0]
    content = archive.read_packed(path, registry.SPOKEN_DIGITS.files[0])
    with np.load(io.BytesIO(content), allow_pickle=False) as arrays:  # nothing to catch: the bytes are the right ones
        samples, offsets = arrays["samples"].astype(np.float32) / 32768, arrays["offsets"]
        speakers, labels = arrays["speakers"].astype(np.int64), arrays["labels"].astype(np.int64)
        in_test = arrays["is_test"] if left_out is None else speakers == SPEAKERS.index(left_out)
    waves = np.split(samples, offsets[1:-1])
    sounds = Recordings("spoken_digits", waves, labels, tuple("0123456789"), 8000, speakers, SPEAKERS)
    return sounds.subset(in_test if split == "test" else ~in_test)
