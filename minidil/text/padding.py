"""Sequences of several lengths as one array, and which of it is data."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from minidil.array import Array
from minidil.errors import OptionError, ShapeError
from minidil.tensor import Tensor
from minidil.text.vocabulary import PADDING

IGNORED = -100  # fills up targets; `functional.cross_entropy` leaves it out
Mask = npt.NDArray[np.bool_]


def pad(sequences: Sequence[Any], *, value: int | float = PADDING, length: int = 1) -> tuple[npt.NDArray[Any], Mask]:
    """(batch, mask): sequences filled up behind with `value` to the longest, but at least to `length`.

    Shapes: sequences of arrays or lists (T_n,) -> batch (N, T) with T the largest of T_n and length, of their dtype, and mask
        (N, T), true where there is data. With more axes, say the letters of words (T_n, L_n), every axis is filled up, and
        length is that of the first; the mask is of the shape of the batch.
    A batch of nothing but empty sequences has `length` places, so that no network meets an axis of none.
    Raises: OptionError without a sequence or for length < 1, ShapeError if the sequences differ in their number of axes.
    """
    if not len(sequences) or length < 1:
        raise OptionError(f"pad: needs at least one sequence and length >= 1, got {len(sequences)} and {length}")
    arrays = [np.asarray(sequence) for sequence in sequences]
    if any(array.ndim != arrays[0].ndim or array.ndim == 0 for array in arrays):
        axes = sorted({array.ndim for array in arrays})
        raise ShapeError(f"pad: sequences must have one number of axes, at least 1, not {', '.join(map(str, axes))}")
    dtype = np.result_type(
        *[array.dtype for array in arrays if array.size] or [np.dtype(np.int64)]
    )  # not [], which is float64
    shape = np.max([(length, *[1] * (arrays[0].ndim - 1)), *(array.shape for array in arrays)], axis=0)
    batch, mask = np.full((len(arrays), *shape), value, dtype), np.zeros((len(arrays), *shape), bool)
    for number, array in enumerate(arrays):
        place: Any = (number, *(slice(size) for size in array.shape))
        batch[place], mask[place] = array, True
    return batch, mask


def present(ids: Array | Tensor) -> Mask:
    """The mask of a padded batch: true where a word stands, which has never the number of padding. Shapes: (N, T) alike."""
    return (ids.numpy() if isinstance(ids, Tensor) else np.asarray(ids)) != PADDING


def padded_batch(items: Sequence[tuple[Any, Any]]) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    """The batch of items (ids, label) for training: ids (N, T), and labels (N,), or (N, T) if every word has one.

    Labels of words are filled up with IGNORED, which costs nothing and does not count.
    """
    sequences, labels = zip(*items, strict=True)
    ids, _ = pad(sequences)
    return ids, pad(labels, value=IGNORED)[0] if np.ndim(labels[0]) else np.asarray(labels)
