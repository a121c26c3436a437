"""How much of a map goes with the phase of a position, and what a model makes of one impulse.

Layers whose dilations have the factor d in common compute each of the d^D phases of their input, the positions with the same
remainders modulo d, by itself; neighbours in the output come from disjoint inputs. Two numbers say how much of that is seen in a
map f. Axis a has n_a = d_a M_a positions, there are P = d_1 d_2 ... phases p, and n = n_1 n_2 ... positions in all.

The share. With the means m_p of the phases and the mean m, the sum of squares falls into two parts,

    sum_x (f(x) - m)^2  =  n/P sum_p (m_p - m)^2  +  sum_p sum_{x in p} (f(x) - m_p)^2,

and share is the first of them divided by the whole. It is the share of the energy at the frequencies k/d, k not 0: there the
Fourier transform is F(k/d) = sum_x f(x) exp(-2 pi i k.x/d) = n/P sum_p m_p exp(-2 pi i k.p/d), and by Parseval's identity over
the P phases the squares |F(k/d)|^2 add up to n^2/P sum_p (m_p - m)^2, while over all frequencies but 0 they add up to
n sum_x (f(x) - m)^2. A map of period d has share 1. For independent normal numbers the two parts are independent, with P - 1 and
n - P degrees of freedom, so the mean of their ratio is (P - 1)/(n - 1). A ramp along an axis has (d^2 - 1)/(n_a^2 - 1).

The roughness. The share sees a grid that is the same all over the map. One that changes from place to place, as it must where
neighbours are made from different pixels of a picture, is seen by comparing differences at two distances,

    roughness = D_1 / (D_1 + D_d),    D_h = sum over axes of the mean of (f(x + h) - f(x))^2 along that axis.

A map of period d has D_d = 0 and roughness 1; in independent numbers both distances differ as much, which is 1/2; a ramp has
D_d = d^2 D_1, which is 1/(1 + d^2), and all that is smooth lies near that. More than 1/2 says: a position is less like its
neighbour than like the next position of its own phase. Both numbers are without a unit: a + b f has those of f.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from minidil.errors import OptionError, ShapeError
from minidil.graph import no_grad
from minidil.kernels.geometry import Ints, per_axis
from minidil.nn import Module
from minidil.nn.modes import evaluating
from minidil.tensor import Tensor


@dataclass(frozen=True)
class Gridding:
    """How much of the maps goes with the phase of a position, modulo `dilation`; the module says how it is computed.

    maps, size: how many maps were taken together, and the positions per axis, whole periods only.
    share: of the sum of squares, what lies between the means of the phases; 1 for a map of that period. noise: the share that
    independent numbers have on average. roughness: of the differences at distance 1 and at distance d, those at distance 1;
    1 for a map of that period, 1/2 for independent numbers, about 1/(1 + d^2) for a smooth one. Constant maps have 0 and 0.
    """

    dilation: tuple[int, ...]
    maps: int
    size: tuple[int, ...]
    share: float
    noise: float
    roughness: float

    @property
    def excess(self) -> float:
        """(share - noise)/(1 - noise): 0 on average for independent numbers, 1 for a map of that period."""
        return (self.share - self.noise) / (1 - self.noise)

    def __repr__(self) -> str:
        period, size = ("x".join(map(str, each)) for each in (self.dilation, self.size))
        return (
            f"period {period} in {self.maps} maps of {size}: share {100 * self.share:.3g} % (independent numbers: "
            f"{100 * self.noise:.3g} %), roughness {self.roughness:.3g} (independent numbers: 0.5)"
        )


def gridding(maps: Tensor | ArrayLike, dilation: Ints) -> Gridding:
    """Measure how much of feature maps or outputs goes with the phase of a position; the sums run over all maps together.

    Shapes: maps (N, C, *S), a tensor or an array of real numbers. What an axis has beyond whole periods is left out at its end.
    dilation: the period, one int or one per axis; 1 leaves an axis out. A schedule has that of the greatest common divisor.
    Raises: OptionError if no axis has a period of more than 1, or numbers are not finite; ShapeError if maps has no spatial axis
        or is empty, or an axis has less than two periods.
    """
    values = np.asarray(maps.numpy() if isinstance(maps, Tensor) else maps)
    if values.ndim < 3 or values.dtype.kind not in "fiub":
        raise ShapeError(
            f"gridding: maps are real numbers (N, C, *S) with a spatial axis at least, not {values.dtype} {values.shape}"
        )
    period = per_axis(dilation, values.ndim - 2, "dilation", "gridding", least=1)
    if max(period) == 1:
        raise OptionError("gridding: with dilation 1 all positions have the same phase; give the period to look for")
    if 0 in values.shape[:2]:
        raise ShapeError(f"gridding: maps {values.shape} hold no map")
    for axis, (n, d) in enumerate(zip(values.shape[2:], period, strict=True), start=2):
        if n < 2 * d:
            raise ShapeError(
                f"gridding: axis {axis} of maps {values.shape} needs two periods, 2 * {d} = {2 * d} positions, and has {n}"
            )
    counts = tuple(n // d for n, d in zip(values.shape[2:], period, strict=True))
    size = tuple(m * d for m, d in zip(counts, period, strict=True))
    f = values[(slice(None), slice(None), *map(slice, size))].astype(np.float64)
    if not np.isfinite(f).all():
        raise OptionError(f"gridding: maps {values.shape} hold numbers that are not finite")
    axes = tuple(range(2, f.ndim))
    varies = f.max(axis=axes, keepdims=True) != f.min(
        axis=axes, keepdims=True
    )  # else its mean may differ from it by rounding
    f = np.where(varies, f - f.mean(axis=axes, keepdims=True), 0)
    pairs = [number for pair in zip(counts, period, strict=True) for number in pair]
    means = f.reshape(*f.shape[:2], *pairs).mean(axis=tuple(range(2, 2 + len(pairs), 2)))
    positions, phases = math.prod(size), math.prod(period)
    total = float((f**2).sum())
    near, far = (
        sum(_difference(f, axis, d if apart else 1) for axis, d in enumerate(period, start=2) if d > 1)
        for apart in (False, True)
    )
    return Gridding(
        period,
        math.prod(f.shape[:2]),
        size,
        float(positions / phases * (means**2).sum() / total) if total else 0.0,
        (phases - 1) / (positions - 1),
        near / (near + far) if near + far else 0.0,
    )


def _difference(f: NDArray[np.float64], axis: int, distance: int) -> float:
    """The mean of the squared differences at that distance along an axis."""
    moved = np.moveaxis(f, axis, -1)
    return float(((moved[..., distance:] - moved[..., :-distance]) ** 2).mean())


def impulse_response(
    model: Module,
    input_shape: Sequence[int],
    at: int | Sequence[int] | None = None,
    *,
    channel: int = 0,
    amplitude: float = 1.0,
    background: ArrayLike | None = None,
) -> NDArray[np.float64]:
    """What the model makes of an impulse: (model(background + amplitude e) - model(background)) / amplitude, (C, *O).

    e is 1 at one position of one channel and 0 elsewhere. Of a linear model, biases allowed, it is the response whatever the
    background and the amplitude; of another one it tends to the derivative there as the amplitude falls, to rounding.
    The model is run in evaluation mode and keeps its weights, gradients and mode.
    input_shape: (C, *S), without the batch. at: the position, an int for each spatial axis; by default the middle.
    background: an array of input_shape; zeros by default.
    Raises: OptionError for an input_shape, a position, a channel, an amplitude or a background that does not fit.
    """
    shape = tuple(input_shape) if isinstance(input_shape, Sequence) else ()
    if len(shape) < 2 or not all(isinstance(n, int) and n >= 1 for n in shape):
        raise OptionError(
            f"impulse_response: input_shape is (C, *S) with a spatial axis at least, all ints >= 1, not {input_shape!r}"
        )
    middle = tuple(n // 2 for n in shape[1:])
    place = middle if at is None else (at,) * len(middle) if isinstance(at, int) else tuple(at)
    inside = len(place) == len(middle) and all(
        isinstance(i, int) and 0 <= i < n for i, n in zip((channel, *place), shape, strict=True)
    )
    if not inside:
        raise OptionError(f"impulse_response: channel {channel!r} and at={at!r} are no position of an input {shape}")
    if not math.isfinite(amplitude) or amplitude == 0:
        raise OptionError(f"impulse_response: amplitude must be a finite number and not 0, not {amplitude!r}")
    dtype: np.dtype[Any] = next((p.dtype for p in model.parameters()), np.dtype(np.float32))
    still = np.zeros(shape, dtype) if background is None else np.asarray(background).astype(dtype)
    if still.shape != shape:
        raise OptionError(f"impulse_response: background {still.shape} must have the shape of the input, {shape}")
    struck = still.copy()
    struck[(channel, *place)] += amplitude
    with evaluating(model), no_grad():
        before, after = (model(Tensor(x[None])).numpy()[0].astype(np.float64) for x in (still, struck))
    return (after - before) / amplitude
