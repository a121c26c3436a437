"""Features of words gathered over time, and kept from places without a word: what padding holds is never seen.

The mask says of every place whether it counts. It is no list of lengths: padding may stand anywhere.
"""

import numpy as np

import minidil.functional as F
from minidil.array import Array
from minidil.errors import ShapeError
from minidil.tensor import Tensor


def masked(x: Tensor, mask: Array) -> Tensor:
    """x where a word stands, 0 elsewhere, as before a convolution: its padding is then like the zeros around the sentence.

    Shapes: x (N, C, T), mask (N, T) of bools -> (N, C, T). Raises: ShapeError, DtypeError if they do not fit.
    """
    return F.where(_over_channels("masked", x, mask), x, 0.0)


def max_over_time(x: Tensor, mask: Array) -> Tensor:
    """The largest of every feature over the words of a sentence; 0 for one without words, which gets no gradient.

    Shapes: x (N, C, T), mask (N, T) of bools -> (N, C). Raises: ShapeError, DtypeError if they do not fit.
    Source: Collobert et al. 2011, arXiv:1103.0398, section 3.2.2; Kim 2014, arXiv:1408.5882, section 2.
    """
    counts = _over_channels("max_over_time", x, mask)
    # -inf is below every feature, and where takes it out again: no sum or product meets it.
    largest = F.amax(F.where(counts, x, -np.inf), axis=2)
    return F.where(np.any(counts, axis=2), largest, 0.0)


def mean_over_time(x: Tensor, mask: Array) -> Tensor:
    """The mean of every feature over the words of a sentence; 0 for one without words.

    Shapes: x (N, C, T), mask (N, T) of bools -> (N, C). Raises: ShapeError, DtypeError if they do not fit.
    """
    counts = _over_channels("mean_over_time", x, mask)
    words = np.maximum(counts.sum(axis=2), 1).astype(x.dtype)
    return F.sum(F.where(counts, x, 0.0), axis=2) / words


def _over_channels(op: str, x: Tensor, mask: Array) -> Array:
    if x.ndim != 3 or mask.shape != (x.shape[0], x.shape[2]):
        raise ShapeError(f"{op}: x must be (N, C, T) and mask (N, T), not {x.shape} and {mask.shape}")
    return np.asarray(mask)[:, None, :]
