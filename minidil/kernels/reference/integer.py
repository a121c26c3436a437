"""Quantised convolution: uint8 activations, int8 weights, sums without rounding, and one rounding at the end.

A real number r is stored as q with r = scale (q - zero). With x and w so stored, w with zero 0 and a scale of its own for each
filter f, the sums of products are whole numbers,

    y_r = sum w_r x_r + b_r = (w_scale x_scale) (sum w (x - x_zero) + b),      b = b_r / (w_scale x_scale), rounded,

and what is stored of y is y_zero + y_r / y_scale = y_zero + m (sum w (x - x_zero) + b), with the multiplier
m = w_scale x_scale / y_scale. The padding of x is x_zero, the real 0. The sums fit in an int32 if 255 sum |w| + |b| < 2^31.
Source: Jacob et al. 2018, arXiv:1712.05877, sections 2.1 to 2.4. (There m is a whole number and a shift; here it is a float32.)
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from minidil.array import Array
from minidil.kernels.geometry import Window
from minidil.kernels.reference.conv import conv_forward


class Requantise(NamedTuple):
    """bias: b for each filter, int32. multiplier: m for each, float32. zero, low, high: of y, the last two limit it."""

    bias: Array
    multiplier: Array
    zero: int
    low: int = 0
    high: int = 255


def conv_sums(x: Array, zero: int, weight: Array, window: Window, groups: int = 1) -> Array:
    """sum w (x - zero) in int64: x (N, C, *S) uint8, weight (F, C/groups, *K) int8 -> (N, F, *O)."""
    return conv_forward(x.astype(np.int64) - zero, weight.astype(np.int64), window, groups)


def requantise(sums: Array, ending: Requantise) -> Array:
    """y as uint8 of sums (N, F, *O): they plus b, as float32, times m in float32, rounded to the nearest, a half to the even one.

    Raises: OverflowError where a sum is no int32.
    """
    line = (-1, *(1,) * (sums.ndim - 2))
    total = sums + ending.bias.astype(np.int64).reshape(line)
    if np.any(total != total.astype(np.int32)):
        raise OverflowError("requantise: a sum does not fit in an int32")
    scaled = np.rint(total.astype(np.float32) * ending.multiplier.reshape(line))
    return np.asarray(np.clip(scaled + np.float32(ending.zero), ending.low, ending.high).astype(np.uint8))
