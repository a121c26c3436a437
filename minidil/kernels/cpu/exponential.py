"""e^-s for one number s >= 0 inside a compiled loop: what the normal distribution, softmax, sigmoid and tanh are made of.

In float64 the standard library computes it, number by number. In float32 it is written out with additions and multiplications,
so that the compiler computes a whole vector at once; the result is right to 3e-7 of itself.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numba import types
from numba.extending import overload

from minidil.kernels.cpu.layout import compiled

_F = np.float32
_LOG2_E = _F(1 / math.log(2))
_LN2_HIGH = _F(0.693359375)  # ln 2 in two parts: the first has so few digits that its multiples are exact
_LN2_LOW = _F(math.log(2) - 0.693359375)


def exp_of_minus(s: Any) -> Any:
    """e^-s; in float32, 0 beyond s = 87, where its range ends. What compiled code calls depends on the type of s."""
    return _exp_of_minus64(s)


@overload(exp_of_minus, jit_options={"fastmath": {"contract"}, "error_model": "numpy"})
def _exp_of_minus_of_type(s: Any) -> Callable[[Any], Any]:
    return _exp_of_minus32 if s == types.float32 else _exp_of_minus64


def _exp_of_minus64(s: Any) -> Any:
    return math.exp(-s)


def _exp_of_minus32(s: Any) -> Any:
    power = clipped_exp_of_minus(s)
    return power if s <= _F(87) else _F(0) if s > _F(87) else s  # neither: s is not a number


@compiled
def clipped_exp_of_minus(s: Any) -> Any:
    """e^-s for a float32 s >= 0; beyond s = 87, where float32 ends, e^-87."""
    # With the whole number n next to s / ln 2 and r = n ln 2 - s, |r| <= ln 2 / 2,
    #   e^-s = 2^-n e^r,      e^r by its Taylor series (the next term is below 2e-7),      2^-n by writing its exponent.
    s = min(s, _F(87))
    n = np.int32(s * _LOG2_E + _F(0.5))
    r = _F(n) * _LN2_HIGH - s + _F(n) * _LN2_LOW
    series = _F(1 / 6) + r * (_F(1 / 24) + r * (_F(1 / 120) + r * _F(1 / 720)))
    series = _F(1) + r * (_F(1) + r * (_F(0.5) + r * series))
    return series * np.int32((np.int32(127) - n) << np.int32(23)).view(np.float32)


def tanh_of(x: Any) -> Any:
    """The hyperbolic tangent; in float32 right to 2e-7 of itself. What compiled code calls depends on the type of x."""
    return _tanh64(x)


@overload(tanh_of, jit_options={"fastmath": {"contract"}, "error_model": "numpy"})
def _tanh_of_type(x: Any) -> Callable[[Any], Any]:
    return _tanh32 if x == types.float32 else _tanh64


def _tanh64(x: Any) -> Any:
    return math.tanh(x)


def _tanh32(x: Any) -> Any:
    # Far from 0 it is (1 - p) / (1 + p) with p = e^(-2 |x|). Near 0, where that difference would lose its digits, it is x times a
    # polynomial in x^2, that of S. L. Moshier's Cephes library, `tanhf`.
    size, square = abs(x), x * x
    power = exp_of_minus(size + size)
    far = (_F(1) - power) / (_F(1) + power)
    series = _F(2.06390887954e-2) - _F(5.70498872745e-3) * square
    series = _F(-3.33332819422e-1) + square * (
        _F(1.33314422036e-1) + square * (_F(-5.37397155531e-2) + square * series)
    )
    near = x * (_F(1) + square * series)
    return near if size < _F(0.625) else far if x > _F(0) else -far
