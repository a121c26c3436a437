"""A sound made sample by sample: each level is drawn from what a network says of it after all before."""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from minidil.array import Array
from minidil.data.dataset import Floats, Labels
from minidil.errors import OptionError, ShapeError
from minidil.random import default_rng
from minidil.tasks.sound.mu_law import as_input


def generate(
    push: Callable[[Floats], Array],
    first: npt.NDArray[np.int64],
    count: int,
    *,
    rng: np.random.Generator | None = None,
) -> Labels:
    """`count` levels, int64, that go on from the levels `first` (n,): each drawn as probable as the network says.

    push: takes in new samples, (1, n) as `as_input` makes them, and gives the logits of the level after each, (levels, n):
        `deploy.stream(model).push`, for which a sample costs the same however long the sound has become.
    Raises: ShapeError if `first` is no row of a level or more, which the network would hear before it speaks; OptionError for a
        count below 1.
    Source: van den Oord et al. 2016, arXiv:1609.03499, section 2; Paine et al. 2016, arXiv:1611.09482.
    """
    if np.ndim(first) != 1 or not len(first):
        raise ShapeError(f"generate: first must be levels (n,) with n >= 1, not {np.shape(first)}")
    if count < 1:
        raise OptionError(f"generate: count must be at least 1, got {count}")
    rng = default_rng() if rng is None else rng
    drawn, new = np.empty(count, np.int64), np.asarray(first)
    for number in range(count):
        logits = np.asarray(push(as_input(new)[None]), np.float64)[:, -1]
        shares = np.cumsum(np.exp(logits - logits.max()))
        drawn[number] = np.searchsorted(shares[:-1], rng.random() * shares[-1], side="right")
        new = drawn[number : number + 1]
    return drawn
