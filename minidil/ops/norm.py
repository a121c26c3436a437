"""Normalisation."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from numbers import Integral
from typing import Any

from minidil.array import Array
from minidil.errors import DtypeError, OptionError, ShapeError
from minidil.kernels.backend import active
from minidil.ops.common import Vjps, check_floating, once

Observer = Callable[[Array, Array], None]


def batch_norm(
    x: Array,
    weight: Array | None = None,
    bias: Array | None = None,
    *,
    mean: Array | None = None,
    var: Array | None = None,
    eps: float = 1e-5,
    observe: Observer | None = None,
    activation: str | None = None,
) -> tuple[Array, Vjps]:
    """Normalise every channel, u = weight (x - mean) / sqrt(var + eps) + bias, and apply an activation, y = f(u).

    All after x is given by name: PyTorch's function has the running statistics where the weight is here.
    Shapes: x (N, C, *S); weight, bias, mean and var (C,) -> y like x.
    mean, var: constants to normalise with (evaluation). Left out, they are those of the batch itself (training; the
        variance is the biased one), the gradient goes through them, and `observe(mean, var)` is called with them.
    activation: "relu" or "gelu", computed in the same pass over the memory; None leaves y = u. Of all that lies between, x
        alone is kept for the backward pass.
    In training, an infinity or a NaN makes NaN of its channel, since infinity less an infinite mean has no value. Where the type
    cannot hold the variance, in float32 for deviations beyond 1e19, it is infinite, and x counts as nothing: h = 0.
    Raises: ShapeError if sizes do not fit, or if a training batch has a single value per channel, whose variance is 0;
        DtypeError if mean or var are of another type than x.
    Source: Ioffe & Szegedy 2015, arXiv:1502.03167, algorithm 1 and the gradients that follow it.
    """
    check_floating("batch_norm", x=x)
    k = active()
    if x.ndim < 2:
        raise ShapeError(f"batch_norm: x must be (N, C, *S), not {x.shape}")
    channels = x.shape[1]
    for name, vector in (("weight", weight), ("bias", bias), ("mean", mean), ("var", var)):
        if vector is not None and vector.shape != (channels,):
            raise ShapeError(f"batch_norm: {name} must be ({channels},) to go with x {x.shape}, not {vector.shape}")
    if (mean is None) != (var is None):
        raise OptionError("batch_norm: give both mean and var, or neither")
    if activation not in (None, "relu", "gelu"):
        raise OptionError(f'batch_norm: activation must be "relu", "gelu" or None, not {activation!r}')
    for name, vector in (("mean", mean), ("var", var)):
        if vector is not None and vector.dtype != x.dtype:
            raise DtypeError(f"batch_norm: x is {x.dtype} but {name} is {vector.dtype}; convert one with astype")
    training = mean is None or var is None
    count = math.prod(x.shape) // max(channels, 1)
    if mean is None or var is None:
        if count < 2:
            raise ShapeError(
                f"batch_norm: training on x {x.shape} has {count} value per channel; at least 2 are needed"
            )
        mean, var = k.channel_moments(x)
        if observe is not None:
            observe(mean, var)
    inverse = k.divide(1.0, k.sqrt(k.add(var, eps)))
    scale = inverse if weight is None else k.multiply(weight, inverse)
    shift = k.negative(k.multiply(mean, scale))
    if bias is not None:
        shift = k.add(shift, bias)
    y = k.channel_affine(x, scale, shift, activation)

    # With H = dL/du = G f'(u), and per channel n values, h = (x - mean) r, r = 1/sqrt(var + eps) and u = w h + b:
    #   dL/db = sum H,    dL/dw = sum H h = r sum H (x - mean).
    # The batch's own mean and variance depend on every x_j: dmean/dx_j = 1/n, and dr/dx_j = -r^2 h_j / n
    # (since dvar/dx_j = 2 (x_j - mean)/n and dr/dvar = -r^3/2). Put into dL/dx_j = sum_i H_i w dh_i/dx_j,
    #   dL/dx = w r (H - sum(H)/n - h sum(H h)/n),
    # which is of the form a H + b x + c with one a, b and c per channel. With constant mean and var only w r H remains.
    shared: list[Array] = []

    def slope_and_sums(grad: Array) -> tuple[Array, Array, Array]:
        if not shared or shared[0] is not grad:  # the three gradients need the same H and the same two sums
            if activation is None:
                slope, (total, product) = grad, k.channel_dots(grad, x, mean)
            else:
                slope, total, product = k.channel_slope_dots(grad, x, scale, shift, mean, activation)
            shared[:] = grad, slope, total, k.multiply(product, inverse)
        return shared[1], shared[2], shared[3]

    def grad_x(grad: Array) -> Array:
        if not training and activation is None:
            return k.channel_affine(grad, scale, k.multiply(scale, 0))
        slope, total, product = slope_and_sums(grad)
        if not training:
            return k.channel_affine(slope, scale, k.multiply(scale, 0))
        b = k.negative(k.multiply(k.multiply(scale, inverse), k.divide(product, count)))
        c = k.negative(k.add(k.multiply(scale, k.divide(total, count)), k.multiply(b, mean)))
        return k.channel_combine(slope, x, scale, b, c)

    return y, (
        grad_x,
        None if weight is None else lambda grad: slope_and_sums(grad)[2],
        None if bias is None else lambda grad: slope_and_sums(grad)[1],
    )


def layer_norm(
    x: Array,
    weight: Array | None = None,
    bias: Array | None = None,
    *,
    normalized_shape: int | Sequence[int],
    eps: float = 1e-5,
) -> tuple[Array, Vjps]:
    """Normalise the last axes of every sample to mean 0 and variance 1, then y = weight h + bias.

    Shapes: x (..., *normalized_shape); weight and bias of shape normalized_shape. A function of tensors takes them in PyTorch's
        order, with normalized_shape first.
    An infinity or a NaN makes NaN of its sample, and what is too large to be squared makes h = 0, as in `batch_norm`.
    Raises: ShapeError if x does not end in normalized_shape.
    Source: Ba, Kiros & Hinton 2016, arXiv:1607.06450, section 3.
    """
    check_floating("layer_norm", x=x)
    k = active()
    sizes: Any = (normalized_shape,) if isinstance(normalized_shape, Integral) else normalized_shape
    if not isinstance(sizes, Sequence) or not all(isinstance(n, Integral) for n in sizes):
        raise OptionError(f"layer_norm: normalized_shape is an int, or one for each of the last axes, not {sizes!r}")
    tail = tuple(int(n) for n in sizes)
    if not tail or x.shape[x.ndim - len(tail) :] != tail or 0 in tail:
        raise ShapeError(f"layer_norm: x {x.shape} must end in normalized_shape {tail}, without a 0 in it")
    for name, array in (("weight", weight), ("bias", bias)):
        if array is not None and array.shape != tail:
            raise ShapeError(f"layer_norm: {name} must have shape {tail}, not {array.shape}")
    length = math.prod(tail)
    rows = k.reshape(x, (math.prod(x.shape) // length, length))
    factors = None if weight is None else k.reshape(weight, (length,))
    shifts = None if bias is None else k.reshape(bias, (length,))
    y, mean, inverse = k.row_normalise(rows, factors, shifts, eps)

    # As in batch_norm, with means over the normalised axes: for h = (x - mean) r, r = 1/sqrt(var + eps) and H = G w,
    #   dL/dx = r (H - mean(H) - h mean(H h)),      dL/dw = sum G h,      dL/db = sum G.
    def slopes(grad: Array) -> tuple[Array, Array, Array]:
        return k.row_normalise_grad(k.reshape(grad, rows.shape), rows, factors, mean, inverse)

    each = once(slopes)
    return k.reshape(y, x.shape), (
        lambda grad: k.reshape(each(grad)[0], x.shape),
        None if weight is None else lambda grad: k.reshape(each(grad)[1], tail),
        None if bias is None else lambda grad: k.reshape(each(grad)[2], tail),
    )
