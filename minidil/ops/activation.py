"""Activation functions, and dropout."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from minidil.array import Array
from minidil.errors import OptionError
from minidil.kernels.backend import active
from minidil.kernels.contract import Kernels
from minidil.ops.common import Vjps, axis_of, check_floating
from minidil.random import default_rng

_FAR = 1000


def relu(x: Array) -> tuple[Array, Vjps]:
    """max(x, 0) (Nair & Hinton 2010). At 0 the gradient is taken as 0; a NaN stays one, and its gradient passes."""
    k = active()
    y = k.relu(x)
    # dy/dx = 0 where x <= 0, which is where y = 0, else 1: y is kept anyway, x need not be.
    return y, (lambda grad: k.relu_grad(grad, y),)


def leaky_relu(x: Array, *, slope: float = 0.01) -> tuple[Array, Vjps]:
    """x where x > 0, slope x elsewhere (Maas et al. 2013)."""
    check_floating("leaky_relu", x=x)
    if slope == 0:
        return relu(x)  # whose limit at minus infinity is 0, where 0 x would be NaN
    k = active()

    # dy/dx = 1 where x > 0, slope elsewhere
    def leak(value: Array) -> Array:
        return k.where(k.greater(x, 0), value, k.multiply(value, slope))

    return leak(x), (leak,)


def sigmoid(x: Array) -> tuple[Array, Vjps]:
    """s(x) = 1 / (1 + e^-x)."""
    check_floating("sigmoid", x=x)
    k = active()
    y = k.sigmoid(x)
    # dy/dx = e^-x / (1 + e^-x)^2 = y (1 - y)
    return y, (lambda grad: k.sigmoid_grad(grad, y),)


def tanh(x: Array) -> tuple[Array, Vjps]:
    """The hyperbolic tangent."""
    check_floating("tanh", x=x)
    k = active()
    y = k.tanh(x)
    # dy/dx = 1 - tanh(x)^2
    return y, (lambda grad: k.multiply(grad, k.subtract(1, k.multiply(y, y))),)


def silu(x: Array) -> tuple[Array, Vjps]:
    """x s(x) with the sigmoid s, also called swish (Elfwing et al. 2018, arXiv:1702.03118)."""
    check_floating("silu", x=x)
    k = active()
    # dy/dx = s + x s (1 - s)
    return k.silu(x), (lambda grad: k.silu_grad(grad, x),)


def gelu(x: Array, *, approximate: str = "none") -> tuple[Array, Vjps]:
    """x P(Z <= x) for a standard normal Z (Hendrycks & Gimpel 2016, arXiv:1606.08415).

    approximate: "none" is exact, by the error function; "tanh" is the paper's x (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))) / 2.
    Raises: OptionError for another word.
    """
    check_floating("gelu", x=x)
    k = active()
    if approximate == "tanh":
        return _gelu_tanh(k, x)
    if approximate != "none":
        raise OptionError(f'gelu: approximate must be "none" or "tanh", not {approximate!r}')
    # P(Z <= x) = (1 + erf(x / sqrt 2)) / 2, and its slope is the normal density phi(x) = e^(-x^2/2) / sqrt(2 pi), so
    # dy/dx = P(Z <= x) + x phi(x)
    return k.gelu(x), (lambda grad: k.gelu_grad(grad, x),)


def _gelu_tanh(k: Kernels, x: Array) -> tuple[Array, Vjps]:
    scale = math.sqrt(2 / math.pi)
    near = k.clip(x, -10, 10)  # where the tanh has long been 1: no power overflows
    square = k.multiply(near, near)
    wave = k.tanh(k.multiply(k.multiply(near, scale), k.add(k.multiply(square, 0.044715), 1)))
    half = k.multiply(k.add(wave, 1), 0.5)

    # With u = c (x + a x^3), y = x (1 + tanh u) / 2; du/dx = c (1 + 3 a x^2), hence
    # dy/dx = (1 + tanh u) / 2 + x (1 - tanh(u)^2) c (1 + 3 a x^2) / 2
    def grad_x(grad: Array) -> Array:
        slope = k.multiply(k.add(k.multiply(square, 3 * 0.044715), 1), scale / 2)
        bend = k.multiply(k.multiply(near, k.subtract(1, k.multiply(wave, wave))), slope)
        return k.multiply(grad, k.add(half, bend))

    # far out on the left half is 0, and -1000 serves as well as minus infinity, of which no product could be taken
    return k.multiply(k.maximum(x, -_FAR), half), (grad_x,)


def softplus(x: Array, *, beta: float = 1.0, threshold: float = 20.0) -> tuple[Array, Vjps]:
    """log(1 + e^(beta x)) / beta, a smooth relu (Dugas et al. 2001); x itself where beta x exceeds the threshold.

    Raises: OptionError unless beta is positive and finite.
    """
    if not 0 < beta < math.inf:
        raise OptionError(f"softplus: beta must be positive and finite, not {beta}")
    k = active()
    z = k.multiply(x, beta)
    linear = k.greater(z, threshold)
    # log(1 + e^z) = max(z, 0) + log(1 + e^-|z|), in which no power overflows
    y = k.divide(k.add(k.relu(z), k.log1p(k.exp(k.negative(k.absolute(z))))), beta)
    # dy/dx = e^z / (1 + e^z), the sigmoid of z; 1 where y is x
    return k.where(linear, x, y), (lambda grad: k.where(linear, grad, k.multiply(grad, k.sigmoid(z))),)


def softmax(x: Array, *, axis: int | None = None) -> tuple[Array, Vjps]:
    """y_i = e^(x_i) / sum_j e^(x_j) along an axis; None is the last one of a vector or a matrix.

    A number without axes is alone and gives 1; nothing gives nothing.
    An x_i of minus infinity has y_i = 0 and no gradient. One of plus infinity makes NaN of all, as does minus infinity
    throughout: which y is the limit depends on the way there.
    """
    check_floating("softmax", x=x)
    k = active()
    along = _axis("softmax", x, axis)
    if not x.ndim or not x.size:
        return _as_row(k, x, softmax)
    y = k.softmax(x, along)

    # dy_i/dx_j = y_i (1[i = j] - y_j), hence dL/dx_j = y_j (G_j - sum_i G_i y_i)
    return y, (lambda grad: k.softmax_grad(grad, y, along),)


def log_softmax(x: Array, *, axis: int | None = None) -> tuple[Array, Vjps]:
    """y_i = x_i - log sum_j e^(x_j) along an axis, as `softmax` takes it.

    At infinity it is the logarithm of `softmax`, with finite gradients or NaN. A number without axes is alone and gives 0;
    nothing gives nothing.
    """
    check_floating("log_softmax", x=x)
    k = active()
    along = _axis("log_softmax", x, axis)
    if not x.ndim or not x.size:
        return _as_row(k, x, log_softmax)
    y = k.log_softmax(x, along)

    # dy_i/dx_j = 1[i = j] - e^(y_j), hence dL/dx_j = G_j - e^(y_j) sum_i G_i
    return y, (lambda grad: k.log_softmax_grad(grad, y, along),)


def dropout(
    x: Array, *, p: float = 0.5, training: bool = True, rng: np.random.Generator | None = None
) -> tuple[Array, Vjps]:
    """Zero each element with probability p and scale the rest by 1 / (1 - p), which keeps the mean (arXiv:1207.0580).

    training: False leaves x as it is.
    rng: where the mask is drawn; by default the generator that `minidil.seed` sets.
    Raises: OptionError unless 0 <= p < 1 and training is a bool.
    """
    if not isinstance(training, bool | np.bool_):
        raise OptionError(f"dropout: training must be True or False, not {training!r}; a generator is given as rng=")
    if not 0 <= p < 1:
        raise OptionError(f"dropout: p is the probability to drop and must satisfy 0 <= p < 1, not {p}")
    check_floating("dropout", x=x)
    k = active()
    if not training:
        return x, (lambda grad: grad,)
    mask = k.keep_mask(default_rng() if rng is None else rng, x.shape, p, x.dtype)
    # y = m x, so dy/dx = m
    return k.multiply(x, mask), (lambda grad: k.multiply(grad, mask),)


def _axis(op: str, x: Array, axis: int | None) -> int:
    """The axis, where a number without axes has the axis 0, as in PyTorch. Of more than two, none is meant if none is named."""
    if axis is None and x.ndim > 2:
        raise OptionError(f"{op}: axis must be given for x {x.shape}, as in axis=1 for the channels, or axis=-1")
    return axis_of(op, -1 if axis is None else axis, x.ndim or 1)


def _as_row(k: Kernels, x: Array, op: Callable[..., tuple[Array, Vjps]]) -> tuple[Array, Vjps]:
    """The op of a number, as a row of one, whose value is the same for every number; nothing is left as it is."""
    if not x.size:
        return x, (lambda grad: grad,)
    y, _ = op(k.reshape(x, (1,)))
    # y does not depend on x: dy/dx = 0
    return k.reshape(y, ()), (lambda grad: k.multiply(grad, 0),)
