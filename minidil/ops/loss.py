"""Losses. `reduction` is "mean" (the default), "sum" or "none", as in PyTorch."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from minidil.array import Array
from minidil.errors import DtypeError, OptionError, ShapeError
from minidil.kernels.backend import active
from minidil.kernels.contract import Kernels
from minidil.ops.common import Vjp, Vjps, check_floating, check_shapes
from minidil.ops.target import check_logits, class_numbers, masked


def cross_entropy(
    logits: Array,
    *,
    target: Array,
    weight: Array | None = None,
    ignore_index: int = -100,
    label_smoothing: float = 0.0,
    reduction: str = "mean",
) -> tuple[Array, Vjps]:
    """Minus the log-probability that softmax(logits) gives to the target.

    Shapes: logits (N, K, *S), target (N, *S) of class numbers (integers) in 0..K-1, or of the logits' shape and number type:
        a probability per class -> a scalar, or (N, *S) for "none". weight (K,).
    weight: a factor per class; with class numbers "mean" then divides by the sum of the targets' weights.
    ignore_index: targets of this class number cost nothing and do not count.
    label_smoothing: the share e of the target that is spread evenly over all classes (arXiv:1512.00567, section 7).
    Raises: ShapeError, DtypeError or OptionError if the target does not fit the logits, or "mean" finds every target ignored.
    """
    k = active()
    check_logits("cross_entropy", logits, target, weight)
    check_floating("cross_entropy", logits=logits)
    if not 0 <= label_smoothing <= 1:
        raise OptionError(f"cross_entropy: label_smoothing must lie in 0..1, not {label_smoothing}")
    if target.shape == logits.shape and target.dtype.kind == "f":
        return _against_probabilities(k, logits, target, weight, ignore_index, label_smoothing, reduction)
    labels, kept = class_numbers("cross_entropy", logits, target, ignore_index)
    losses = masked(k, kept, k.cross_entropy(logits, labels, weight, label_smoothing))

    # With q the wanted distribution times the class weights, loss = -sum_c q_c log p_c, and dlog p_c/dz_j = 1[c = j] - p_j,
    # so dloss/dz_j = p_j sum_c q_c - q_j; without weights that is p - q.
    def grad_logits(grad: Array) -> Array:
        return k.cross_entropy_grad(masked(k, kept, grad), logits, labels, weight, label_smoothing)

    divisor = _counted(k, "cross_entropy", labels, kept, weight, ignore_index, reduction)
    return _reduced(k, "cross_entropy", losses, reduction, divisor, (grad_logits,))


def _against_probabilities(
    k: Kernels,
    logits: Array,
    target: Array,
    weight: Array | None,
    ignore_index: int,
    label_smoothing: float,
    reduction: str,
) -> tuple[Array, Vjps]:
    if ignore_index >= 0:
        raise OptionError(
            f"cross_entropy: ignore_index {ignore_index} is a class number, but target holds probabilities"
        )
    if target.dtype != logits.dtype:
        raise DtypeError(
            f"cross_entropy: logits is {logits.dtype} but target is {target.dtype}; convert one with astype"
        )
    wanted = (
        k.add(k.multiply(target, 1 - label_smoothing), label_smoothing / logits.shape[1]) if label_smoothing else target
    )
    if weight is not None:
        wanted = k.multiply(wanted, k.reshape(weight, (-1, *(1,) * (logits.ndim - 2))))
    # A class that is not wanted adds nothing, also where it is masked by a logit of minus infinity: 0 log 0 = 0.
    counted = k.where(k.equal(wanted, 0), k.constant(0, like=logits), k.log_softmax(logits, 1))
    losses = k.negative(k.sum(k.multiply(wanted, counted), axis=1))

    # As above, dloss/dz_j = p_j sum_c q_c - q_j.
    def grad_logits(grad: Array) -> Array:
        slope = k.subtract(k.multiply(k.softmax(logits, 1), k.sum(wanted, axis=1, keepdims=True)), wanted)
        return k.multiply(k.reshape(grad, (grad.shape[0], 1, *grad.shape[1:])), slope)

    return _reduced(k, "cross_entropy", losses, reduction, losses.size, (grad_logits,))


def nll_loss(
    log_probs: Array, *, target: Array, weight: Array | None = None, ignore_index: int = -100, reduction: str = "mean"
) -> tuple[Array, Vjps]:
    """Minus the entry of the target class: `cross_entropy` of what has been through `log_softmax` already.

    Shapes: log_probs (N, K, *S), target (N, *S) of integers in 0..K-1, weight (K,) -> a scalar, or (N, *S) for "none".
    weight, ignore_index, Raises: as for `cross_entropy`.
    """
    k = active()
    check_logits("nll_loss", log_probs, target, weight)
    labels, kept = class_numbers("nll_loss", log_probs, target, ignore_index)
    places = np.ix_(*map(np.arange, labels.shape))
    index = (places[0], labels, *places[1:])
    taken = k.take(log_probs, index)
    share = None if weight is None else k.take(weight, labels)
    losses = masked(k, kept, k.negative(taken if share is None else k.multiply(taken, share)))
    shape = log_probs.shape

    # loss = -w_t x_t, so dloss/dx_c = -w_t [c = t]
    def grad_log_probs(grad: Array) -> Array:
        grad = k.negative(masked(k, kept, grad))
        return k.scatter_add(grad if share is None else k.multiply(grad, share), index, shape)

    divisor = _counted(k, "nll_loss", labels, kept, weight, ignore_index, reduction)
    return _reduced(k, "nll_loss", losses, reduction, divisor, (grad_log_probs,))


def dice_loss(
    logits: Array, *, target: Array, smooth: float = 1.0, ignore_index: int = -100, reduction: str = "mean"
) -> tuple[Array, Vjps]:
    """1 - D, where D is the soft Dice overlap of the softmax of the logits with the target, for each image and class but class 0.

        D = (2 sum p t + e) / (sum p + sum t + e)        over the positions of an image, e = smooth

    With p of 0 and 1 alone and e = 0 that is the Dice coefficient, 2 |P and T| / (|P| + |T|). Unlike cross-entropy it does not
    care how many positions there are of class 0, the background, so it is for objects that cover little.
    Shapes: logits (N, K, *S), target (N, *S) of class numbers (integers) in 0..K-1 -> a scalar, or (N, K - 1) for "none".
    smooth: makes D = 1 of a class that is neither in the image nor in the prediction, where it would be 0/0.
    ignore_index: positions with this target are in no sum.
    Raises: ShapeError, DtypeError or OptionError if the target does not fit the logits, there is no class but the background,
        or smooth is not positive.
    Source: Milletari, Navab & Ahmadi 2016, arXiv:1606.04797, section 3, there with squares in the denominator.
    """
    k, op = active(), "dice_loss"
    check_logits(op, logits, target, None)
    check_floating(op, logits=logits)
    if logits.shape[1] < 2:
        raise ShapeError(f"{op}: logits {logits.shape} have no class but class 0, the background")
    if not 0 < smooth < math.inf:
        raise OptionError(f"{op}: smooth must be a number > 0, not {smooth}")
    labels, kept = class_numbers(op, logits, target, ignore_index)
    counted = None if kept is None else kept[:, None]
    p, t = k.softmax(logits, 1), masked(k, counted, k.one_hot(labels, logits.shape[1], logits.dtype))

    def over_positions(values: Array) -> Array:
        return k.sum(values, axis=tuple(range(2, logits.ndim)), keepdims=True)

    total = k.add(over_positions(k.add(masked(k, counted, p), t)), smooth)
    overlap = k.divide(k.add(k.multiply(over_positions(k.multiply(p, t)), 2), smooth), total)
    losses = k.subtract(1, k.take(k.reshape(overlap, overlap.shape[:2]), (slice(None), slice(1, None))))

    # With S = sum p + sum t + e, D = (2 sum p t + e)/S, so dD/dp = 2 t/S - (2 sum p t + e)/S^2 = (2 t - D)/S at every position.
    # For h = dL/dp = -G (2 t - D)/S, where G of the background is 0, the softmax with dp_c/dz_j = p_c ([c = j] - p_j) gives
    #   dL/dz_j = p_j (h_j - sum_c h_c p_c).
    def grad_logits(grad: Array) -> Array:
        with_background = k.reshape(k.pad(grad, [(0, 0), (1, 0)]), overlap.shape)
        h = k.multiply(k.divide(with_background, total), k.subtract(overlap, k.multiply(t, 2)))
        h = masked(k, counted, h)
        return k.multiply(p, k.subtract(h, k.sum(k.multiply(h, p), axis=1, keepdims=True)))

    return _reduced(k, op, losses, reduction, losses.size, (grad_logits,))


def binary_cross_entropy_with_logits(
    x: Array, *, target: Array, pos_weight: Array | None = None, reduction: str = "mean"
) -> tuple[Array, Vjps]:
    """-w t log s(x) - (1 - t) log(1 - s(x)) for logits x and targets t in 0..1, with the sigmoid s; x and target of one shape.

    pos_weight: the factor w of the positive targets, of a shape that broadcasts to that of x; 1 by default.
    Raises: ShapeError or DtypeError if target or pos_weight does not fit x; OptionError if a target lies outside 0..1.
    An infinite logit on the side of a target of 0 or 1 costs nothing; on the other side, or for a target between, infinity.
    """
    op = "binary_cross_entropy_with_logits"
    k = active()
    _check_same(op, x, target)
    _check_fractions(k, op, target)
    if pos_weight is None:
        mass, positive = None, target
    else:
        _check_pos_weight(op, x, pos_weight)
        mass, positive = k.add(k.multiply(k.subtract(pos_weight, 1), target), 1), k.multiply(pos_weight, target)
    # log s(x) = x - log(1 + e^x) and log(1 - s(x)) = -log(1 + e^x), so the loss is m log(1 + e^x) - w t x, with the mass
    # m = 1 + (w - 1) t, which is 1 without w. Since m - w t = 1 - t, it can be written as
    #   u |x| + m log(1 + e^-|x|),      u = 1 - t where x > 0, w t elsewhere,
    # in which no power overflows. Where u = 0 the first term is 0, however large x is.
    size = k.absolute(x)
    against = k.where(k.greater(x, 0), k.subtract(1, target), positive)
    rest = k.log1p(k.exp(k.negative(size)))
    losses = k.add(_counted_product(k, against, size), rest if mass is None else k.multiply(mass, rest))

    # dloss/dx = m s(x) - w t
    def grad_x(grad: Array) -> Array:
        chance = k.sigmoid(x)
        return k.multiply(grad, k.subtract(chance if mass is None else k.multiply(mass, chance), positive))

    return _reduced(k, op, losses, reduction, losses.size, (grad_x,))


def focal_loss(
    x: Array, *, target: Array, alpha: float | None = 0.25, gamma: float = 2.0, reduction: str = "mean"
) -> tuple[Array, Vjps]:
    """-a t (1 - p)^gamma log p - (1 - a) (1 - t) p^gamma log(1 - p): cross-entropy in which answers that are right hardly count.

    p is the sigmoid of the logits x, and targets t lie in 0..1; x and target of one shape. A detector sums the losses of all its
    anchors and divides by the number of those that hold something.
    alpha: the weight a of the positive targets, against 1 - a of the others; None: a factor of 1 for both.
    gamma: 0 is cross-entropy; 2 makes the loss of a right answer with p = 0.9 a hundred times smaller.
    Raises: ShapeError or DtypeError if target does not fit x; OptionError if alpha or a target lies outside 0..1, or gamma < 0.
    An infinite logit costs nothing on the side of a target of 0 or 1, and infinity on the other side, or between.
    Source: Lin et al. 2017, arXiv:1708.02002, equation 5 and appendix B.
    """
    k = active()
    _check_same("focal_loss", x, target)
    if not 0 <= gamma < math.inf:
        raise OptionError(f"focal_loss: gamma must be a number >= 0, not {gamma}")
    if alpha is not None and not 0 <= alpha <= 1:
        raise OptionError(f"focal_loss: alpha must lie in 0..1, or be None, not {alpha}")
    _check_fractions(k, "focal_loss", target)
    yes, no = target, k.subtract(1, target)
    if alpha is not None:
        yes, no = k.multiply(yes, alpha), k.multiply(no, 1 - alpha)

    # With the loss of a positive target, P(x) = -(1 - p)^gamma log p, that of a negative one is P(-x), as 1 - s(x) = s(-x).
    def cost(x: Array) -> Array:
        return k.negative(k.multiply(k.power(k.sigmoid(k.negative(x)), gamma), _log_sigmoid(k, x)))

    # dp/dx = p (1 - p) and dlog p/dx = 1 - p, so dP/dx = (1 - p)^gamma (gamma p log p - (1 - p)); p log p -> 0 as p -> 0.
    def slope(x: Array) -> Array:
        chance, miss = k.sigmoid(x), k.sigmoid(k.negative(x))
        entropy = _counted_product(k, chance, _log_sigmoid(k, x))
        return k.multiply(k.power(miss, gamma), k.subtract(k.multiply(entropy, gamma), miss))

    opposite = k.negative(x)
    losses = k.add(_counted_product(k, yes, cost(x)), _counted_product(k, no, cost(opposite)))

    # loss = a t P(x) + (1 - a) (1 - t) P(-x), so dloss/dx = a t P'(x) - (1 - a) (1 - t) P'(-x)
    def grad_x(grad: Array) -> Array:
        return k.multiply(grad, k.subtract(k.multiply(yes, slope(x)), k.multiply(no, slope(opposite))))

    return _reduced(k, "focal_loss", losses, reduction, losses.size, (grad_x,))


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


def huber_loss(x: Array, target: Array, *, reduction: str = "mean", delta: float = 1.0) -> tuple[Array, Vjps]:
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


def _log_sigmoid(k: Kernels, x: Array) -> Array:
    """log s(x) = min(x, 0) - log(1 + e^-|x|), in which no power overflows."""
    return k.subtract(k.minimum(x, 0), k.log1p(k.exp(k.negative(k.absolute(x)))))


def _counted_product(k: Kernels, share: Array, value: Array) -> Array:
    """share value, and 0 where the share is, however large the value."""
    return k.multiply(share, k.where(k.equal(share, 0), share, value))


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


def _check_fractions(k: Kernels, op: str, target: Array) -> None:
    if target.size:
        low, high = float(k.min(target).item()), float(k.max(target).item())
        if not 0 <= low <= high <= 1:
            raise OptionError(f"{op}: targets are probabilities in 0..1, but target holds {low:g}..{high:g}")


def _check_pos_weight(op: str, x: Array, pos_weight: Array) -> None:
    check_shapes(op, x.shape, pos_weight.shape)
    if np.broadcast_shapes(x.shape, pos_weight.shape) != x.shape:
        raise ShapeError(f"{op}: pos_weight {pos_weight.shape} must broadcast to the shape of x {x.shape}")
    if pos_weight.dtype != x.dtype:
        raise DtypeError(f"{op}: x is {x.dtype} but pos_weight is {pos_weight.dtype}; convert one with astype")


def _counted(
    k: Kernels,
    op: str,
    labels: Array,
    kept: NDArray[np.bool_] | None,
    weight: Array | None,
    ignore_index: int,
    reduction: str,
) -> Array | float:
    """What "mean" divides by: the targets that count, each as often as its class weighs."""
    if kept is not None and kept.size and not kept.any() and reduction == "mean":
        raise OptionError(
            f"{op}: every target is ignore_index {ignore_index}, and the mean of no losses is not defined"
        )
    if weight is None:
        return math.prod(labels.shape) if kept is None else int(kept.sum())
    return k.sum(masked(k, kept, k.take(weight, labels)))
