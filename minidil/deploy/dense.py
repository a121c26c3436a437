"""A strided network at every position of its input: one pass by dilation in place of many shifted ones.

A network with stride s answers at every s-th position. What it answers at the others can be asked by shifting the input: prod(s)
passes, and each computes all layers. `analysis.dilate` with output stride 1 gives the same answers in one pass, with the same
weights: its map holds the maps of all passes, interleaved. A layer behind a stride of f then works at f times as many positions
per axis, as in the passes together; but what comes before the stride is computed once, and not for every pass again.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass

import numpy as np

from minidil.analysis import cost, dilate
from minidil.array import Array
from minidil.errors import OptionError, ShapeError
from minidil.graph import no_grad
from minidil.nn import Module
from minidil.nn.checks import brief
from minidil.tensor import Tensor


@dataclass(frozen=True, repr=False)
class Dense:
    """A network made dense. Called, it is its model; printed, it says what it costs.

    model: the converted one, with copies of the weights. stride: that of the given one, per axis. Position (a, b) of the dense
    map is (a // stride, b // stride) of what the given model makes of an input that begins at (a % stride, b % stride).
    multiply_adds, shifted_multiply_adds: for one input of input_shape, of this model and of all prod(stride) passes.
    """

    model: Module
    stride: tuple[int, ...]
    input_shape: tuple[int, ...]
    multiply_adds: int
    shifted_multiply_adds: int

    def __call__(self, x: Tensor) -> Tensor:
        return self.model(x)

    def __repr__(self) -> str:
        passes, ratio = math.prod(self.stride), self.shifted_multiply_adds / self.multiply_adds
        return (
            f"Dense {type(self.model).__name__} on {self.input_shape}: {self.multiply_adds:,} multiply-adds; {passes} shifted "
            f"passes of stride {brief(self.stride)} have {self.shifted_multiply_adds:,}, {ratio:.1f} times as many"
        )


def dense(model: Module, input_shape: Sequence[int]) -> Dense:
    """A copy of the model that answers at every position, where it would at every stride-th.

    Exact wherever a shifted pass sees no edge of its own: that begins later than the image, and pads there what the dense map
    sees. `shifted` makes these passes, to compare.
    input_shape: (C, *S), for which the costs are counted; any other size works as well, as far as it does with the model.
    Raises: OptionError, naming the layer, for one that `analysis.dilate` cannot convert, and for one that looks at a whole map,
        such as a global mean: its answer would be another. ShapeError if the input is too small for a pass.
    Source: Giusti et al. 2013, arXiv:1302.1700; Sermanet et al. 2014, arXiv:1312.6229, section 3.5.
    """
    made = dilate(model, 1, input_shape)
    if made.notes:
        raise OptionError(f"dense: {made.notes[0]}; make the part of the model before it dense")
    work = cost(made.model, input_shape, (1,), rounds=0).rows[0].multiply_adds
    passes = _of_passes(deepcopy(model).eval(), tuple(input_shape), made.factor)
    return Dense(made.model.eval(), made.factor, tuple(input_shape), work, passes)


def _of_passes(model: Module, shape: tuple[int, ...], stride: tuple[int, ...]) -> int:
    """The multiply-adds of all shifted passes together.

    Those of a layer are a product with a factor for each axis, f(a, b) = f(a, 0) f(0, b) / f(0, 0) for the pass that begins at
    (a, b), so the sum over all passes is the product of the sums along the axes, over f(0, 0)^(axes - 1).
    """
    channels, *size = shape
    sums = []
    for axis, steps in enumerate(stride):
        passes = []
        for a in range(steps):
            cut = [n - a if each == axis else n for each, n in enumerate(size)]
            passes.append([row.multiply_adds for row in model.summary((channels, *cut)).rows])
        sums.append(passes)
    layers = zip(*(zip(*passes, strict=True) for passes in sums), strict=True)
    return sum(math.prod(map(sum, axes)) // axes[0][0] ** (len(axes) - 1) for axes in layers if axes[0][0])


def shifted(model: Module, x: Tensor, stride: Sequence[int]) -> Tensor:
    """The maps of the prod(stride) passes over x[..., a:, b:], for a, b < stride, interleaved: what `dense` makes in one pass.

    Shapes: x (N, C, *S) -> (N, F, *O), O being the sum of the sizes of the passes' maps along each axis.
    Raises: ShapeError if the stride has not as many axes as x.
    """
    if len(stride) != len(x.shape) - 2:
        raise ShapeError(f"shifted: stride {tuple(stride)} must have an entry for each spatial axis of x {x.shape}")
    maps: dict[tuple[int, ...], Array] = {}
    with no_grad():
        for shift in itertools.product(*map(range, stride)):
            maps[shift] = model(x[(..., *(slice(first, None) for first in shift))]).numpy()
    # The maps of passes that begin at 0 on all other axes tell the sizes along this one.
    along = [
        [maps[tuple(a * (axis == each) for each in range(len(stride)))] for a in range(s)]
        for axis, s in enumerate(stride)
    ]
    sizes = [sum(part.shape[2 + axis] for part in parts) for axis, parts in enumerate(along)]
    first = along[0][0]
    together = np.empty((*first.shape[:2], *sizes), first.dtype)
    for shift, part in maps.items():
        steps = tuple(slice(a, None, s) for a, s in zip(shift, stride, strict=True))
        together[:, :, *steps] = part
    return Tensor(together)
