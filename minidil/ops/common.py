"""What every family of ops needs: the types, the rule for whole numbers, and the two helpers behind broadcasting and axes.

Whole numbers and bools. `sum`, `cumsum` and `prod` are int64; mean, variance and quotient are float64, which a function of
tensors turns into float32, the type that floats have here; comparing and moving them, maxima
and max-pooling among them, changes none. Arithmetic keeps their type, so it wraps around where that ends, as in NumPy and
PyTorch: the uint8 200 + 100 is 44. All else would wrap where nobody sees it, or be computed in 16 bits, and refuses them with a
DtypeError: activations (but relu), normalisations, losses and means over windows any whole numbers (`check_floating`), and
products that are summed (matmul, linear, conv), exp, log and sqrt those that are narrower than 64 bits (`check_wide`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from numbers import Integral
from typing import Any, TypeAlias

import numpy as np

from minidil.array import Array
from minidil.errors import DtypeError, OptionError, ShapeError
from minidil.kernels.contract import Kernels

Vjp: TypeAlias = Callable[[Array], Array]
Vjps: TypeAlias = tuple[Vjp | None, ...]
Axis: TypeAlias = int | Sequence[int] | None
Scalar: TypeAlias = int | float


def check_broadcast(op: str, *operands: Array | Scalar) -> None:
    """Raise a ShapeError that names the shapes unless the operands broadcast together."""
    check_shapes(op, *map(shape_of, operands))


def check_shapes(op: str, *shapes: tuple[int, ...]) -> None:
    """The same for shapes."""
    if shapes.count(shapes[0]) == len(shapes):  # as a rule; NumPy takes longer to say so
        return
    try:
        np.broadcast_shapes(*shapes)
    except ValueError:
        listed = " and ".join(map(str, shapes))
        raise ShapeError(
            f"{op}: shapes {listed} do not broadcast; aligned from the right, two sizes must be equal or one of them 1"
        ) from None


def check_floating(op: str, **arrays: Any) -> None:
    """Raise a DtypeError if one of the arrays holds whole numbers or bools."""
    for name, x in arrays.items():
        if isinstance(x, int) or (hasattr(x, "dtype") and x.dtype.kind != "f"):
            kind = type(x).__name__ if isinstance(x, int) else x.dtype
            raise DtypeError(f"{op}: {name} must be floating, not {kind}; use astype('float32')")


def check_wide(op: str, **arrays: Any) -> None:
    """Raise a DtypeError if the arrays hold whole numbers of fewer than 64 bits, or bools; a mask may join a floating array."""
    kinds = {name: x.dtype for name, x in arrays.items() if hasattr(x, "dtype")}
    if any(dtype.kind == "f" for dtype in kinds.values()):
        return
    for name, dtype in kinds.items():
        if dtype.itemsize < 8:
            raise DtypeError(f"{op}: {name} is {dtype}, in which results would wrap around; use astype('float32')")


def shape_of(operand: Array | Scalar) -> tuple[int, ...]:
    """The shape of an array, or () for a number. A vjp that needs only this keeps this, and not the array, in memory."""
    return () if isinstance(operand, int | float) else operand.shape


def sum_to(kernels: Kernels, grad: Array, shape: tuple[int, ...]) -> Array:
    """The gradient of broadcasting: sum G over the axes along which an operand of this shape was repeated.

    If y repeats x, y[i] = x for all i, then dL/dx = sum_i dL/dy[i].
    """
    if grad.shape == shape:
        return grad
    new = grad.ndim - len(shape)
    repeated = [new + axis for axis, n in enumerate(shape) if n == 1 and grad.shape[new + axis] != 1]
    return kernels.reshape(kernels.sum(grad, axis=(*range(new), *repeated)), shape)


def swapped(kernels: Kernels, matrices: Array) -> Array:
    """The transpose of every matrix in a stack."""
    return kernels.transpose(matrices, (*range(matrices.ndim - 2), matrices.ndim - 1, matrices.ndim - 2))


def once(function: Callable[[Array], Any]) -> Callable[[Array], Any]:
    """The function, which remembers its last result: the vjps of all operands are called with the same gradient."""
    last: list[Any] = []

    def remembered(grad: Array) -> Any:
        if not last or last[0] is not grad:
            last[:] = grad, function(grad)
        return last[1]

    return remembered


def axis_of(op: str, axis: int, ndim: int) -> int:
    """Spell out an argument that must be one axis as an int in 0..ndim-1."""
    if not isinstance(axis, Integral) or isinstance(axis, bool) or not -ndim <= axis < ndim:
        raise OptionError(f"{op}: axis {axis!r} is no axis of an array with {ndim} of them")
    return int(axis) % ndim


def axes_of(op: str, axis: Axis, ndim: int) -> tuple[int, ...]:
    """Spell out an argument of any number of axes as a sorted tuple of ints in 0..ndim-1; None means all of them."""
    given: Any = range(ndim) if axis is None else (axis,) if isinstance(axis, Integral) else axis
    known = isinstance(given, Sequence) and all(
        isinstance(a, Integral) and not isinstance(a, bool) and -ndim <= int(a) < ndim for a in given
    )
    axes = sorted(int(a) % ndim for a in given) if known else []
    if not known or len(set(axes)) != len(axes):
        raise OptionError(f"{op}: axis {axis!r} does not name different axes of an array with {ndim} of them")
    return tuple(axes)


def without_batch(k: Kernels, x: Array, op: Callable[[Array], tuple[Array, Vjps]]) -> tuple[Array, Vjps]:
    """An op of (N, C, *S), its first argument, for one image (C, *S): the batch axis is put on, and taken off the results."""
    y, (grad_x, *others) = op(k.reshape(x, (1, *x.shape)))
    shape = x.shape

    def batch(grad: Array) -> Array:
        return k.reshape(grad, (1, *grad.shape))

    def grad_image(grad: Array) -> Array:
        assert grad_x is not None  # for the type checker: every op with a batch axis has a gradient for its input
        return k.reshape(grad_x(batch(grad)), shape)

    rest = (None if vjp is None else lambda grad, vjp=vjp: vjp(batch(grad)) for vjp in others)
    return k.reshape(y, y.shape[1:]), (grad_image, *rest)
