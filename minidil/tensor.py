"""Tensor: an array that remembers how it was computed, and `lift`, which makes functions of tensors out of ops.

Nothing writes into a tensor's array: arithmetic makes new tensors, `data` and `numpy()` are read-only views, and assigning
`data` rebinds it. A value that a recorded graph has kept can therefore not be changed under it.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from functools import wraps
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import DTypeLike

from minidil.errors import DtypeError, GraphError, ShapeError
from minidil.graph import Node, is_grad_enabled, propagate
from minidil.kernels.backend import Array, active
from minidil.kernels.cuda.array import DeviceArray
from minidil.operand import Holder, Operand, as_array, as_tensors, check_dtypes, copied, operand, placed, unwrapped
from minidil.ops import elementwise, linear, reduce
from minidil.ops import shape as shaping
from minidil.ops.common import Axis, Vjps, check_broadcast

Function: TypeAlias = "Callable[..., Tensor]"


def lift(op: Callable[..., tuple[Array, Vjps]]) -> Function:
    """Turn an op into a function of tensors with the same name, documentation and options.

    Positional arguments are tensors, NumPy arrays (constants, copied if they are kept), Python numbers or None; options that
    are tensors are passed on as arrays, as constants.
    Raises: DtypeError if number types would have to be mixed: nothing is cast silently; GraphError if an option needs a
        gradient, since it would get none.
    """
    names = [p.name for p in inspect.signature(op).parameters.values() if p.kind is p.POSITIONAL_OR_KEYWORD]

    @wraps(op)
    def function(*operands: Operand, **options: Any) -> Tensor:
        record = is_grad_enabled() and any(isinstance(x, Tensor) and x.requires_grad for x in operands)
        kernels = active()
        arrays = as_tensors(kernels, [operand(op.__name__, kernels, x, keep=record) for x in operands])
        check_dtypes(op.__name__, names, arrays)
        for name, value in options.items():
            if isinstance(value, Tensor) and value.requires_grad and is_grad_enabled():
                raise GraphError(
                    f"{op.__name__}: {name} is a constant here and would get no gradient; pass {name}.detach()"
                )
        y, vjps = op(*arrays, **{name: unwrapped(kernels, value, keep=record) for name, value in options.items()})
        if not record:
            return Tensor.of(y)
        edges = [
            (x._node or x, vjp)
            for x, vjp in zip(operands, vjps, strict=False)
            if isinstance(x, Tensor) and x.requires_grad and vjp is not None
        ]
        return Tensor.of(y, Node(op.__name__, edges, kernels) if edges else None)

    return function


def _swapped(op: Callable[..., tuple[Array, Vjps]]) -> Function:
    """The reflected operator: other + tensor."""
    function = lift(op)
    return lambda self, other: function(other, self)


def _over_axes(op: Callable[..., tuple[Array, Vjps]]) -> Function:
    """A reduction as a method: the axis may be given by position."""
    function = lift(op)

    def method(self: Tensor, axis: Axis = None, keepdims: bool = False, **options: Any) -> Tensor:
        return function(self, axis=axis, keepdims=keepdims, **options)

    method.__name__, method.__doc__ = op.__name__, op.__doc__
    return method


def _comparison(kernel: str) -> Callable[..., Any]:
    """A comparison: a tensor of bools, without gradient."""

    def compare(self: Tensor, other: Operand) -> Any:
        if not isinstance(other, Tensor | np.ndarray | np.generic | int | float):
            return NotImplemented
        kernels = active()
        array = operand(kernel, kernels, other, keep=False)
        check_broadcast(kernel, self._array, 0 if array is None else array)
        return Tensor.of(getattr(kernels, kernel)(placed(kernels, self), array))

    return compare


class Tensor(Holder):
    """An array with an optional gradient; made by `tensor` and by every function of `minidil.functional`."""

    __slots__ = ("__weakref__", "_node", "_requires_grad", "grad")
    # So np_array * tensor asks the tensor, and np.exp(tensor) fails rather than lose the graph.
    __array_ufunc__ = None

    def __init__(self, data: Any, requires_grad: bool = False, dtype: DTypeLike | None = None) -> None:
        self._array = copied(data, dtype)
        self._node: Node | None = None
        self._requires_grad = False
        self.grad: Tensor | None = None
        self.requires_grad = requires_grad

    @staticmethod
    def of(array: Array, node: Node | None = None) -> Tensor:
        """Wrap an op's result without copying it."""
        made = Tensor.__new__(Tensor)
        made._array = np.asarray(array) if isinstance(array, np.generic) else array
        made._node = node
        made._requires_grad = node is not None
        made.grad = None
        return made

    shape = property(lambda self: self._array.shape, doc="The size of every axis.")
    ndim = property(lambda self: self._array.ndim, doc="The number of axes.")
    size = property(lambda self: self._array.size, doc="The number of elements.")
    dtype = property(lambda self: self._array.dtype, doc="The number type.")
    is_leaf = property(lambda self: self._node is None, doc="Whether it was given and not computed with a graph.")
    T = property(lambda self: self.transpose(), doc="The tensor with its axes reversed.")

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

    @property
    def data(self) -> Array:
        """The value where it lies: a read-only NumPy view, or a device array, which nothing writes into.

        Assigning an array of the same shape and type rebinds it to a copy of that array; a graph that was recorded before
        keeps the old value.
        """
        if isinstance(self._array, DeviceArray):
            return as_array(self._array)
        view = self._array.view()
        view.flags.writeable = False
        return view

    @data.setter
    def data(self, value: Array) -> None:
        if value.shape != self.shape:
            raise ShapeError(f"data: the tensor has shape {self.shape}, the new value {value.shape}")
        if value.dtype != self.dtype:
            raise DtypeError(f"data: the tensor is {self.dtype}, the new value {value.dtype}")
        self._array = value if isinstance(value, DeviceArray) else np.array(value)

    def numpy(self) -> Array:
        """The value as a read-only NumPy array; `.copy()` it to write. From a device's memory it is copied each time."""
        value = np.asarray(self.data)
        value.flags.writeable = False
        return value

    def item(self) -> Any:
        """The value of a tensor of one element as a Python number."""
        if self.size != 1:
            raise ShapeError(f"item: a tensor of shape {self.shape} is not one number")
        return self._array.item()

    def detach(self) -> Tensor:
        """The same value as a leaf without gradient. The array is shared, which is safe since nothing writes into it."""
        return Tensor.of(self._array)

    def retain_grad(self) -> None:
        """Keep the gradient of this computed tensor in `.grad` when backward passes; by default only leaves keep theirs."""
        if self._node is not None:
            self._node.watcher = self

    def receive(self, grad: Array) -> None:
        """Add to `.grad`, out of place: a gradient that someone holds never changes."""
        kernels = active()
        self.grad = Tensor.of(
            grad if self.grad is None else kernels.add(placed(kernels, self.grad), kernels.place(grad))
        )

    def backward(self, gradient: Tensor | Array | None = None, retain_graph: bool = False) -> None:
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
            seed = gradient._array if isinstance(gradient, Tensor) else copied(gradient)
        if (seed.shape, seed.dtype) != (self.shape, self.dtype):
            raise ShapeError(f"backward: gradient is {seed.dtype} {seed.shape} but y is {self.dtype} {self.shape}")
        for leaf, grad in propagate(self._node or self, seed, retain_graph).items():
            leaf.receive(grad)

    def __array__(self, dtype: DTypeLike | None = None, copy: bool | None = None) -> Array:
        return self.numpy() if dtype is None and not copy else np.array(self._array, dtype)

    def __len__(self) -> int:
        if not self.ndim:
            raise TypeError("a tensor without axes has no length")
        return int(self.shape[0])

    def __iter__(self) -> Iterator[Tensor]:
        return (self[i] for i in range(len(self)))

    def __bool__(self) -> bool:
        return bool(self.item())

    def __float__(self) -> float:
        return float(self.item())

    def __repr__(self) -> str:
        values = np.array2string(self.numpy(), separator=", ", prefix="tensor(", threshold=100)
        origin = f", op={self._node.op}" if self._node else ", requires_grad=True" if self.requires_grad else ""
        return f"tensor({values}, dtype={self.dtype}{origin})"

    def __setitem__(self, index: Any, value: Any) -> None:
        raise TypeError("tensors are never written into; build a new one, for instance with functional.where")

    def __getitem__(self, index: Any) -> Tensor:
        return _getitem(self, index=index)

    def reshape(self, *sizes: Any) -> Tensor:
        """Another shape of the same size, as ints or one tuple; one entry may be -1."""
        return _reshape(self, shape=_spread(sizes))

    def transpose(self, *axes: Any) -> Tensor:
        """The axes in another order, as ints or one tuple; reversed by default."""
        return _transpose(self, axes=_spread(axes) or None)

    def flatten(self, start: int = 0, end: int = -1) -> Tensor:
        """The axes start..end (both included) made one."""
        return _flatten(self, start=start, end=end)

    def astype(self, dtype: DTypeLike) -> Tensor:
        """Another number type; the gradient comes back as this one."""
        return _astype(self, dtype=dtype)

    def clip(self, low: float | None = None, high: float | None = None) -> Tensor:
        """Limited to low..high."""
        return _clip(self, low=low, high=high)

    __hash__ = object.__hash__
    __add__, __radd__ = lift(elementwise.add), _swapped(elementwise.add)
    __sub__, __rsub__ = lift(elementwise.subtract), _swapped(elementwise.subtract)
    __mul__, __rmul__ = lift(elementwise.multiply), _swapped(elementwise.multiply)
    __truediv__, __rtruediv__ = lift(elementwise.divide), _swapped(elementwise.divide)
    __pow__, __rpow__ = lift(elementwise.power), _swapped(elementwise.power)
    __matmul__, __rmatmul__ = lift(linear.matmul), _swapped(linear.matmul)
    __neg__, __abs__ = lift(elementwise.negative), lift(elementwise.absolute)
    __lt__, __le__ = _comparison("less"), _comparison("less_equal")
    __gt__, __ge__ = _comparison("greater"), _comparison("greater_equal")
    __eq__, __ne__ = _comparison("equal"), _comparison("not_equal")
    exp, log, sqrt = lift(elementwise.exp), lift(elementwise.log), lift(elementwise.sqrt)
    sum, mean, var = _over_axes(reduce.sum), _over_axes(reduce.mean), _over_axes(reduce.var)
    max, min = _over_axes(reduce.max), _over_axes(reduce.min)


def tensor(data: Any, requires_grad: bool = False, dtype: DTypeLike | None = None) -> Tensor:
    """A tensor with a copy of `data`. Python floats become float32; arrays keep their number type unless dtype says otherwise."""
    return Tensor(data, requires_grad, dtype)


_getitem, _reshape, _transpose = lift(shaping.getitem), lift(shaping.reshape), lift(shaping.transpose)
_flatten, _astype, _clip = lift(shaping.flatten), lift(elementwise.astype), lift(elementwise.clip)


def _spread(values: tuple[Any, ...]) -> tuple[int, ...]:
    return tuple(values[0]) if len(values) == 1 and not isinstance(values[0], int) else values
