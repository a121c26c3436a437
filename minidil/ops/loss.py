"""Losses. `reduction` is "mean" (the default), "sum" or "none", as in PyTorch."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from minidil.errors import DtypeError, OptionError, ShapeError
from minidil.kernels.backend import Array, Kernels, active
from minidil.ops.common import Vjp, Vjps, check_floating


def cross_entropy(
    logits: Array,
    *,
    target: Array,
    weight: Array | None = None,
    label_smoothing: float = 0.0,
    reduction: str = "mean",
) -> tuple[Array, Vjps]:
    """Minus the log-probability that softmax(logits) gives to the target class.

    Shapes: logits (N, K, *S), target (N, *S) of integers in 0..K-1, weight (K,) -> a scalar, or (N, *S) for "none".
    weight: a factor per class; "mean" then divides by the sum of the targets' weights.
    label_smoothing: the share e of the target that is spread evenly over all classes (arXiv:1512.00567, section 7).
    Raises: ShapeError, DtypeError or OptionError if the target does not fit the logits.
    """
    k = active()
    check_floating("cross_entropy", logits=logits)
    _check_target(logits, target)
    if not 0 <= label_smoothing <= 1:
        raise OptionError(f"cross_entropy: label_smoothing must lie in 0..1, not {label_smoothing}")
    classes = logits.shape[1]
    if weight is not None and weight.shape != (classes,):
        raise ShapeError(f"cross_entropy: weight must be ({classes},), one factor per class, not {weight.shape}")
    if weight is not None and weight.dtype != logits.dtype:
        raise DtypeError(
            f"cross_entropy: logits is {logits.dtype} but weight is {weight.dtype}; convert one with astype"
        )
    losses = k.cross_entropy(logits, target, weight, label_smoothing)
    divisor = math.prod(target.shape) if weight is None else k.sum(k.take(weight, target))

    # With q the wanted distribution times the class weights, loss = -sum_c q_c log p_c, and dlog p_c/dz_j = 1[c = j] - p_j,
    # so dloss/dz_j = p_j sum_c q_c - q_j; without weights that is p - q.
    def grad_logits(grad: Array) -> Array:
        return k.cross_entropy_grad(grad, logits, target, weight, label_smoothing)

    return _reduced(k, "cross_entropy", losses, reduction, divisor, (grad_logits,))


def binary_cross_entropy_with_logits(x: Array, *, target: Array, reduction: str = "mean") -> tuple[Array, Vjps]:
    """-t log s(x) - (1 - t) log(1 - s(x)) for logits x and targets t in 0..1, with the sigmoid s; x and target of one shape.

    An infinite logit on the side of a target of 0 or 1 costs nothing; on the other side, or for a target between, infinity.
    """
    k = active()
    _check_same("binary_cross_entropy_with_logits", x, target)
    # log s(x) = x - log(1 + e^x) and log(1 - s(x)) = -log(1 + e^x), so the loss is log(1 + e^x) - t x. It is written as
    #   u |x| + log(1 + e^-|x|),      u = 1 - t where x > 0, t elsewhere,
    # in which no power overflows. Where u = 0 the first term is 0, however large x is.
    size = k.absolute(x)
    against = k.where(k.greater(x, 0), k.subtract(1, target), target)
    counted = k.where(k.equal(against, 0), against, size)
    losses = k.add(k.multiply(against, counted), k.log1p(k.exp(k.negative(size))))
    # dloss/dx = s(x) - t
    return _reduced(
        k,
        "binary_cross_entropy_with_logits",
        losses,
        reduction,
        losses.size,
        (lambda grad: k.multiply(grad, k.subtract(k.sigmoid(x), target)),),
    )


def mse_loss(x: Array, target: Array, *, reduction: str = "mean") -> tuple[Array, Vjps]:
    """(x - target)^2."""
    k = active()
    _check_same("mse_loss", x, target)
    error = k.subtract(x, target)

    # dloss/dx = 2 (x - target) = -dloss/dtarget
    def grad_x(grad: Array) -> Array:
        return k.multiply(grad, k.multiply(error, 2))

    return _of_error(k, "mse_loss", k.multiply(error, error), reduction, grad_x)


def l1_loss(x: Array, target: Array, *, reduction: str = "mean") -> tuple[Array, Vjps]:
    """|x - target|; the gradient is taken as 0 where they are equal."""
    k = active()
    _check_same("l1_loss", x, target)
    error = k.subtract(x, target)

    # dloss/dx = sign(x - target) = -dloss/dtarget
    def grad_x(grad: Array) -> Array:
        return k.multiply(grad, k.sign(error))

    return _of_error(k, "l1_loss", k.absolute(error), reduction, grad_x)


def huber_loss(x: Array, target: Array, *, delta: float = 1.0, reduction: str = "mean") -> tuple[Array, Vjps]:
    """e^2 / 2 for an error |e| <= delta and delta (|e| - delta/2) beyond, where both and their slopes meet (Huber 1964)."""
    k = active()
    if not delta > 0:
        raise OptionError(f"huber_loss: delta must be positive, not {delta}")
    _check_same("huber_loss", x, target)
    error = k.subtract(x, target)
    # With the error limited to c = clip(e, -delta, delta), both pieces are c (e - c/2), whose slope is c.
    limited = k.clip(error, -delta, delta)
    losses = k.multiply(limited, k.subtract(error, k.multiply(limited, 0.5)))

    # dloss/dx = c = -dloss/dtarget
    def grad_x(grad: Array) -> Array:
        return k.multiply(grad, limited)

    return _of_error(k, "huber_loss", losses, reduction, grad_x)


def _of_error(k: Kernels, op: str, losses: Array, reduction: str, grad_x: Vjp) -> tuple[Array, Vjps]:
    """A loss of x - target: the gradient of the target is that of x with its sign turned."""
    return _reduced(k, op, losses, reduction, losses.size, (grad_x, lambda grad: k.negative(grad_x(grad))))


def _reduced(
    k: Kernels, op: str, losses: Array, reduction: str, divisor: Array | float, vjps: tuple[Vjp, ...]
) -> tuple[Array, Vjps]:
    """Sum the losses, or take their mean, or leave them; the gradient of each is then G, G / divisor or G element by element."""
    if reduction == "none":
        return losses, vjps
    if reduction not in ("mean", "sum"):
        raise OptionError(f'{op}: reduction must be "mean", "sum" or "none", not {reduction!r}')
    if losses.size == 0 and reduction == "mean":
        raise ShapeError(f"{op}: the mean of no losses is not defined (shape {losses.shape})")
    total = k.sum(losses)
    mean = reduction == "mean"

    def from_scalar(vjp: Vjp) -> Vjp:
        def grad_argument(grad: Array) -> Array:
            share = k.divide(grad, divisor) if mean else grad
            return vjp(k.broadcast_to(share, losses.shape))

        return grad_argument

    return (k.divide(total, divisor) if mean else total), tuple(map(from_scalar, vjps))


def _check_same(op: str, x: Array, target: Array) -> None:
    for name, array in (("x", x), ("target", target)):
        if not hasattr(array, "shape"):
            raise DtypeError(f"{op}: {name} must be an array or a tensor, not {type(array).__name__}")
    if x.shape != target.shape:
        raise ShapeError(f"{op}: x {x.shape} and target {target.shape} must have one shape")
    if x.dtype != target.dtype:
        raise DtypeError(f"{op}: x is {x.dtype} but target is {target.dtype}; convert one with astype")
    check_floating(op, x=x)


def _check_target(logits: Array, target: Any) -> None:
    if not hasattr(target, "shape"):
        raise DtypeError(f"cross_entropy: target must be an array or a tensor of integers, not {type(target).__name__}")
    if logits.ndim < 2 or target.shape != (logits.shape[0], *logits.shape[2:]):
        raise ShapeError(
            f"cross_entropy: logits {logits.shape} are (N, K, *S), so target must be "
            f"{(*logits.shape[:1], *logits.shape[2:])}, not {target.shape}"
        )
    if not logits.shape[1]:
        raise ShapeError(f"cross_entropy: logits {logits.shape} have no classes")
    if not np.issubdtype(target.dtype, np.integer):
        raise DtypeError(f"cross_entropy: target must hold class numbers (integers), not {target.dtype}")
    if target.size and not 0 <= int(target.min()) <= int(target.max()) < logits.shape[1]:
        raise OptionError(
            f"cross_entropy: target holds {int(target.min())}..{int(target.max())} but logits {logits.shape} have "
            f"classes 0..{logits.shape[1] - 1}"
        )
