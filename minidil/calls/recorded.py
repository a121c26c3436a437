"""Recorded: an array, and how it was computed. It is the part of a tensor that gradients need."""

from __future__ import annotations

from functools import partial
from typing import Any, ClassVar, Self

import numpy as np

from minidil.array import Array
from minidil.calls.words import understood
from minidil.errors import DtypeError, GraphError, ShapeError
from minidil.graph import Node, propagate, total
from minidil.kernels.backend import active
from minidil.operand import Holder, as_array, copied
from minidil.ops.common import axis_of

_method = partial(understood, method=True)


class Size(int):
    """A number of elements, which PyTorch's users call: x.size(0)."""

    shape: tuple[int, ...]

    def __call__(self, dim: int | None = None) -> Any:
        """The shape, or the size of one axis."""
        return self.shape if dim is None else self.shape[axis_of("size", dim, len(self.shape))]


class Recorded(Holder):
    """An array with an optional gradient, and with the node of the graph that it came from.

    results: the class of what ops return: the one that says so where it derives from this one. That is `Tensor`, which has the
        ops as its methods, and which they can therefore not name.
    """

    __slots__ = ("_grad", "_node", "_requires_grad")
    results: ClassVar[type[Any]]
    _node: Node | None
    _requires_grad: bool
    _grad: Any  # of the class of results, or None

    def __init_subclass__(cls, results: bool = False) -> None:
        if results:
            Recorded.results = cls

    @classmethod
    def of(cls, array: Array, node: Node | None = None) -> Self:
        """Wrap an op's result without copying it."""
        made = cls.__new__(cls)
        made._array = np.asarray(array) if isinstance(array, np.generic) else array
        made._node = node
        made._requires_grad = node is not None
        made._grad = None
        return made

    @property
    def shape(self) -> tuple[int, ...]:
        """The size of every axis."""
        return self._array.shape

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return self._array.ndim

    @property
    def size(self) -> Size:
        """The number of elements. (PyTorch's `size()` and `size(axis)` work, too: the shape, or an entry of it.)"""
        size = Size(self._array.size)
        size.shape = self._array.shape
        return size

    @property
    def dtype(self) -> np.dtype[Any]:
        """The number type."""
        return self._array.dtype

    @property
    def is_leaf(self) -> bool:
        """Whether it was given and not computed with a graph."""
        return self._node is None

    @property
    def requires_grad(self) -> bool:
        """Whether backward reaches this tensor. It can be set on leaves of a floating type."""
        return self._requires_grad

    @requires_grad.setter
    def requires_grad(self, wanted: bool) -> None:
        if self._node is not None and not wanted:
            raise GraphError("a computed tensor cannot stop needing a gradient; use detach()")
        if wanted and not np.issubdtype(self.dtype, np.floating):
            raise DtypeError(f"only floating tensors have gradients, and this one is {self.dtype}; use astype first")
        self._requires_grad = bool(wanted)

    def detach(self) -> Any:
        """The same value as a leaf without gradient. The array is shared, which is safe since nothing writes into it."""
        return self.results.of(self._array)

    def retain_grad(self) -> None:
        """Keep the gradient of this computed tensor in `.grad` when backward passes; by default only leaves keep theirs."""
        if self._node is not None:
            self._node.watcher = self

    def receive(self, grad: Array) -> None:
        """Add to `.grad`, out of place: a gradient that someone holds never changes."""
        before = self._grad
        self._grad = self.results.of(grad if before is None else total(active(), before._array, grad))

    @_method
    def backward(self, gradient: Recorded | Array | None = None, retain_graph: bool = False) -> None:
        """Add dL/dleaf to the `.grad` of every leaf, where L is this tensor, or the sum of gradient * this tensor.

        The graph is freed on the way unless retain_graph is true: the arrays kept for it go, and a second backward raises.
        Raises: GraphError if there is nothing to differentiate or the graph was freed; ShapeError if L is no scalar and no
            gradient is given, or the gradient does not fit. No `.grad` has changed then.
        """
        if not self.requires_grad:
            raise GraphError("backward: this tensor does not depend on any tensor with requires_grad=True")
        if gradient is None and self.size != 1:
            raise ShapeError(f"backward: a tensor of shape {self.shape} is no scalar; sum it, or pass gradient=dL/dy")
        if gradient is None:
            seed = as_array(np.ones(self.shape, self.dtype))
        else:
            seed = gradient._array if isinstance(gradient, Recorded) else copied(gradient)
        if (seed.shape, seed.dtype) != (self.shape, self.dtype):
            raise ShapeError(f"backward: gradient is {seed.dtype} {seed.shape} but y is {self.dtype} {self.shape}")
        for leaf, grad in propagate(self._node or self, seed, retain_graph).items():
            leaf.receive(grad)
