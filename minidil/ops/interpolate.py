"""Resizing: every output mixes a few inputs, its taps, axis by axis. The adjoint hands each gradient back to the same taps.

Along an axis of S inputs and O outputs the centre of output o lies at the input coordinate

    c(o) = (o + 1/2) s - 1/2, s = S/O         (align_corners: c(o) = o (S - 1)/(O - 1), so that both ends stay in place)

and y[o] = sum_t w_t(o) x[i_t(o)], a table of taps i and weights w: one tap for nearest, two for linear, four for cubic.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from minidil.array import Array
from minidil.errors import DtypeError, OptionError, ShapeError
from minidil.kernels.backend import active
from minidil.kernels.geometry import Ints, per_axis
from minidil.kernels.mixing import Mixing
from minidil.ops.common import Vjps

AXES = {"nearest": (1, 2, 3), "linear": (1,), "bilinear": (2,), "trilinear": (3,), "bicubic": (2,)}
CUBIC = -0.75  # the slope of the kernel at distance 1; PyTorch's and OpenCV's choice

Taps = list[tuple[NDArray[np.int64], NDArray[np.floating[Any]]]]


def interpolate(
    x: Array,
    *,
    size: Ints | None = None,
    scale_factor: float | Sequence[float] | None = None,
    mode: str = "nearest",
    align_corners: bool = False,
) -> tuple[Array, Vjps]:
    """Resize the spatial axes to `size`, or to floor(S scale_factor), as in PyTorch. No filter precedes a reduction.

    mode: "nearest" takes x[floor(o s)]; "linear", "bilinear", "trilinear" (1, 2, 3 spatial axes) mix the two neighbours on every
        axis; "bicubic" (2 axes) the four next ones by Keys' kernel with a = -0.75. Beyond the border its value goes on.
    scale_factor: one number, or one per spatial axis; s is then 1 / scale_factor also where floor has shortened the output.
    Coordinates are computed in float64, those of "nearest" without rounding where `size` is given.

    Shapes: x (N, C, *S) -> (N, C, *size).
    Raises: ShapeError, OptionError or DtypeError if the settings do not fit x.
    Source: Keys 1981, "Cubic convolution interpolation for digital image processing".
    """
    k = active()
    _check(x, size, scale_factor, mode, align_corners)
    ndim = x.ndim - 2
    scales = _scales(scale_factor, ndim)
    if size is not None:
        sizes = per_axis(size, ndim, "size", "interpolate", least=1)
    else:
        sizes = tuple(math.floor(n * scale) for n, scale in zip(x.shape[2:], scales, strict=True) if scale is not None)
        if 0 in sizes:
            raise ShapeError(
                f"interpolate: scale_factor {scale_factor} leaves {sizes} of the spatial axes {x.shape[2:]}"
            )
    settings = zip(x.shape[2:], sizes, scales, strict=True)
    mixings = [_mixing(mode, size, out, scale, align_corners) for size, out, scale in settings]

    # y[o] = sum_t w_t(o) x[i_t(o)] along an axis, so dL/dx[i] = sum of w_t(o) G[o] over all t and o with i_t(o) = i: the
    # product with the transposed matrix.
    return k.resample(x, mixings), (lambda grad: k.resample(grad, [mixing.adjoint for mixing in mixings]),)


@lru_cache(maxsize=64)
def _mixing(mode: str, size: int, out: int, scale: float | None, align_corners: bool) -> Mixing:
    """The taps of all outputs along an axis."""
    taps = _taps(mode, size, out, scale, align_corners)
    index, weight = (np.stack(rows, axis=1).reshape(-1) for rows in zip(*taps, strict=True))
    return Mixing(np.arange(out + 1) * len(taps), index, weight, size)


def _taps(mode: str, size: int, out: int, scale: float | None, align_corners: bool) -> Taps:
    """The inputs that every output mixes, and their weights: one pair of arrays (O,) for each tap."""
    o, last = np.arange(out), size - 1
    if mode == "nearest":
        index = o * size // out if scale is None else np.floor(o / scale).astype(np.int64)
        return [(np.minimum(index, last), np.ones(out))]
    if align_corners:
        centre = o * (last / (out - 1)) if out > 1 else np.zeros(out)
    else:
        centre = (o + 0.5) * (size / out if scale is None else 1 / scale) - 0.5
    if mode == "bicubic":
        before = np.floor(centre)
        t = centre - before
        # Keys' kernel at the distances 1 + t, t, 1 - t and 2 - t; the border's value goes on, so taps beyond it fall on it.
        weights = _far(1 + t), _near(t), _near(1 - t), _far(2 - t)
        return [(np.clip(before.astype(np.int64) + i, 0, last), w) for i, w in enumerate(weights, start=-1)]
    return linear_taps(centre, size)


def linear_taps(centre: NDArray[np.floating[Any]], size: int) -> Taps:
    """The two of `size` inputs that a point between them mixes, and their weights; beyond the border its value goes on."""
    last = size - 1
    centre = np.clip(centre, 0, last)
    before = np.minimum(np.floor(centre).astype(np.int64), last)
    return [(before, 1 - (centre - before)), (np.minimum(before + 1, last), centre - before)]


def _near(u: NDArray[np.floating[Any]]) -> NDArray[np.floating[Any]]:
    """The cubic kernel at a distance u <= 1: 1 at 0, and 0 with slope a at 1."""
    return ((CUBIC + 2) * u - (CUBIC + 3)) * u * u + 1


def _far(u: NDArray[np.floating[Any]]) -> NDArray[np.floating[Any]]:
    """The cubic kernel at a distance 1 <= u <= 2: 0 with slope a at 1, and 0 with slope 0 at 2."""
    return ((u - 5) * u + 8) * u * CUBIC - 4 * CUBIC


def _scales(scale_factor: float | Sequence[float] | None, ndim: int) -> tuple[float | None, ...]:
    if scale_factor is None:
        return (None,) * ndim
    factors = (scale_factor,) * ndim if isinstance(scale_factor, int | float) else scale_factor
    if not isinstance(factors, Sequence) or isinstance(factors, str) or len(factors) != ndim:
        raise OptionError(f"interpolate: scale_factor must be a number or {ndim} numbers, not {scale_factor!r}")
    if not all(isinstance(f, int | float) and not isinstance(f, bool) and 0 < f < math.inf for f in factors):
        raise OptionError(f"interpolate: scale_factor must be positive and finite, not {scale_factor!r}")
    return tuple(float(f) for f in factors)


def _check(x: Array, size: Ints | None, scale_factor: object, mode: str, align_corners: bool) -> None:
    if (size is None) == (scale_factor is None):
        raise OptionError(f"interpolate: give either size or scale_factor, not {size!r} and {scale_factor!r}")
    if mode not in AXES:
        raise OptionError(f"interpolate: mode must be one of {', '.join(map(repr, AXES))}, not {mode!r}")
    if x.ndim - 2 not in AXES[mode]:
        wanted = "1 to 3" if mode == "nearest" else str(AXES[mode][0])
        fitting = [name for name, axes in AXES.items() if x.ndim - 2 in axes]
        remedy = f"; for {x.ndim - 2} use {' or '.join(map(repr, fitting))}" if fitting else ""
        raise ShapeError(
            f"interpolate: {mode!r} resizes x (N, C, *S) with {wanted} spatial axes, not {x.shape}{remedy}"
        )
    if 0 in x.shape[2:]:
        raise ShapeError(f"interpolate: x {x.shape} has an empty spatial axis")
    if align_corners and mode == "nearest":
        raise OptionError("interpolate: align_corners has no meaning for mode 'nearest'; leave it out")
    if mode != "nearest" and x.dtype.kind != "f":
        raise DtypeError(f"interpolate: x must be floating for mode {mode!r}, not {x.dtype}; use astype")
