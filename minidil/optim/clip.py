"""Keeping a step short when gradients explode."""

from __future__ import annotations

import math
from collections.abc import Iterable

from minidil.errors import OptionError, TrainingError
from minidil.kernels.backend import active
from minidil.rows import Rows
from minidil.tensor import Tensor


def clip_grad_norm(params: Iterable[Tensor] | Tensor, max_norm: float) -> float:
    """Scale all gradients together so that their norm, sqrt(sum of all squares), is at most max_norm; return the norm before.

    The direction of the whole step stays, which clipping each entry would change. Parameters without a gradient do not count,
    a repeated one counts once. The norm is summed in float64.
    Raises: OptionError unless max_norm > 0; TrainingError if a gradient is not finite, before anything is changed.
    Source: Pascanu, Mikolov & Bengio 2013, arXiv:1211.5063, algorithm 1.
    """
    if not max_norm > 0:
        raise OptionError(f"clip_grad_norm: max_norm must be a number > 0, not {max_norm!r}")
    kernels = active()
    given = {id(p): p for p in ([params] if isinstance(params, Tensor) else params)}
    grads = [(p, p.grad) for p in given.values() if p.grad is not None]
    parts = [grad._array.values if isinstance(grad._array, Rows) else kernels.place(grad.data) for _, grad in grads]
    squares = [float(kernels.square_sum(part)) for part in parts]
    for number, ((parameter, _), square) in enumerate(zip(grads, squares, strict=True)):
        if not math.isfinite(square):
            raise TrainingError(
                f"clip_grad_norm: gradient {number}, of a parameter of shape {parameter.shape}, is not finite; "
                f"a smaller learning rate usually helps"
            )
    norm = math.sqrt(math.fsum(squares))
    if norm > max_norm:
        for parameter, grad in grads:
            if isinstance(grad._array, Rows):
                parameter.grad = Tensor.of(grad._array.scaled(max_norm / norm))
                continue
            parameter.grad = Tensor.of(kernels.multiply(kernels.place(grad.data), max_norm / norm))
    return norm
