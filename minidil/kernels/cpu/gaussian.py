"""The normal distribution for one number inside a compiled loop, and what is made of it: GELU and its slope.

In float64 the standard library computes it, number by number. In float32 it is written out with additions, multiplications and
one division, so that the compiler computes a whole vector at once; the error is below 5e-7 of the largest value of each function.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numba import types
from numba.extending import overload

from minidil.kernels.cpu.exponential import clipped_exp_of_minus
from minidil.kernels.cpu.layout import compiled
from minidil.kernels.reference.elementwise import NORMAL_ENDS

_F = np.float32
_ENDS = _F(NORMAL_ENDS)  # in this type the limits leave a float32 what it is, and become float64 beside a float64
_DENSITY_AT_0 = 1 / math.sqrt(2 * math.pi)


def normal(x: Any) -> tuple[Any, Any]:
    """(P(Z <= x), the density at x) of a standard normal Z. What compiled code calls depends on the type of x."""
    return _normal64(x)


@overload(normal, jit_options={"fastmath": {"contract"}, "error_model": "numpy"})
def _normal_of_type(x: Any) -> Callable[[Any], tuple[Any, Any]]:
    return _normal32 if x == types.float32 else _normal64


def _normal64(x: Any) -> tuple[Any, Any]:
    return 0.5 * math.erfc(-x * math.sqrt(0.5)), _DENSITY_AT_0 * math.exp(-0.5 * x * x)


def _normal32(x: Any) -> tuple[Any, Any]:
    # For x > 0, P(Z > x) = erfc(x / sqrt 2) / 2; with t = 1/(1 + p z), erfc(z) = t (a1 + a2 t + ... + a5 t^4) e^(-z^2) to 1.5e-7:
    # Abramowitz & Stegun 1964, 7.1.26. The factor e^(-z^2) = e^(-x^2 / 2) is that of the density as well.
    power = clipped_exp_of_minus(_F(0.5) * x * x)
    t = _F(1) / (_F(1) + _F(0.3275911 * math.sqrt(0.5)) * abs(x))
    series = _F(1.421413741) + t * (_F(-1.453152027) + t * _F(1.061405429))
    series = _F(0.254829592) + t * (_F(-0.284496736) + t * series)
    above = _F(0.5) * t * series * power
    return above if x < _F(0) else _F(1) - above, _F(_DENSITY_AT_0) * power


@compiled
def gelu_of(x: Any) -> Any:
    """x P(Z <= x)."""
    return max(x, -_ENDS) * normal(x)[0]


@compiled
def gelu_slope_of(x: Any) -> Any:
    """P(Z <= x) + x times the density at x."""
    below, density = normal(x)
    return below + min(max(x, -_ENDS), _ENDS) * density
