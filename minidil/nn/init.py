"""Initial weights whose variance keeps signals, or gradients, of one size from layer to layer.

A unit sums fan_in products w x. With independent w of mean 0, Var[sum] = fan_in Var[w] E[x^2]. ReLU keeps half of E[x^2],
so Var[w] = 2 / fan_in keeps the signal (He); a linear unit keeps all of it, so Var[w] = 1 / fan_in does; backwards the
same holds with fan_out, and Var[w] = 2 / (fan_in + fan_out) is the compromise of the two (Glorot).

All draws are float32 from `rng`, by default the generator that `minidil.seed` sets.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from minidil.errors import OptionError, ShapeError
from minidil.names import lookup
from minidil.random import default_rng

Float32 = NDArray[np.float32]


class Fans(NamedTuple):
    """How many products a unit sums, forward (fan_in) and backward (fan_out)."""

    fan_in: int
    fan_out: int


def fans(shape: Sequence[int], groups: int = 1) -> Fans:
    """The fans of a weight (O, I) or (F, C/groups, *K): fan_in = I prod(K), and fan_out = F/groups prod(K).

    Dilation does not enter: it moves the taps apart and leaves their number alone.
    Raises: ShapeError if the weight has fewer than two axes or an empty one.
    """
    if len(shape) < 2 or 0 in shape:
        raise ShapeError(
            f"fans: a weight has at least two axes (O, I, *K), none of them empty, not shape {tuple(shape)}"
        )
    if shape[0] % groups:
        raise ShapeError(f"fans: the {shape[0]} filters of a weight {tuple(shape)} do not divide into groups={groups}")
    taps = math.prod(shape[2:])
    return Fans(shape[1] * taps, shape[0] // groups * taps)


def he_normal(
    shape: Sequence[int], *, fan: float | None = None, slope: float = 0.0, rng: np.random.Generator | None = None
) -> Float32:
    """Normal with variance 2 / ((1 + slope^2) fan), for layers that (leaky) ReLU follows.

    fan: fan_in of the shape by default, which keeps the forward signal; pass fan_out to keep the gradient.
    slope: of the leaky ReLU; 1 means no activation.
    Source: He et al. 2015, arXiv:1502.01852, equations 10 and 15.
    """
    return _normal(shape, _he_std(shape, fan, slope), rng)


def he_uniform(
    shape: Sequence[int], *, fan: float | None = None, slope: float = 0.0, rng: np.random.Generator | None = None
) -> Float32:
    """Uniform with the variance of `he_normal`."""
    return _uniform(shape, _he_std(shape, fan, slope), rng)


def dirac(shape: Sequence[int]) -> Float32:
    """The weight (F, C, *K) of a convolution that copies: filter i < C has a 1 at channel i's centre tap, and 0 elsewhere.

    With the padding that keeps the size, y_i = x_i for i < min(F, C); further filters are zeros.
    Raises: ShapeError if the weight has fewer than three axes, or a kernel of even size, which has no centre.
    Source: Zagoruyko & Komodakis 2017, arXiv:1706.00388.
    """
    if len(shape) < 3 or any(taps % 2 == 0 for taps in shape[2:]):
        raise ShapeError(f"dirac: a weight is (F, C, *K) with odd kernel sizes K, not shape {tuple(shape)}")
    taps = math.prod(shape[2:])
    weight = np.zeros((*shape[:2], taps), np.float32)
    copied = np.arange(min(shape[:2]))
    weight[copied, copied, taps // 2] = 1  # the middle of an odd number of taps on every axis
    return weight.reshape(tuple(shape))


def glorot_normal(shape: Sequence[int], *, gain: float = 1.0, rng: np.random.Generator | None = None) -> Float32:
    """Normal with variance 2 gain^2 / (fan_in + fan_out), for tanh and sigmoid layers.

    Source: Glorot & Bengio 2010, "Understanding the difficulty of training deep feedforward neural networks", equation 12.
    """
    return _normal(shape, _glorot_std(shape, gain), rng)


def glorot_uniform(shape: Sequence[int], *, gain: float = 1.0, rng: np.random.Generator | None = None) -> Float32:
    """Uniform with the variance of `glorot_normal`, that is on +-gain sqrt(6 / (fan_in + fan_out)) (equation 16)."""
    return _uniform(shape, _glorot_std(shape, gain), rng)


def _he_std(shape: Sequence[int], fan: float | None, slope: float) -> float:
    fan = fans(shape).fan_in if fan is None else fan
    if not fan > 0:
        raise OptionError(f"he: fan must be a number > 0, not {fan!r}")
    return math.sqrt(2 / ((1 + slope**2) * fan))


def _glorot_std(shape: Sequence[int], gain: float) -> float:
    return gain * math.sqrt(2 / sum(fans(shape)))


def _normal(shape: Sequence[int], std: float, rng: np.random.Generator | None) -> Float32:
    drawn = (default_rng() if rng is None else rng).standard_normal(tuple(shape), dtype=np.float32)
    drawn *= np.float32(std)
    return drawn


def _uniform(shape: Sequence[int], std: float, rng: np.random.Generator | None) -> Float32:
    # U(-b, b) has variance b^2 / 3
    bound = np.float32(math.sqrt(3) * std)
    drawn = (default_rng() if rng is None else rng).random(tuple(shape), dtype=np.float32)
    drawn *= 2 * bound
    drawn -= bound
    return drawn


def __getattr__(name: str) -> Any:
    return lookup.of_room("nn.init", name, sys.modules[__name__])
