"""Whether of two models one is better, by their answers to the same items."""

from dataclasses import dataclass
from math import comb

import numpy as np

from minidil.array import Array
from minidil.errors import DtypeError, ShapeError


@dataclass(frozen=True)
class McNemar:
    """first, second: how many items that one alone was right on. p: how probable it is that they differ as much by chance."""

    first: int
    second: int
    p: float


def mcnemar(first: Array, second: Array) -> McNemar:
    """McNemar's exact test of two models that answered the same items: right or wrong, bool (N,) each.

    Where both are right, or both wrong, nothing is learnt. If none is better, each of the other n items is as probably the
    first one's as the second one's: how many are the first one's has the binomial distribution of n throws of a coin, and
        p = min(1, 2 sum over i <= m of C(n, i) / 2^n)      with m the smaller count, for both sides.
    Raises: ShapeError or DtypeError for other arrays.
    Source: McNemar 1947, "Note on the sampling error of the difference between correlated proportions".
    """
    first, second = np.asarray(first), np.asarray(second)
    if first.ndim != 1 or first.shape != second.shape:
        raise ShapeError(f"mcnemar: both must be (N,) for the same items, not {first.shape} and {second.shape}")
    if first.dtype != bool or second.dtype != bool:
        raise DtypeError(f"mcnemar: needs bools, right or wrong, not {first.dtype} and {second.dtype}")
    one, other = int((first & ~second).sum()), int((second & ~first).sum())
    n = one + other
    tail = sum(comb(n, i) for i in range(min(one, other) + 1))
    return McNemar(one, other, min(1.0, 2 * tail / 2**n))
