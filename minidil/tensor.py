"""Tensor: an array that remembers how it was computed, and `lift`, which makes functions of tensors out of ops.

Nothing writes into a tensor's array: arithmetic makes new tensors, `data` and `numpy()` are read-only views, and assigning
`data` rebinds it. A value that a recorded graph has kept can therefore not be changed under it.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator, Sequence
from functools import wraps
from itertools import chain, repeat
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import DTypeLike

from minidil import naming
from minidil.array import Array, OnDevice
from minidil.calling import Call, documentation
from minidil.errors import CallError, DtypeError, GraphError, OptionError, ShapeError
from minidil.graph import Node, is_grad_enabled, propagate
from minidil.kernels.backend import active
from minidil.numpy_calls import with_numpy
from minidil.operand import Holder, Operand, as_array, as_tensors, check_dtypes, copied, operand, placed, unwrapped
from minidil.ops import activation, elementwise, linear, places, rearrange, reduce, scan
from minidil.ops import shape as shaping
from minidil.ops.common import Vjps, check_broadcast

Function: TypeAlias = "Callable[..., Tensor]"


def lift(
    op: Callable[..., tuple[Array, Vjps]], *, order: Sequence[str] | None = None, by_name: str | None = None
) -> Function:
    """Turn an op into a function of tensors with the same name and parameters, which `minidil.calling` binds.

    Operands are tensors, NumPy arrays (constants, copied if they are kept), Python numbers or None; options that are tensors
    are passed on as arrays, as constants. order and by_name: as `minidil.calling.Call` takes them.
    Raises: CallError if the arguments do not fit the parameters; DtypeError if number types would have to be mixed: nothing
        is cast silently; GraphError if an option needs a gradient, since it would get none.
    """
    call = Call(op, order, by_name)

    @wraps(op)
    def function(*given: Any, **named: Any) -> Tensor:
        operands, options = call.bind(given, named)
        record = is_grad_enabled() and any(isinstance(x, Tensor) and x.requires_grad for x in operands)
        kernels = active()
        arrays = as_tensors(
            kernels,
            [
                operand(op.__name__, kernels, x, record, name)
                for x, name in zip(operands, chain(call.operands, repeat("")), strict=False)
            ],
        )
        check_dtypes(op.__name__, call.operands, arrays)
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

    function.__signature__ = call.signature  # type: ignore[attr-defined]
    function.__doc__ = documentation(op)
    function.__annotations__ = {}
    return function


def _swapped(op: Callable[..., tuple[Array, Vjps]]) -> Function:
    """The reflected operator: other + tensor."""
    function = lift(op)
    return lambda self, other: function(other, self)


def _in_place(op: Callable[..., tuple[Array, Vjps]]) -> Function:
    """An operator such as `-=`. A leaf that needs a gradient stays, and takes the new value; else a new tensor is made."""
    function = lift(op)

    def update(self: Tensor, other: Operand) -> Tensor:
        if not (self.is_leaf and self.requires_grad):
            return function(self, other)
        if is_grad_enabled():
            raise GraphError(
                f"{op.__name__}: this leaf needs a gradient, and changing it would hide it behind a computed tensor; "
                "update it inside `with minidil.no_grad():`, or write x = x + y under another name"
            )
        self.data = function(self, other).data
        return self

    return update


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


def _without_gradient(self: Tensor, other: Any) -> Tensor:
    raise CallError("whole quotients and remainders have no gradient; compute them with NumPy, on x.numpy()")


def _on_masks(symbol: str, combine: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """A logical operator: of tensors of bools, without gradient."""

    def operate(*masks: Any) -> Tensor:
        for mask in masks:
            if not isinstance(mask, bool) and getattr(mask, "dtype", None) != np.bool_:
                found = getattr(mask, "dtype", type(mask).__name__)
                raise DtypeError(
                    f"{symbol} combines masks of bools, and one of these is {found}; compare first, as in x > 0"
                )
        return combine(*(tensor(mask) if isinstance(mask, bool) else mask for mask in masks))

    return operate


class Tensor(Holder):
    """An array with an optional gradient; made by `tensor` and by every function of `minidil.functional`."""

    __slots__ = ("__weakref__", "_grad", "_node", "_requires_grad")
    # So np_array * tensor asks the tensor, and np.exp(tensor) fails rather than lose the graph.
    __array_ufunc__ = None

    def __init__(self, data: Any, requires_grad: bool = False, dtype: DTypeLike | None = None) -> None:
        self._array = copied(data, dtype)
        self._node: Node | None = None
        self._requires_grad = False
        self._grad: Tensor | None = None
        self.requires_grad = requires_grad

    @staticmethod
    def of(array: Array, node: Node | None = None) -> Tensor:
        """Wrap an op's result without copying it."""
        made = Tensor.__new__(Tensor)
        made._array = np.asarray(array) if isinstance(array, np.generic) else array
        made._node = node
        made._requires_grad = node is not None
        made._grad = None
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
    def grad(self) -> Tensor | None:
        """dL/d(this tensor), summed over the backward passes since it was None; of this tensor's shape and type."""
        return self._grad

    @grad.setter
    def grad(self, value: Tensor | None) -> None:
        if value is not None and not isinstance(value, Tensor):
            raise DtypeError(f"grad: takes a tensor or None, not {type(value).__name__}; wrap it with minidil.tensor")
        if value is not None and (value.shape, value.dtype) != (self.shape, self.dtype):
            raise ShapeError(f"grad: the tensor is {self.dtype} {self.shape}, its gradient {value.dtype} {value.shape}")
        self._grad = value

    @property
    def data(self) -> Array:
        """The value where it lies: a read-only NumPy view, or a device array, which nothing writes into.

        Assigning an array of the same shape and type rebinds it to a copy of that array; a graph that was recorded before
        keeps the old value.
        """
        if isinstance(self._array, OnDevice):
            return as_array(self._array)
        view = self._array.view()
        view.flags.writeable = False
        return view

    @data.setter
    def data(self, value: Array) -> None:
        if isinstance(value, Holder):
            value = value._array
        if not isinstance(value, np.ndarray | OnDevice):
            raise DtypeError(
                f"data: takes an array, not {type(value).__name__}; write np.array(value, {str(self.dtype)!r})"
            )
        if value.shape != self.shape:
            raise ShapeError(f"data: the tensor has shape {self.shape}, the new value {value.shape}")
        if value.dtype != self.dtype:
            raise DtypeError(f"data: the tensor is {self.dtype}, the new value {value.dtype}")
        self._array = value if isinstance(value, OnDevice) else np.array(value)

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
        before = self._grad
        self._grad = Tensor.of(grad if before is None else kernels.add(placed(kernels, before), kernels.place(grad)))

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

    def __array_function__(self, function: Any, types: Any, args: Any, kwargs: Any) -> Any:
        return with_numpy(function, args, kwargs)

    def __getattr__(self, name: str) -> Any:
        return naming.of_tensor(self, name)

    def __getstate__(self) -> Any:
        if self._node is not None:
            raise GraphError(
                f"copy: only leaves can be copied or pickled, and this tensor was computed by {self._node.op!r}; "
                "copy its value with detach()"
            )
        return super().__getstate__()

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

    def __int__(self) -> int:
        return int(self.item())

    def __index__(self) -> int:
        return operator.index(self.item())

    def __round__(self, digits: int | None = None) -> Any:
        return round(self.item(), digits)

    def __format__(self, spec: str) -> str:
        return format(self.item(), spec) if spec else str(self)

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
        """The axes in another order, as ints or one tuple; reversed by default. (PyTorch's transpose exchanges two axes.)"""
        if axes == (0, 1) and self.ndim == 2:
            raise OptionError("transpose: (0, 1) is the order that the axes have; write x.T, or transpose(1, 0)")
        if len(axes) == 2 < self.ndim and all(isinstance(a, int) and -self.ndim <= a < self.ndim for a in axes):
            order = list(range(self.ndim))
            order[axes[0]], order[axes[1]] = order[axes[1]], order[axes[0]]
            raise OptionError(
                f"transpose: takes all {self.ndim} axes; to exchange {axes}, write transpose{tuple(order)}"
            )
        return _transpose(self, axes=_spread(axes) or None)

    def tolist(self) -> Any:
        """The values as nested lists of Python numbers."""
        return self.numpy().tolist()

    def numel(self) -> int:
        """The number of elements: `size`."""
        return int(self.size)

    def dim(self) -> int:
        """The number of axes: `ndim`."""
        return int(self.ndim)

    def clone(self) -> Tensor:
        """The same value as another tensor of the graph. Nothing is copied, since nothing writes into a tensor."""
        return _reshape(self, shape=self.shape)

    def expand(self, *shape: Any) -> Tensor:
        """Repeated along axes of size 1 to this shape, as ints or one tuple; -1 keeps a size."""
        return _expand(self, shape=_spread(shape))

    def repeat(self, *counts: Any) -> Tensor:
        """Laid side by side, so many times along each axis, as ints or one tuple."""
        return _repeat(self, counts=_spread(counts))

    def split(self, sizes: int | Sequence[int], axis: int = 0) -> list[Tensor]:
        """The parts along an axis: of one size (the last may be smaller), or of these sizes."""
        return [self[part] for part in places.parts("split", self.shape, sizes, axis)]

    def chunk(self, chunks: int, axis: int = 0) -> list[Tensor]:
        """This number of parts along an axis, all but the last of one size; fewer if there are too few elements."""
        if chunks < 1:
            raise OptionError(f"chunk: the number of chunks is at least 1, not {chunks}")
        return self.split(max(1, -(-self.shape[axis] // chunks)), axis)

    def sort(self, axis: int = -1, descending: bool = False) -> Sorted:
        """The elements in order along an axis, and where each came from (int64); equal ones stay in their order."""
        order, index = places.order("sort", self.numpy(), axis, descending)
        return Sorted(self[index], Tensor.of(order))

    def topk(self, k: int, axis: int = -1, largest: bool = True) -> Sorted:
        """The k largest (or smallest) elements along an axis, in order, and where each stands (int64)."""
        order, index = places.order("topk", self.numpy(), axis, largest, k)
        return Sorted(self[index], Tensor.of(order))

    def cpu(self) -> Tensor:
        """This tensor: tensors move to where they are used, and `numpy()` brings the value here."""
        return self

    def to(self, target: Any) -> Tensor:
        """Another number type, as `astype`; "cpu", or "cuda" where that is the active backend, changes nothing."""
        if isinstance(target, Tensor):
            return _astype(self, dtype=target.dtype)
        if target == "cpu" or (target == "cuda" and active().name == "cuda"):
            return self
        if isinstance(target, str) and target.split(":")[0] in ("cuda", "mps"):
            raise OptionError(f"to: {target!r} is no number type; minidil.use('cuda') computes on a GPU")
        return _astype(self, dtype=target)

    __hash__ = object.__hash__
    __add__, __radd__, __iadd__ = lift(elementwise.add), _swapped(elementwise.add), _in_place(elementwise.add)
    __sub__, __rsub__ = lift(elementwise.subtract), _swapped(elementwise.subtract)
    __mul__, __rmul__ = lift(elementwise.multiply), _swapped(elementwise.multiply)
    __truediv__, __rtruediv__ = lift(elementwise.divide), _swapped(elementwise.divide)
    __pow__, __rpow__ = lift(elementwise.power), _swapped(elementwise.power)
    __matmul__, __rmatmul__ = lift(linear.matmul), _swapped(linear.matmul)
    __isub__, __imul__ = _in_place(elementwise.subtract), _in_place(elementwise.multiply)
    __itruediv__ = _in_place(elementwise.divide)
    __floordiv__ = __rfloordiv__ = __mod__ = __rmod__ = _without_gradient
    __neg__, __abs__ = lift(elementwise.negative), lift(elementwise.absolute)
    __lt__, __le__ = _comparison("less"), _comparison("less_equal")
    __gt__, __ge__ = _comparison("greater"), _comparison("greater_equal")
    __eq__, __ne__ = _comparison("equal"), _comparison("not_equal")
    # For bools a > b is "a and not b", a <= b is "b or not a": the comparisons of every backend serve.
    __invert__ = _on_masks("~", lambda a: a == 0)
    __and__ = __rand__ = _on_masks("&", lambda a, b: a > (b == 0))
    __or__ = __ror__ = _on_masks("|", lambda a, b: (a == 0) <= b)
    __xor__ = __rxor__ = _on_masks("^", lambda a, b: a != b)

    add, subtract, multiply = lift(elementwise.add), lift(elementwise.subtract), lift(elementwise.multiply)
    divide, power, negative = lift(elementwise.divide), lift(elementwise.power), lift(elementwise.negative)
    absolute, clip, astype = lift(elementwise.absolute), lift(elementwise.clip), lift(elementwise.astype)
    exp, log, sqrt = lift(elementwise.exp), lift(elementwise.log), lift(elementwise.sqrt)
    maximum, minimum, matmul = lift(elementwise.maximum), lift(elementwise.minimum), lift(linear.matmul)
    sum, mean, var = lift(reduce.sum), lift(reduce.mean), lift(reduce.var)
    max, min = lift(reduce.max), lift(reduce.min)
    std, norm, prod, cumsum = lift(reduce.std), lift(reduce.norm), lift(scan.prod), lift(scan.cumsum)
    logsumexp = lift(reduce.logsumexp)
    argmax, argmin, any, all = lift(places.argmax), lift(places.argmin), lift(places.any), lift(places.all)
    flatten, squeeze, unsqueeze = lift(shaping.flatten), lift(rearrange.squeeze), lift(rearrange.unsqueeze)
    flip = lift(rearrange.flip)
    relu, sigmoid, tanh = lift(activation.relu), lift(activation.sigmoid), lift(activation.tanh)
    softmax, log_softmax = lift(activation.softmax), lift(activation.log_softmax)


class Sorted(NamedTuple):
    """Elements in order, and where each came from."""

    values: Tensor
    indices: Tensor


def tensor(data: Any, requires_grad: bool = False, dtype: DTypeLike | None = None) -> Tensor:
    """A tensor with a copy of `data`. Python floats become float32; arrays keep their number type unless dtype says otherwise."""
    return Tensor(data, requires_grad, dtype)


_getitem, _reshape = lift(shaping.getitem), lift(shaping.reshape)
_expand, _repeat = lift(rearrange.expand), lift(rearrange.repeat)
_transpose, _astype = lift(shaping.transpose), lift(elementwise.astype)


def _spread(values: tuple[Any, ...]) -> tuple[int, ...]:
    return tuple(values[0]) if len(values) == 1 and not isinstance(values[0], int) else values
