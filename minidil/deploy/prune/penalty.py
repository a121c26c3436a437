"""What makes the scales of batch norm small where the loss does not need them."""

from __future__ import annotations

import math

import minidil.functional as F
from minidil.errors import OptionError
from minidil.nn import BatchNorm, Module
from minidil.nn.checks import check_range
from minidil.tensor import Tensor


def batch_norm_penalty(model: Module, strength: float = 1e-4) -> Tensor:
    """strength sum |gamma| over the scales of all batch norm in the model: one number, to be added to the loss.

        penalised = lambda outputs, targets: F.cross_entropy(outputs, targets) + batch_norm_penalty(model)
        fit(..., loss=penalised, metrics={"accuracy": lambda y, t: y.argmax(1) == t})

    Then `prune_channels(model, shape, share, "batch_norm", scope="network")` takes the channels whose scale it has made small.
    Raises: OptionError unless strength is a number >= 0, and if the model has no batch norm with a scale.
    Source: Liu et al. 2017, arXiv:1708.06519, equation 1 with g(s) = |s|; 1e-4 is what they take for VGG on CIFAR-10.
    """
    check_range("batch_norm_penalty", "strength", strength, 0, math.inf)
    scales = [each.weight for each in model.modules() if isinstance(each, BatchNorm) and each.weight is not None]
    if not scales:
        raise OptionError(f"batch_norm_penalty: this {type(model).__name__} has no batch norm with a scale")
    # |gamma| is convex, and its derivative is sign(gamma) but at 0, where the lines below it have all slopes from -1 to 1:
    #   |gamma'| >= |gamma| + s (gamma' - gamma)  for all gamma'  holds for s = sign(gamma), and at 0 for -1 <= s <= 1.
    # `absolute` takes s = 0 there: a scale that is 0 moves only if the loss itself wants it to. The pull, strength s, is the same
    # however small gamma is, where that of weight decay, 2 strength gamma, fades; so scales reach zero, and some stay about it.
    total = F.sum(F.absolute(scales[0]))
    for scale in scales[1:]:
        total = total + F.sum(F.absolute(scale))
    return total * strength
