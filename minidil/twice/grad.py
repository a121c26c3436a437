"""`create_graph`, the context in which gradients are computed with a graph of their own, and `grad`, which gives them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import cast

import numpy as np

from minidil.array import Array
from minidil.errors import GraphError, OptionError, ShapeError
from minidil.graph import propagate
from minidil.kernels.backend import active
from minidil.kernels.contract import Kernels
from minidil.kernels.running import running
from minidil.operand import as_array, copied
from minidil.tensor import Tensor
from minidil.twice.kernels import Recording
from minidil.twice.remembered import Remembered


@contextmanager
def create_graph() -> Iterator[None]:
    """What is computed inside (`with create_graph():`) can be differentiated twice: its gradients remember their computation.

    It computes on the backend that is active, kernel by kernel, and keeps every value between two of them: more memory, and
    more time than a pass that is differentiated once.
    Raises: GraphError inside another such block: there are no third derivatives.
    """
    below = active()
    if isinstance(below, Recording):
        raise GraphError(
            "create_graph: this is inside such a block already, and gradients are differentiated once more only"
        )
    with running(cast(Kernels, Recording(below))):
        yield


def grad(y: Tensor, inputs: Sequence[Tensor], gradient: Tensor | Array | None = None) -> list[Tensor]:
    """dL/dx for each of the inputs x, where L is y, or the sum of gradient * y. No `.grad` changes, and y keeps its graph.

    If y was computed inside `create_graph()`, each is a tensor that depends on all that y depends on, to be computed with and
    differentiated like any other; else they are constants.
    inputs: leaves with requires_grad=True. gradient: of the shape and type of y; left out, y must be one number.
    Raises: GraphError if y does not depend on one of the inputs, or its graph was freed; OptionError for an input that was
        computed; ShapeError if y is no scalar and no gradient is given, or one of another shape or type.
    """
    if not isinstance(y, Tensor):
        raise OptionError(f"grad: y must be a tensor, not {type(y).__name__}")
    if not y.requires_grad:
        raise GraphError("grad: y does not depend on any tensor with requires_grad=True")
    for place, x in enumerate(inputs):
        if not (isinstance(x, Tensor) and x.is_leaf and x.requires_grad):
            raise OptionError(f"grad: input {place} must be a leaf with requires_grad=True")
    if gradient is None and y.size != 1:
        raise ShapeError(f"grad: y of shape {y.shape} is no scalar; sum it, or pass gradient=dL/dy")
    seed = as_array(np.ones(y.shape, y.dtype)) if gradient is None else _seed(gradient)
    if (seed.shape, seed.dtype) != (y.shape, y.dtype):
        raise ShapeError(f"grad: gradient is {seed.dtype} {seed.shape} but y is {y.dtype} {y.shape}")
    arrived = propagate(y._node or y, seed, retain_graph=True)
    for place, x in enumerate(inputs):
        if x not in arrived:
            raise GraphError(f"grad: y does not depend on input {place}, of shape {x.shape}")
    return [_tensor(arrived[x]) for x in inputs]


def _seed(gradient: Tensor | Array) -> Array:
    """A tensor with a graph stays one: <gradient, dy/dx> can be differentiated in the gradient, too."""
    if isinstance(gradient, Tensor):
        return as_array(Remembered(gradient)) if gradient.requires_grad else gradient._array
    return copied(gradient)


def _tensor(array: Array) -> Tensor:
    return array.tensor if isinstance(array, Remembered) else Tensor.of(array)
