"""Matrix products."""

from __future__ import annotations

import math

from minidil.array import Array
from minidil.errors import ShapeError
from minidil.kernels.backend import active
from minidil.ops.common import Vjps, check_shapes, check_wide, sum_to, swapped


def matmul(a: Array, b: Array) -> tuple[Array, Vjps]:
    """The matrix product over the last two axes, NumPy's `@`: leading axes broadcast, a vector counts as a row or a column.

    Shapes: (..., M, K) @ (..., K, N) -> (..., M, N); (K,) @ and @ (K,) drop the axis that the vector lacks.
    Raises: ShapeError if the inner sizes differ or an operand has no axis; DtypeError for bools and narrow integers.
    """
    check_wide("matmul", a=a, b=b)
    k = active()
    if a.ndim == 0 or b.ndim == 0 or a.shape[-1] != b.shape[-1 if b.ndim == 1 else -2]:
        raise ShapeError(f"matmul: the last axis of a {a.shape} must have the size of the last but one of b {b.shape}")
    rows = k.reshape(a, (1, -1)) if a.ndim == 1 else a
    columns = k.reshape(b, (-1, 1)) if b.ndim == 1 else b
    check_shapes("matmul (leading axes)", rows.shape[:-2], columns.shape[:-2])
    product = k.matmul(rows, columns)
    shape = product.shape
    kept = (*shape[:-2], *shape[-2:-1][: a.ndim > 1], *shape[-1:][: b.ndim > 1])
    shape_a, shape_b, shape_rows, shape_columns = a.shape, b.shape, rows.shape, columns.shape

    # y_mn = sum_k a_mk b_kn, so dL/da_mk = sum_n G_mn b_kn, that is dL/da = G b^T, and in the same way dL/db = a^T G.
    def grad_a(grad: Array) -> Array:
        full = k.matmul(k.reshape(grad, shape), swapped(k, columns))
        return k.reshape(sum_to(k, full, shape_rows), shape_a)

    def grad_b(grad: Array) -> Array:
        full = k.matmul(swapped(k, rows), k.reshape(grad, shape))
        return k.reshape(sum_to(k, full, shape_columns), shape_b)

    return k.reshape(product, kept), (grad_a, grad_b)


def linear(x: Array, weight: Array, bias: Array | None = None) -> tuple[Array, Vjps]:
    """An affine map of the last axis, y = x W^T + b.

    Shapes: x (..., I), weight (O, I), bias (O,) -> y (..., O).
    Raises: ShapeError if the sizes do not fit; DtypeError for bools and narrow integers.
    """
    check_wide("linear", x=x, weight=weight)
    k = active()
    if weight.ndim != 2 or x.ndim < 1 or x.shape[-1] != weight.shape[1]:
        raise ShapeError(f"linear: x {x.shape} must end in the second size of weight {weight.shape} (outputs, inputs)")
    outputs, inputs = weight.shape
    if bias is not None and bias.shape != (outputs,):
        raise ShapeError(f"linear: bias must be ({outputs},) to go with weight {weight.shape}, not {bias.shape}")
    count, shape = math.prod(x.shape[:-1]), x.shape
    rows = k.reshape(x, (count, inputs))
    y = k.matmul(rows, swapped(k, weight))
    if bias is not None:
        y = k.add(y, bias)

    # For every row, y_o = sum_i W_oi x_i + b_o: dL/dx_i = sum_o G_o W_oi, dL/dW_oi = sum_rows G_o x_i, dL/db_o = sum_rows G_o.
    def as_rows(grad: Array) -> Array:
        return k.reshape(grad, (count, outputs))

    return k.reshape(y, (*shape[:-1], outputs)), (
        lambda grad: k.reshape(k.matmul(as_rows(grad), weight), shape),
        lambda grad: k.matmul(swapped(k, as_rows(grad)), rows),
        None if bias is None else lambda grad: k.sum(as_rows(grad), axis=0),
    )
