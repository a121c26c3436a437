"""Rounding to the numbers of a grid, with a gradient that passes straight through."""

from __future__ import annotations

import numpy as np

from minidil.array import Array
from minidil.kernels.backend import active
from minidil.ops.common import Vjps


def fake_quantize(x: Array, *, scale: float | Array, low: int, high: int) -> tuple[Array, Vjps]:
    """The nearest number scale n with n = low, low + 1, ..., high, in x's number type; halves go to the even n.

    Shapes: x (...), alike out. scale: > 0, one for all or an array that broadcasts to x; a constant.
    Sources: straight-through estimator, Bengio et al. 2013, arXiv:1308.3432, section 3; within a network, Jacob et al. 2018,
        arXiv:1712.05877, section 3.
    """
    k = active()
    units = k.constant(scale, like=x)
    # Beside 1.5 * 2^m, m being the bits of the mantissa, there is no room for a fraction: adding that rounds, halves to even.
    beyond = 1.5 * 2.0 ** np.finfo(x.dtype).nmant
    rounded = k.subtract(k.add(k.divide(x, units), beyond), beyond)
    kept = k.clip(rounded, low, high)

    # y = scale clip(rint(x / scale)) is a staircase: dy/dx = 0 wherever there is one, and no training gets through. The
    # estimator takes the line y = x that the stairs climb along, dy/dx = 1, and 0 beyond both ends, where y stays what it is:
    #   dL/dx = G where rint(x / scale) lies in low..high, 0 elsewhere.
    # The scale is a constant, though it may have been computed from x.
    def grad_x(grad: Array) -> Array:
        return k.where(k.equal(rounded, kept), grad, k.constant(0, like=grad))

    return k.multiply(kept, units), (grad_x,)
