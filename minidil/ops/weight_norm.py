"""A weight by its length and its direction."""

from __future__ import annotations

from minidil.array import Array
from minidil.errors import ShapeError
from minidil.kernels.backend import active
from minidil.ops.common import Vjps, check_floating


def weight_norm(v: Array, g: Array) -> tuple[Array, Vjps]:
    """w = g v / |v|: each filter, a row of v, has the length g, and v says its direction alone.

    Shapes: v (F, ...), g (F, 1, ..., 1) of as many axes -> w like v. A row of zeros has no direction and makes NaN.
    Raises: ShapeError if g is of another shape.
    Source: Salimans & Kingma 2016, arXiv:1602.07868, equations 2 and 3.
    """
    check_floating("weight_norm", v=v, g=g)
    wanted = (v.shape[0], *(1,) * (v.ndim - 1)) if v.ndim else None
    if g.shape != wanted:
        raise ShapeError(f"weight_norm: g must have the shape {wanted} to go with v {v.shape}, not {g.shape}")
    k = active()
    axes = tuple(range(1, v.ndim))

    def of_rows(x: Array) -> Array:
        return k.sum(x, axis=axes, keepdims=True) if axes else x

    length = k.sqrt(of_rows(k.multiply(v, v)))
    unit = k.divide(v, length)

    # With u = v / |v| and w = g u, for every row by itself: dL/dg = sum G u. Moving v by dv changes |v| by sum u dv, so
    #   du = dv / |v| - v (sum u dv) / |v|^2 = (dv - u sum u dv) / |v|,    hence
    #   dL/dv = g / |v| (G - u sum G u):
    # G without its part along v. A step along it is at right angles to v, so that |v| never shrinks.
    def grad_g(grad: Array) -> Array:
        return of_rows(k.multiply(grad, unit))

    def grad_v(grad: Array) -> Array:
        return k.multiply(k.divide(g, length), k.subtract(grad, k.multiply(unit, grad_g(grad))))

    return k.multiply(g, unit), (grad_v, grad_g)
