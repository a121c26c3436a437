"""How much of what was to be kept in mind came out right."""

from typing import Any

import numpy as np

from minidil.array import Array

CLOSE = 0.04


def right(outputs: Array, targets: Array) -> Any:
    """A metric for `train.fit`: whether each symbol to say is said, or each sum is right to 0.04.

    Shapes: of copy memory logits (N, K, L) and classes (N, L), where 0, silence, does not count; of adding (N, 1) and (N, 1).
    Source: Hochreiter & Schmidhuber 1997, Neural Computation 9(8), section 5.4, for the 0.04.
    """
    if outputs.ndim == 3:
        return (outputs.argmax(axis=1) == targets)[np.asarray(targets) > 0]
    return abs(outputs - targets) < CLOSE
