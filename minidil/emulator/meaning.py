"""What it means to know an instruction: a function over lanes, one lane per thread, and the types around it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

Lanes: TypeAlias = NDArray[Any]
Compute: TypeAlias = Callable[..., Any]
# By operation: compute, its sources ("=" for the type of the instruction itself), the modifiers it may have.
Table: TypeAlias = "dict[str, tuple[Compute, tuple[str, ...], frozenset[str]]]"


class Meaning(NamedTuple):
    """compute(out, *sources), with the type that out is written with and those that the sources are read with."""

    compute: Compute
    out: str
    sources: tuple[str, ...]


def into(function: Any) -> Compute:
    """A NumPy function as compute(out, *sources)."""
    return lambda out, *sources: function(*sources, out=out)


def copy(out: Lanes, x: Lanes) -> None:
    out[...] = x


def select(out: Lanes, x: Lanes, y: Lanes, chosen: Lanes) -> None:
    out[...] = np.where(chosen, x, y)
