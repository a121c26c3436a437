"""The random numbers of a process: one generator that `seed` sets, used wherever no `rng=` is given."""

import numpy as np

from minidil.errors import OptionError

_generator = np.random.default_rng(0)


def seed(n: int) -> None:
    """Restart the process-wide generator. Same seed, same backend and same number of threads: the same bits.

    Raises: OptionError for what is no seed.
    """
    global _generator
    try:
        _generator = np.random.default_rng(n)
    except (TypeError, ValueError) as error:
        raise OptionError(f"seed: n must be an int >= 0, not {n!r}") from error


def default_rng() -> np.random.Generator:
    """The generator that `seed` sets; `default_rng().bit_generator.state` is what a checkpoint keeps of it."""
    return _generator
