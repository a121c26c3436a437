"""Elementwise arithmetic with NumPy's broadcasting. Every gradient is summed back over the axes that were repeated."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import DTypeLike

from minidil.array import Array
from minidil.errors import DtypeError, OptionError
from minidil.kernels.backend import active
from minidil.kernels.contract import Kernels
from minidil.ops.common import Scalar, Vjps, check_broadcast, check_wide, shape_of, sum_to


def add(a: Array, b: Array) -> tuple[Array, Vjps]:
    """a + b."""
    check_broadcast("add", a, b)
    k = active()
    shape_a, shape_b = shape_of(a), shape_of(b)
    # dy/da = 1, dy/db = 1
    return k.add(a, b), (lambda grad: sum_to(k, grad, shape_a), lambda grad: sum_to(k, grad, shape_b))


def subtract(a: Array, b: Array) -> tuple[Array, Vjps]:
    """a - b."""
    check_broadcast("subtract", a, b)
    k = active()
    shape_a, shape_b = shape_of(a), shape_of(b)
    # dy/da = 1, dy/db = -1
    return k.subtract(a, b), (lambda grad: sum_to(k, grad, shape_a), lambda grad: k.negative(sum_to(k, grad, shape_b)))


def multiply(a: Array, b: Array) -> tuple[Array, Vjps]:
    """a b, element by element."""
    check_broadcast("multiply", a, b)
    k = active()
    shape_a, shape_b = shape_of(a), shape_of(b)
    # dy/da = b, dy/db = a
    return k.multiply(a, b), (
        lambda grad: sum_to(k, k.multiply(grad, b), shape_a),
        lambda grad: sum_to(k, k.multiply(grad, a), shape_b),
    )


def divide(a: Array, b: Array) -> tuple[Array, Vjps]:
    """a / b."""
    check_broadcast("divide", a, b)
    k = active()
    y = k.divide(a, b)
    shape_a, shape_b = shape_of(a), shape_of(b)
    # dy/da = 1/b, dy/db = -a/b^2 = -y/b
    return y, (
        lambda grad: sum_to(k, k.divide(grad, b), shape_a),
        lambda grad: sum_to(k, k.negative(k.divide(k.multiply(grad, y), b)), shape_b),
    )


def power(a: Array, b: Array) -> tuple[Array, Vjps]:
    """a to the power b. The gradient for an array b needs a > 0 and is taken as 0 where a = 0.

    Raises: OptionError for negative powers of whole numbers.
    """
    check_broadcast("power", a, b)
    k = active()
    try:
        y = k.power(a, b)
    except ValueError:
        raise OptionError("power: a whole number has no negative powers; use astype('float32')") from None

    # dy/da = b a^(b-1). Where b = 0 that is 0 for every a, also where a^(b-1) has no value: 0 a^0 is 0.
    def grad_base(grad: Array) -> Array:
        if isinstance(b, int | float):
            return k.multiply(grad, k.multiply(k.power(a, b - 1 if b else 0), b))
        one_less = k.where(k.equal(b, 0), b, k.subtract(b, 1))
        return sum_to(k, k.multiply(grad, k.multiply(b, k.power(a, one_less))), a.shape)

    # dy/db = a^b log a
    def grad_exponent(grad: Array) -> Array:
        safe = k.where(k.equal(a, 0), k.constant(1, like=y), a)
        return sum_to(k, k.multiply(grad, k.multiply(y, k.log(safe))), shape_of(b))

    return y, (grad_base, grad_exponent)


def negative(x: Array) -> tuple[Array, Vjps]:
    """-x."""
    k = active()
    return k.negative(x), (k.negative,)


def exp(x: Array) -> tuple[Array, Vjps]:
    """e^x."""
    check_wide("exp", x=x)
    k = active()
    y = k.exp(x)
    # dy/dx = e^x = y
    return y, (lambda grad: k.multiply(grad, y),)


def log(x: Array) -> tuple[Array, Vjps]:
    """The natural logarithm."""
    check_wide("log", x=x)
    k = active()
    # dy/dx = 1/x
    return k.log(x), (lambda grad: k.divide(grad, x),)


def sqrt(x: Array) -> tuple[Array, Vjps]:
    """The square root."""
    check_wide("sqrt", x=x)
    k = active()
    y = k.sqrt(x)
    # y^2 = x, so 2 y dy = dx
    return y, (lambda grad: k.divide(grad, k.multiply(y, 2)),)


def absolute(x: Array) -> tuple[Array, Vjps]:
    """|x|. At 0 the gradient is taken as 0."""
    k = active()
    # dy/dx = sign(x)
    return k.absolute(x), (lambda grad: k.multiply(grad, k.sign(x)),)


def clip(x: Array, *, low: Scalar | None = None, high: Scalar | None = None) -> tuple[Array, Vjps]:
    """x limited to low..high; None leaves that side open. The gradient passes where low <= x <= high. A NaN stays one,
    without gradient.

    Raises: OptionError if both are None, or low > high.
    """
    if low is None and high is None:
        raise OptionError("clip: give low, high or both")
    if low is not None and high is not None and low > high:
        raise OptionError(f"clip: low {low} lies above high {high}")
    k = active()
    y = k.clip(x, low, high)
    # dy/dx = 1 where x was left alone, 0 where it was replaced by a constant
    return y, (lambda grad: k.where(k.equal(x, y), grad, k.constant(0, like=grad)),)


def maximum(a: Array, b: Array) -> tuple[Array, Vjps]:
    """The larger of a and b, element by element, NaN if one of them is.

    A tie gives half of the gradient to each, a NaN all of it to both.
    """
    k = active()
    return _extremum("maximum", k, k.maximum, k.less, a, b)


def minimum(a: Array, b: Array) -> tuple[Array, Vjps]:
    """The smaller of a and b, element by element, NaN if one of them is.

    A tie gives half of the gradient to each, a NaN all of it to both.
    """
    k = active()
    return _extremum("minimum", k, k.minimum, k.greater, a, b)


def _extremum(
    op: str, k: Kernels, wins: Callable[..., Array], loses: Callable[..., Array], a: Array, b: Array
) -> tuple[Array, Vjps]:
    check_broadcast(op, a, b)

    # dy/da = 0 where a loses, 1/2 where a = b, 1 elsewhere; the same for b with the roles exchanged. With a NaN neither loses.
    def share(grad: Array, mine: Array, other: Array) -> Array:
        won = k.where(loses(mine, other), k.constant(0, like=grad), grad)
        return k.where(k.equal(mine, other), k.multiply(grad, 0.5), won)

    return wins(a, b), (
        lambda grad: sum_to(k, share(grad, a, b), shape_of(a)),
        lambda grad: sum_to(k, share(grad, b, a), shape_of(b)),
    )


def where(a: Array, b: Array, *, condition: Array) -> tuple[Array, Vjps]:
    """a where the condition holds, b elsewhere; the condition is a bool array and has no gradient.

    Raises: DtypeError if the condition holds anything but bools, ShapeError if the shapes do not broadcast.
    """
    kind = str(getattr(condition, "dtype", type(condition).__name__))
    if kind != "bool":
        raise DtypeError(f"where: condition must hold bools, not {kind}; compare, as in x > 0")
    check_broadcast("where", condition, a, b)
    k = active()
    shape_a, shape_b = shape_of(a), shape_of(b)
    # dy/da = 1 where the condition holds, dy/db = 1 elsewhere
    return k.where(condition, a, b), (
        lambda grad: sum_to(k, k.where(condition, grad, k.constant(0, like=grad)), shape_a),
        lambda grad: sum_to(k, k.where(condition, k.constant(0, like=grad), grad), shape_b),
    )


def astype(x: Array, *, dtype: DTypeLike) -> tuple[Array, Vjps]:
    """x as another number type; the gradient comes back as the type of x. Integers and bools have none.

    Raises: DtypeError for what is no type of numbers or bools.
    """
    k = active()
    try:
        wanted = np.dtype(dtype)
    except TypeError:
        raise DtypeError(f"astype: {dtype!r} is no number type; write a name such as 'float32'") from None
    if wanted.kind not in "fiub":
        raise DtypeError(f"astype: {wanted} is no number type that minidil computes with")
    before, y = x.dtype, k.astype(x, wanted)
    return y, (lambda grad: k.astype(grad, before),) if y.dtype.kind == "f" else (None,)
