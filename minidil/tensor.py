"""Tensor: an array that remembers how it was computed.

Nothing writes into a tensor's array: arithmetic makes new tensors, `data` and `numpy()` are read-only views, and assigning
`data` rebinds it. A value that a recorded graph has kept can therefore not be changed under it.
"""

from __future__ import annotations

import operator
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from minidil.array import Array, OnDevice
from minidil.calls.found import Found
from minidil.calls.lift import lift
from minidil.calls.methods import Methods
from minidil.calls.numpy_calls import with_numpy, with_ufunc
from minidil.calls.words import understood
from minidil.errors import CallError, DtypeError, GraphError, OptionError, ShapeError
from minidil.graph import Node
from minidil.kernels.backend import active
from minidil.names import lookup
from minidil.operand import Holder, Operand, as_array, copied
from minidil.ops import elementwise, places, rearrange
from minidil.ops import shape as shaping

_method = partial(understood, method=True)


class Tensor(Methods, results=True):
    """An array with an optional gradient; made by `tensor` and by every function of `minidil.functional`."""

    __slots__ = ("__weakref__",)

    def __init__(self, data: Any, requires_grad: bool = False, dtype: DTypeLike | None = None) -> None:
        self._array = copied(data, dtype)
        if dtype is None and isinstance(data, int | list | tuple) and self._array.dtype.kind != "f":
            raise CallError(
                "Tensor: whole numbers would become float32 or a shape in PyTorch; write minidil.tensor([1.0, 2.0]) for "
                "floats, minidil.tensor([1, 2]) for integers, minidil.zeros(2, 3) for a shape"
            )
        self._node: Node | None = None
        self._requires_grad = False
        self._grad: Tensor | None = None
        self.requires_grad = requires_grad

    T = property(lambda self: self.transpose(), doc="The tensor with its axes reversed.")

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
        view = np.asarray(self._array).view()
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

    @_method
    def numpy(self) -> Array:
        """The value as a read-only NumPy array; `.copy()` it to write. From a device's memory it is copied each time."""
        value = np.asarray(self.data)
        value.flags.writeable = False
        return value

    @_method
    def item(self) -> Any:
        """The value of a tensor of one element as a Python number."""
        if self.size != 1:
            raise ShapeError(f"item: a tensor of shape {self.shape} is not one number")
        return self._array.item()

    def __array__(self, dtype: DTypeLike | None = None, copy: bool | None = None) -> Array:
        return self.numpy() if dtype is None and not copy else np.array(self._array, dtype)

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **options: Any) -> Any:
        # So np_array * tensor asks the tensor, and np.exp(tensor) fails rather than lose the graph.
        return with_ufunc(self, ufunc.__name__, method, inputs, options)

    def __array_function__(self, function: Any, types: Any, args: Any, kwargs: Any) -> Any:
        return with_numpy(function, args, kwargs)

    def __getattr__(self, name: str) -> Any:
        return lookup.of_tensor(self, name)

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
        raise CallError("tensors are never written into; build a new one, for instance with functional.where")

    def __getitem__(self, index: Any) -> Tensor:
        return _getitem(self, index=index)

    @_method
    def reshape(self, *shape: Any) -> Tensor:
        """Another shape of the same size, as ints or one tuple; one entry may be -1."""
        return _reshape(self, shape=_spread(shape))

    @_method
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

    @_method
    def tolist(self) -> Any:
        """The values as nested lists of Python numbers."""
        return self.numpy().tolist()

    def numel(self) -> int:
        """The number of elements: `size`."""
        return int(self.size)

    def dim(self) -> int:
        """The number of axes: `ndim`."""
        return int(self.ndim)

    @_method
    def clone(self) -> Tensor:
        """The same value as another tensor of the graph. Nothing is copied, since nothing writes into a tensor."""
        return _reshape(self, shape=self.shape)

    @_method
    def expand(self, *shape: Any) -> Tensor:
        """Repeated along axes of size 1 to this shape, as ints or one tuple; -1 keeps a size."""
        return _expand(self, shape=_spread(shape))

    @_method
    def repeat(self, *counts: Any) -> Tensor:
        """Laid side by side, so many times along each axis, as ints or one tuple."""
        return _repeat(self, counts=_spread(counts))

    @_method
    def split(self, sizes: int | Sequence[int], axis: int = 0) -> list[Tensor]:
        """The parts along an axis: of one size (the last may be smaller), or of these sizes."""
        return [self[part] for part in places.parts("split", self.shape, sizes, axis)]

    @_method
    def chunk(self, chunks: int, axis: int = 0) -> list[Tensor]:
        """This number of parts along an axis, all but the last of one size; fewer if there are too few elements."""
        if chunks < 1:
            raise OptionError(f"chunk: the number of chunks is at least 1, not {chunks}")
        return self.split(max(1, -(-self.shape[axis] // chunks)), axis)

    @_method
    def sort(self, axis: int = -1, descending: bool = False) -> Found[Tensor]:
        """The elements in order along an axis, and where each came from (int64); equal ones stay in their order."""
        order, index = places.order("sort", self.numpy(), axis, descending)
        return Found(self[index], Tensor.of(order))

    @_method
    def topk(self, k: int, axis: int = -1, largest: bool = True) -> Found[Tensor]:
        """The k largest (or smallest) elements along an axis, in order, and where each stands (int64)."""
        order, index = places.order("topk", self.numpy(), axis, largest, k)
        return Found(self[index], Tensor.of(order))

    @_method
    def cpu(self) -> Tensor:
        """This tensor: tensors move to where they are used, and `numpy()` brings the value here."""
        return self

    @_method
    def to(self, target: Any) -> Tensor:
        """Another number type, as `astype`; "cpu", or "cuda" where that is the active backend, changes nothing."""
        if isinstance(target, Tensor):
            return _astype(self, dtype=target.dtype)
        if target == "cpu" or (target == "cuda" and active().name == "cuda"):
            return self
        if isinstance(target, str) and target.split(":")[0] in ("cuda", "mps"):
            raise OptionError(f"to: {target!r} is no number type; minidil.use('cuda') computes on a GPU")
        return _astype(self, dtype=target)


@understood
def tensor(data: Any, requires_grad: bool = False, dtype: DTypeLike | None = None) -> Tensor:
    """A tensor with a copy of `data`. Python floats become float32; arrays keep their number type unless dtype says otherwise."""
    made = Tensor.of(copied(data, dtype))
    made.requires_grad = requires_grad
    return made


def as_tensor(x: Operand) -> Tensor:
    """A tensor as it is; arrays and numbers are copied into one."""
    return x if isinstance(x, Tensor) else tensor(x)


_getitem, _reshape = lift(shaping.getitem), lift(shaping.reshape)
_expand, _repeat = lift(rearrange.expand), lift(rearrange.repeat)
_transpose, _astype = lift(shaping.transpose), lift(elementwise.astype)


def _spread(values: tuple[Any, ...]) -> tuple[int, ...]:
    return tuple(values[0]) if len(values) == 1 and not isinstance(values[0], int) else values
