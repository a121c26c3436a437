"""Normalisation with the operands by position, in the order of the gradients: what the checks of gradients hand over.

minidil takes them by name where PyTorch has another order.
"""

import minidil.functional as F


def batch_norm(x, weight=None, bias=None, **options):
    return F.batch_norm(x, weight=weight, bias=bias, **options)


def layer_norm(x, weight=None, bias=None, **options):
    return F.layer_norm(x, weight=weight, bias=bias, **options)
