"""The effective receptive field: how strongly each input moves the output, measured by gradients.

The theoretical field says which inputs can count; most of them hardly do. Through n random layers the influence falls off from
the middle like a bell whose width grows as sqrt(n), while the theoretical field grows as n.
Source: Luo, Li, Urtasun & Zemel 2016, arXiv:1701.04128.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from minidil.analysis.receptive import receptive_field
from minidil.errors import OptionError
from minidil.nn import Module
from minidil.nn.modes import evaluating
from minidil.tensor import Tensor

THRESHOLD = 1 - 0.9545  # of the largest: what lies beyond two standard deviations of a bell has less


@dataclass(frozen=True, repr=False, eq=False)
class EffectiveField:
    """The measured influence of every input position on one output position.

    influence: the root of the mean of the squared gradient over samples and channels, the largest being 1; an array (*S).
    count: how many positions have more than 4.55 % of the largest. side: count^(1/D), the edge of a cube of as many.
    spread: per axis, the standard deviation of the position, weighted by the influence.
    size: the theoretical field per axis.
    """

    model: str
    at: tuple[int, ...]
    samples: int
    influence: NDArray[np.float64]
    size: tuple[int, ...]

    @property
    def count(self) -> int:
        return int(np.count_nonzero(self.influence > THRESHOLD))

    @property
    def side(self) -> float:
        return float(self.count ** (1 / self.influence.ndim))

    @property
    def spread(self) -> tuple[float, ...]:
        total = self.influence.sum()
        found = []
        for axis, n in enumerate(self.influence.shape):
            share = self.influence.sum(axis=tuple(a for a in range(self.influence.ndim) if a != axis)) / (total or 1)
            mean = share @ np.arange(n)
            found.append(float(math.sqrt(max(share @ (np.arange(n) - mean) ** 2, 0))))
        return tuple(found)

    def __repr__(self) -> str:
        whole = "x".join(map(str, self.size))
        spread = " x ".join(f"{each:.3g}" for each in self.spread)
        return (
            f"{self.model}: of a theoretical field of {whole}, {self.count} positions have more than 4.55 % of the largest "
            f"influence on output {self.at} (side {self.side:.3g}, standard deviation {spread}; {self.samples} samples)"
        )


def effective_field(
    model: Module,
    input_shape: Sequence[int],
    at: int | Sequence[int] | None = None,
    *,
    samples: int = 16,
    rng: np.random.Generator | None = None,
) -> EffectiveField:
    """Measure the influence of each input position, in evaluation mode, on normal noise as input.

    Every sample sends a gradient of independent normal numbers, one per channel, back from the output position `at`, which is
    meant as for `receptive_field`. The weights are those that the model has: before training they show the bell, after it how far
    training widened it. Neither they nor their gradients change.
    Raises: OptionError as `receptive_field` does, and for fewer samples than 1.
    """
    if not isinstance(samples, int) or samples < 1:
        raise OptionError(f"effective_field: samples must be an int >= 1, not {samples!r}")
    field = receptive_field(model, input_shape, at)
    draw = np.random.default_rng(0) if rng is None else rng
    parameters = list(model.parameters())
    dtype = parameters[0].dtype if parameters else np.dtype(np.float32)
    wanted = [p.requires_grad for p in parameters]
    x = Tensor(draw.standard_normal((samples, *input_shape)), requires_grad=True, dtype=dtype)
    try:
        for parameter in parameters:
            parameter.requires_grad = False
        with evaluating(model):
            y = model(x)
        gradient = np.zeros(y.shape, dtype)
        if y.ndim - 2 not in (0, len(field.at)):
            raise OptionError(
                f"effective_field: the output {y.shape} has other spatial axes than the input {field.input_shape}"
            )
        place: tuple[slice | int, ...] = (slice(None), slice(None), *field.at[: y.ndim - 2])
        gradient[place] = draw.standard_normal(gradient[place].shape)
        y.backward(gradient)
    finally:
        for parameter, needed in zip(parameters, wanted, strict=True):
            parameter.requires_grad = needed
    squared = np.zeros(field.reached.shape) if x.grad is None else (x.grad.numpy().astype(np.float64) ** 2).mean((0, 1))
    influence = np.sqrt(squared)
    return EffectiveField(type(model).__name__, field.at, samples, influence / (influence.max() or 1), field.size)
