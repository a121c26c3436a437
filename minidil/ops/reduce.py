"""Reductions over axes. With keepdims, reduced axes stay with size 1."""

from __future__ import annotations

import math
from collections.abc import Callable
from numbers import Integral

import numpy as np

from minidil.array import Array
from minidil.errors import DtypeError, OptionError, ShapeError
from minidil.kernels.backend import active
from minidil.kernels.contract import Kernels
from minidil.ops.common import Axis, Vjps, axes_of


def sum(x: Array, *, axis: Axis = None, keepdims: bool = False) -> tuple[Array, Vjps]:
    """The sum over the given axes (all of them by default)."""
    k = active()
    if x.dtype.kind == "u" and x.dtype.itemsize < 8:
        x = k.astype(x, np.int64)  # as other whole numbers, of which NumPy's sum is int64
    axes = axes_of("sum", axis, x.ndim)
    shape = x.shape  # all that backward needs: x itself is not kept
    # dy/dx = 1 for every element that went into y: G is repeated.
    return k.sum(x, axis=axes, keepdims=keepdims), (
        lambda grad: k.broadcast_to(k.reshape(grad, _kept(shape, axes)), shape),
    )


def mean(x: Array, *, axis: Axis = None, keepdims: bool = False) -> tuple[Array, Vjps]:
    """The mean over the given axes (all of them by default)."""
    k = active()
    axes = axes_of("mean", axis, x.ndim)
    shape = x.shape
    count = _count("mean", shape, axes)
    # y = sum(x) / n, so dy/dx = 1/n
    return k.mean(x, axis=axes, keepdims=keepdims), (
        lambda grad: k.broadcast_to(k.reshape(k.divide(grad, count), _kept(shape, axes)), shape),
    )


def var(x: Array, *, axis: Axis = None, ddof: int = 1, keepdims: bool = False) -> tuple[Array, Vjps]:
    """The variance sum((x - mean)^2) / (n - ddof) over the given axes (all of them by default).

    ddof: 1, as in PyTorch (`correction`, `unbiased=True`), estimates it from a sample without bias; 0, as in NumPy, is that of
        the numbers themselves.
    Raises: ShapeError if there are no more than ddof numbers.
    """
    k = active()
    axes = axes_of("var", axis, x.ndim)
    count = _count("var", x.shape, axes)
    if not isinstance(ddof, Integral):
        raise OptionError(f"var: ddof must be an int, not {ddof!r}")
    if count <= ddof:
        raise ShapeError(
            f"var: {count} elements of x {x.shape} minus ddof {ddof} leaves nothing to divide by; ddof=0 is their own variance"
        )
    centred = k.subtract(x, k.mean(x, axis=axes, keepdims=True))
    y = k.divide(k.sum(k.multiply(centred, centred), axis=axes, keepdims=keepdims), count - ddof)

    # dy/dx_i = 2 (x_i - m) / (n - ddof); the term through m vanishes because sum(x - m) = 0.
    def grad_x(grad: Array) -> Array:
        return k.multiply(k.reshape(k.multiply(grad, 2 / (count - ddof)), _kept(centred.shape, axes)), centred)

    return y, (grad_x,)


def amax(x: Array, *, axis: Axis = None, keepdims: bool = False) -> tuple[Array, Vjps]:
    """The largest element over the given axes, without its position. Ties share the gradient equally; a NaN is the largest."""
    k = active()
    return _extreme("amax", k, k.max, x, axis, keepdims)


def amin(x: Array, *, axis: Axis = None, keepdims: bool = False) -> tuple[Array, Vjps]:
    """The smallest element over the given axes, without its position. Ties share the gradient equally; a NaN is the smallest."""
    k = active()
    return _extreme("amin", k, k.min, x, axis, keepdims)


def std(x: Array, *, axis: Axis = None, ddof: int = 1, keepdims: bool = False) -> tuple[Array, Vjps]:
    """The standard deviation: the root of `var`, with its arguments."""
    k = active()
    square, (grad_var,) = var(x, axis=axis, keepdims=keepdims, ddof=ddof)
    y = k.sqrt(square)
    assert grad_var is not None
    # dy/dx = dvar/dx / (2 y)
    return y, (lambda grad: grad_var(k.divide(grad, k.multiply(y, 2))),)


def norm(x: Array, *, p: float = 2, axis: Axis = None, keepdims: bool = False) -> tuple[Array, Vjps]:
    """The length (sum |x|^p)^(1/p) over the given axes, for p = 1 and p = 2. At 0 its gradient is 0."""
    if p not in (1, 2):
        raise OptionError(f"norm: p is 1 or 2, not {p!r}")
    k = active()
    axes = axes_of("norm", axis, x.ndim)
    kept = _kept(x.shape, axes)
    zero = k.constant(0, like=x)
    if p == 1:
        sign = k.subtract(k.astype(k.greater(x, zero), x.dtype), k.astype(k.less(x, zero), x.dtype))
        # d|x|/dx = sign(x)
        return k.sum(k.absolute(x), axis=axes, keepdims=keepdims), (
            lambda grad: k.multiply(sign, k.reshape(grad, kept)),
        )
    y = k.sqrt(k.sum(k.multiply(x, x), axis=axes, keepdims=True))

    # dy/dx = x / y
    def grad_x(grad: Array) -> Array:
        length = k.where(k.equal(y, zero), k.constant(1, like=y), y)
        return k.multiply(x, k.divide(k.reshape(grad, kept), length))

    return (y if keepdims else k.reshape(y, tuple(n for i, n in enumerate(x.shape) if i not in axes))), (grad_x,)


def logsumexp(x: Array, *, axis: Axis = None, keepdims: bool = False) -> tuple[Array, Vjps]:
    """log sum_i e^(x_i) over the given axes (all of them by default), shifted by the maximum, so that nothing overflows.

    Infinities keep their meaning: minus infinity adds nothing, and where there is nothing else it is the result, and has
    gradient 0; plus infinity is the result, and takes the gradient.
    Raises: ShapeError if there are no elements along the axes; DtypeError for integers.
    """
    k = active()
    axes = axes_of("logsumexp", axis, x.ndim)
    _count("logsumexp", x.shape, axes)
    if x.dtype.kind != "f":
        raise DtypeError(f"logsumexp: x must be floating to hold a logarithm, not {x.dtype}; use astype")
    top = k.max(x, axis=axes, keepdims=True)
    infinite = k.equal(k.absolute(top), math.inf)
    shift = k.where(infinite, k.constant(0, like=x), top)
    # e^(x - top); with an infinite maximum, of which no difference can be taken, 1 for the elements that attain it.
    powers = k.exp(k.minimum(k.subtract(x, shift), 0))
    powers = k.where(infinite, k.astype(k.equal(x, top), x.dtype), powers)
    total = k.sum(powers, axis=axes, keepdims=True)
    y = k.add(top, k.log(total))

    # dy/dx_i = e^(x_i) / sum_j e^(x_j)
    def grad_x(grad: Array) -> Array:
        share = k.where(k.equal(top, -math.inf), k.constant(0, like=x), k.divide(powers, total))
        return k.multiply(k.reshape(grad, _kept(x.shape, axes)), share)

    return k.reshape(y, _left(x.shape, axes, keepdims)), (grad_x,)


def _extreme(
    op: str, k: Kernels, kernel: Callable[..., Array], x: Array, axis: Axis, keepdims: bool
) -> tuple[Array, Vjps]:
    axes = axes_of(op, axis, x.ndim)
    _count(op, x.shape, axes)
    y = kernel(x, axis=axes, keepdims=keepdims)

    # dy/dx = 1/(number of ties) at the elements that equal y, 0 elsewhere. NaNs equal nothing, but where there are some they tie:
    # for each of them one of the two comparisons is true, and for a number the second one is false.
    def grad_x(grad: Array) -> Array:
        kept = _kept(x.shape, axes)
        ties = k.not_equal(k.equal(x, k.reshape(y, kept)), k.not_equal(x, x))
        attained = k.astype(ties, x.dtype)
        return k.multiply(attained, k.divide(k.reshape(grad, kept), k.sum(attained, axis=axes, keepdims=True)))

    return y, (grad_x,)


def _kept(shape: tuple[int, ...], axes: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(1 if axis in axes else n for axis, n in enumerate(shape))


def _left(shape: tuple[int, ...], axes: tuple[int, ...], keepdims: bool) -> tuple[int, ...]:
    return _kept(shape, axes) if keepdims else tuple(n for axis, n in enumerate(shape) if axis not in axes)


def _count(op: str, shape: tuple[int, ...], axes: tuple[int, ...]) -> int:
    count = math.prod(shape[axis] for axis in axes)
    if count == 0:
        raise ShapeError(f"{op}: x {shape} has no elements along axes {axes}")
    return count
