"""What a segmenting network lowers."""

import minidil.functional as F
from minidil.array import Array
from minidil.tensor import Tensor


def cross_entropy_and_dice(logits: Tensor, target: Array) -> Tensor:
    """Cross-entropy of every pixel, plus the soft Dice loss of every image and class.

    The first has a clear slope from the beginning, the second is close to what is measured, however few pixels an object has.
    Shapes: logits (N, K, *S), target (N, *S) of class numbers -> a scalar.
    """
    return F.cross_entropy(logits, target) + F.dice_loss(logits, target)
