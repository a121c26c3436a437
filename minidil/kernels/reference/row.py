"""Normalisation of every row by itself, of which layer norm is made: x is (R, L), a number of each row (R,), of each column (L,).

With the mean m of a row, its biased variance v, r = 1 / sqrt(v + eps), h = (x - m) r and y = w h + b,

    dL/db = sum_rows G        and        dL/dw = sum_rows G h.

Mean and variance depend on every x_j: dm/dx_j = 1/L, and dr/dx_j = -r^2 h_j / L (since dv/dx_j = 2 (x_j - m)/L and
dr/dv = -r^3/2). Put into dL/dx_j = sum_i H_i dh_i/dx_j with H = G w,

    dL/dx = r (H - mean(H) - h mean(H h)).
"""

from __future__ import annotations

import numpy as np

from minidil.array import Array


def row_normalise(x: Array, weight: Array | None, bias: Array | None, eps: float) -> tuple[Array, Array, Array]:
    """y = weight h + bias, and the mean and 1 / sqrt(variance + eps) of every row."""
    mean = np.mean(x, axis=1)
    centred = x - mean[:, None]
    inverse = np.divide(1, np.sqrt(np.mean(centred * centred, axis=1) + x.dtype.type(eps)))
    y = centred * inverse[:, None]
    if weight is not None:
        y = y * weight
    return y if bias is None else y + bias, mean, inverse


def row_normalise_grad(
    grad: Array, x: Array, weight: Array | None, mean: Array, inverse: Array
) -> tuple[Array, Array, Array]:
    """r (H - mean(H) - h mean(H h)), with the means of each row; and for every column the sums of G h and of G."""
    inner = grad if weight is None else grad * weight
    h = (x - mean[:, None]) * inverse[:, None]
    centred = inner - np.mean(inner, axis=1, keepdims=True)
    dx = inverse[:, None] * (centred - h * np.mean(inner * h, axis=1, keepdims=True))
    return dx, np.sum(grad * h, axis=0), np.sum(grad, axis=0)
