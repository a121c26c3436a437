"""What is drawn: from a generator that is handed in."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import DTypeLike

from minidil.array import Array


def keep_mask(rng: np.random.Generator, shape: Sequence[int], drop: float, dtype: DTypeLike) -> Array:
    """Dropout's multiplier: 0 with probability `drop`, else 1 / (1 - drop)."""
    kept = rng.random(tuple(shape), dtype=np.float32) >= drop
    return np.multiply(kept, np.asarray(1 / (1 - drop), dtype))
