"""The UCI optical digits: 1,797 images of 8x8 that travel inside the project. Their card is datasets/digits.md."""

import io
from pathlib import Path

import numpy as np
import numpy.typing as npt

from minidil.data import archive, cache, registry
from minidil.data.dataset import Dataset, Images, Labels, check_split


def digits(split: str) -> Dataset:
    """Handwritten digits 0..9: 1,437 images for "train" and 360 for "test", uint8 (N, 1, 8, 8), ink bright on dark.

    A pixel of the original counts the inked dots, 0..16, in a 4x4 block of the scan; here it is count * 255 / 16 to
    the nearest integer (halves up), so that white is 255 as in every other set.

    Source: Alpaydin and Kaynak 1998, Optical Recognition of Handwritten Digits, doi:10.24432/C50P49, CC BY 4.0. The
        split is ours, the same share of every class; most writers are in both parts.
    Raises: OptionError for another split, DataError if the embedded file is missing or not the published one.
    """
    check_split(split, "digits")
    counts, labels, in_test = _read(cache.path("digits") / registry.DIGITS.files[0].name)
    part = in_test if split == "test" else ~in_test
    images = (counts.astype(np.uint16) * 255 + 8) // 16
    return Dataset("digits", images[part, None].astype(np.uint8), labels[part], tuple("0123456789"))


def _read(path: Path) -> tuple[Images, Labels, npt.NDArray[np.bool_]]:
    """Dots per block, uint8 (N, 8, 8); labels, int64 (N,); which images are for testing, bool (N,)."""
    content = archive.read_packed(path, registry.DIGITS.files[0])
    with np.load(io.BytesIO(content), allow_pickle=False) as arrays:  # nothing to catch: the bytes are the right ones
        return arrays["counts"], arrays["labels"], arrays["in_test"]
