"""A wave in few levels, fine where it is quiet: the mu-law of telephones.

With mu = levels - 1, the wave x from -1 to 1 is bent and cut into even steps:

    f(x) = sign(x) ln(1 + mu |x|) / ln(1 + mu),      level = floor((f(x) + 1) / 2 mu + 1/2) in 0 .. mu.

Back comes x' = sign(y) ((1 + mu)^|y| - 1) / mu of y = 2 level / mu - 1. Rounding leaves |y - f(x)| <= 1 / mu, and since
1 + mu |x| = (1 + mu)^|f(x)|, a step of that size multiplies it by at most (1 + mu)^(1/mu):

    |x' - x| <= (1 + mu |x|) ((1 + mu)^(1/mu) - 1) / mu,

with 256 levels 0.00009 in silence and 0.022 at the loudest, where even steps would leave 0.0039 everywhere.
Source: ITU-T G.711; van den Oord et al. 2016, arXiv:1609.03499, section 2.2.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

from minidil.data.dataset import Floats, Labels
from minidil.errors import DataError, OptionError, ShapeError

LEVELS = 256


def mu_law(wave: npt.NDArray[Any], levels: int = LEVELS) -> Labels:
    """The level of every sample, int64 0 .. levels - 1; what is louder than 1 counts as 1.

    Raises: OptionError for fewer than 2 levels, DataError for a sample that is NaN.
    """
    mu = _mu(levels)
    x = np.clip(np.asarray(wave, np.float64), -1, 1)
    if np.isnan(x).any():
        raise DataError(f"mu_law: sample {np.argwhere(np.isnan(x))[0].tolist()} is NaN, which is no level")
    bent = np.sign(x) * np.log1p(mu * np.abs(x)) / np.log1p(mu)
    return np.floor((bent + 1) / 2 * mu + 0.5).astype(np.int64)


def from_mu_law(levels_of: Labels, levels: int = LEVELS) -> Floats:
    """The wave of these levels, float32 from -1 to 1.

    Raises: OptionError for fewer than 2 levels, DataError for a number that is none.
    """
    mu = _mu(levels)
    given = np.asarray(levels_of)
    if given.size and not 0 <= given.min() <= given.max() <= mu:
        raise DataError(f"from_mu_law: {levels} levels are 0..{mu}, and there are {given.min()}..{given.max()}")
    y = as_input(given, levels).astype(np.float64)
    return (np.sign(y) * np.expm1(np.abs(y) * np.log1p(mu)) / mu).astype(np.float32)


def as_input(levels_of: Labels, levels: int = LEVELS) -> Floats:
    """The levels as a network takes them, bent still: float32, evenly from -1 to 1."""
    return (2 * np.asarray(levels_of, np.float64) / _mu(levels) - 1).astype(np.float32)


def next_samples(levels_of: Labels, levels: int = LEVELS) -> tuple[Floats, Labels]:
    """What a generator learns from rows of levels (N, L): the input (N, 1, L - 1), and the levels (N, L - 1) that follow.

    Raises: ShapeError if there is no row of two or more.
    """
    if levels_of.ndim != 2 or levels_of.shape[1] < 2:
        raise ShapeError(f"next_samples: levels must be (N, L) with L >= 2, not {levels_of.shape}")
    return as_input(levels_of[:, None, :-1], levels), levels_of[:, 1:]


def _mu(levels: int) -> int:
    if levels < 2:
        raise OptionError(f"mu_law: levels must be at least 2, got {levels}")
    return levels - 1
