"""Arrays in the emulated device's memory, with what a script asks of those that numba.cuda hands out."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from minidil.emulator.memory import BASE, DEVICE, WRITTEN
from minidil.errors import BackendError, ShapeError

_free: dict[int, list[int]] = {}  # addresses of blocks that are not used any more, by size


class _Block:
    """Memory that its holders own; it is used again once the last of them is gone."""

    def __init__(self, nbytes: int) -> None:
        self._memory, self._free = DEVICE, _free  # the module may be gone when the last array goes
        self.capacity = max(256, 1 << (nbytes - 1).bit_length()) if nbytes else 256
        kept = _free.get(self.capacity)
        try:
            self.address = kept.pop() if kept else DEVICE.allocate(self.capacity)
        except MemoryError as error:
            raise BackendError(f"cuda emulator: no memory for {nbytes:,} bytes ({error}); use smaller arrays") from None
        DEVICE.taken(self.address, nbytes)

    def __del__(self) -> None:
        if hasattr(self, "address"):
            self._memory.returned(self.address)
            self._free.setdefault(self.capacity, []).append(self.address)


class EmulatedArray:
    """An array on the emulated device. Slices of it share its memory, and are copied to the host by `copy_to_host`."""

    __array_ufunc__ = None

    def __init__(
        self, shape: Sequence[int], dtype: DTypeLike, strides: Sequence[int], address: int, block: Any
    ) -> None:
        self.shape, self.dtype, self.strides = tuple(shape), np.dtype(dtype), tuple(strides)
        self.address, self._block = address, block

    ndim = property(lambda self: len(self.shape), doc="The number of axes.")
    size = property(lambda self: math.prod(self.shape), doc="The number of elements.")
    nbytes = property(lambda self: self.size * self.dtype.itemsize, doc="The number of bytes.")
    alloc_size = nbytes
    T = property(lambda self: self.transpose(), doc="The axes in reverse order, in the same memory.")

    @property
    def _view(self) -> NDArray[Any]:
        """The emulated memory itself, seen as NumPy sees an array."""
        return np.ndarray(self.shape, self.dtype, DEVICE.bytes, self.address - BASE, self.strides)

    @property
    def _states(self) -> NDArray[np.uint8]:
        """The state of every byte: an axis more, of the bytes of an element."""
        shape, strides = (*self.shape, self.dtype.itemsize), (*self.strides, 1)
        return np.ndarray(shape, np.uint8, DEVICE.state, self.address - BASE, strides)

    def _like(self, view: NDArray[Any]) -> EmulatedArray:
        start = view.__array_interface__["data"][0] - DEVICE.bytes.__array_interface__["data"][0]
        return EmulatedArray(
            view.shape, view.dtype, view.strides, BASE + start if view.size else self.address, self._block
        )

    def copy_to_host(self, ary: NDArray[Any] | None = None, stream: object = 0) -> NDArray[Any]:
        """A NumPy array with these values, or `ary` filled with them.

        Raises: BackendError if some were never written, which on a GPU would be whatever the memory held before.
        """
        missing = (self._states != WRITTEN).any(axis=-1)
        if missing.any():
            first = [int(i) for i in np.unravel_index(int(np.argmax(missing)), self.shape)]
            raise BackendError(
                f"cuda emulator: {int(missing.sum()):,} of the {self.size:,} elements of this array were never written, first "
                f"at {first}: neither the host nor a kernel put anything there, and a GPU would give what the memory held before"
            )
        if ary is None:
            return self._view.copy()
        np.copyto(ary, self._view)
        return ary

    def copy_to_device(self, ary: Any, stream: object = 0) -> None:
        """Take the values of an array of the same shape, from the host or the device."""
        values = ary._view if isinstance(ary, EmulatedArray) else np.asarray(ary)
        if values.shape != self.shape:
            raise ShapeError(f"copy_to_device: an array of shape {values.shape} does not fit into one of {self.shape}")
        self._view[...] = values
        self._states[...] = WRITTEN

    def __getitem__(self, key: Any) -> Any:
        found = self._view[key]
        if isinstance(found, np.ndarray):
            return self._like(found)
        return EmulatedArray((), self.dtype, (), self._place(key), self._block).copy_to_host()[()]

    def __setitem__(self, key: Any, value: Any) -> None:
        if isinstance(self._view[key], np.ndarray):
            part = self[key]
            part.copy_to_device(np.broadcast_to(np.asarray(value, self.dtype), part.shape))
        else:
            EmulatedArray((), self.dtype, (), self._place(key), self._block).copy_to_device(
                np.asarray(value, self.dtype)
            )

    def _place(self, key: Any) -> int:
        """The address of one element."""
        indices = [i + n if i < 0 else i for i, n in zip(np.atleast_1d(key).tolist(), self.shape, strict=True)]
        return self.address + sum(i * stride for i, stride in zip(indices, self.strides, strict=True))

    def reshape(self, *shape: Any, order: str = "C") -> EmulatedArray:
        """The same memory with another shape. Raises: ShapeError if the elements do not lie behind each other."""
        if not self.is_c_contiguous():
            raise ShapeError(
                f"reshape: the elements of this array of shape {self.shape} are not contiguous; copy it first"
            )
        return self._like(self._view.reshape(*shape))

    def ravel(self, order: str = "C", stream: object = 0) -> EmulatedArray:
        """All elements in a row."""
        return self.reshape(self.size)

    def transpose(self, axes: Sequence[int] | None = None) -> EmulatedArray:
        """The axes in another order, by default reversed, in the same memory."""
        return self._like(self._view.transpose(axes))

    def view(self, dtype: DTypeLike) -> EmulatedArray:
        """The same bytes as numbers of another type."""
        return self._like(self._view.view(dtype))

    def is_c_contiguous(self) -> bool:
        """Whether the elements lie behind each other row by row."""
        return self._view.flags.c_contiguous

    def is_f_contiguous(self) -> bool:
        """Whether they do so column by column."""
        return self._view.flags.f_contiguous

    def __len__(self) -> int:
        return self.shape[0]

    def __array__(self, dtype: DTypeLike | None = None, copy: bool | None = None) -> NDArray[Any]:
        return self.copy_to_host() if dtype is None else self.copy_to_host().astype(dtype)

    def __repr__(self) -> str:
        return f"EmulatedArray(shape={self.shape}, dtype={self.dtype})"


def device_array(shape: Any, dtype: DTypeLike = np.float64, order: str = "C") -> EmulatedArray:
    """An array of undefined contents."""
    sizes = (shape,) if isinstance(shape, int | np.integer) else tuple(shape)
    kind, strides = np.dtype(dtype), []
    step = kind.itemsize
    for extent in sizes if order == "F" else reversed(sizes):
        strides.append(step)
        step *= int(extent)
    block = _Block(math.prod(sizes) * kind.itemsize)
    return EmulatedArray(sizes, kind, strides if order == "F" else strides[::-1], block.address, block)


def device_array_like(array: Any) -> EmulatedArray:
    """An array of the same shape and type, of undefined contents; column by column if the other one is."""
    columns = array.ndim > 1 and not _flag(array, "C") and _flag(array, "F")
    return device_array(array.shape, array.dtype, "F" if columns else "C")


def _flag(array: Any, letter: str) -> bool:
    if isinstance(array, EmulatedArray):
        return array.is_c_contiguous() if letter == "C" else array.is_f_contiguous()
    return bool(array.flags[f"{letter}_CONTIGUOUS"])


def to_device(values: Any) -> EmulatedArray:
    """A copy on the device; what is there already is returned as it is. Raises: ShapeError for an array with gaps."""
    if isinstance(values, EmulatedArray):
        return values
    array = np.asarray(values)
    if array.dtype.kind not in "biufcV":
        raise BackendError(f"cuda emulator: an array of {array.dtype} cannot be on the device; use numbers")
    if not (array.flags.c_contiguous or array.flags.f_contiguous):
        raise ShapeError(
            f"to_device: this array of shape {array.shape} is a part of another one, with gaps between its "
            "elements; numba.cuda takes only whole ones; use np.ascontiguousarray(x)"
        )
    made = device_array_like(array)
    made.copy_to_device(array)
    return made
