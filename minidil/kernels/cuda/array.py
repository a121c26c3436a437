"""DeviceArray: a contiguous array in device memory. Kernels write into fresh ones, and never into one that is made."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from minidil.array import OnDevice
from minidil.errors import DtypeError, ShapeError
from minidil.kernels.cuda.dlpack import capsule
from minidil.kernels.cuda.memory import Block, Pool, pool
from minidil.kernels.cuda.target import Target

DTYPES = (np.dtype(np.float32), np.dtype(np.int32), np.dtype(np.bool_))


class DeviceArray(OnDevice):
    """shape, dtype and memory, row by row without gaps. Made by `empty` and `to_device`; several may share one block."""

    __slots__ = ("_native", "block")

    def __init__(self, shape: Sequence[int], dtype: DTypeLike, block: Block) -> None:
        super().__init__(shape, dtype)
        self.block = block
        self._native: Any = None  # the same memory as numba.cuda's array, made when a kernel on the GPU first takes it

    address = property(lambda self: self.block.address, doc="Where the first element lies in device memory.")

    @property
    def strides(self) -> tuple[int, ...]:
        """The distance of neighbours along every axis, in bytes."""
        return tuple(self.dtype.itemsize * math.prod(self.shape[axis + 1 :]) for axis in range(self.ndim))

    @property
    def target(self) -> Target:
        """The machine that holds it, "gpu" or "emulator"."""
        return self.block.pool.source.target

    def reshaped(self, shape: Sequence[int]) -> DeviceArray:
        """The same memory with another shape of the same size; one entry may be -1."""
        known = math.prod(n for n in shape if n != -1)
        sizes = tuple(self.size // max(known, 1) if n == -1 else n for n in shape)
        if math.prod(sizes) != self.size or list(shape).count(-1) > 1:
            raise ShapeError(f"reshape: x {self.shape} has {self.size} elements and cannot become {tuple(shape)}")
        return DeviceArray(sizes, self.dtype, self.block)

    def copy_to_host(self) -> NDArray[Any]:
        """A NumPy array with these values, once all kernels before have run."""
        raw = self.block.pool.source.read(self.address, self.nbytes) if self.size else np.empty(0, np.uint8)
        return raw.view(self.dtype).reshape(self.shape)

    @property
    def __cuda_array_interface__(self) -> dict[str, Any]:
        """How CuPy, PyTorch and numba.cuda take this array without copying it (version 3); on the GPU only."""
        if self.target != "gpu":
            raise AttributeError("the emulator's memory has no address that CUDA knows; use np.asarray")
        return {
            "shape": self.shape,
            "strides": None,
            "typestr": self.dtype.str,
            "data": (self.address, False),
            "version": 3,
            "stream": 1,  # the default stream, on which all of minidil's kernels run
        }

    def __dlpack__(self, **options: Any) -> Any:
        """This array for another library: the memory itself on the GPU, a copy from the emulator."""
        if self.target != "gpu":
            return self.copy_to_host().__dlpack__(**options)
        return capsule(self, self.address, self.shape, self.dtype, self.__dlpack_device__())

    def __dlpack_device__(self) -> tuple[int, int]:
        return (2, 0) if self.target == "gpu" else (1, 0)  # DLPack's numbers for CUDA and for the CPU

    def __repr__(self) -> str:
        return f"DeviceArray(shape={self.shape}, dtype={self.dtype}, target={self.target!r})"


def empty(shape: Sequence[int], dtype: DTypeLike = np.float32, where: Pool | None = None) -> DeviceArray:
    """An array of undefined contents on the active target."""
    kind = np.dtype(dtype)
    if kind not in DTYPES:
        raise DtypeError(
            f"cuda: arrays on the device are float32, int32 or bool, not {kind}; use astype, or another backend for this"
        )
    return DeviceArray(shape, kind, (where or pool()).take(math.prod(shape) * kind.itemsize))


def to_device(values: Any, where: Pool | None = None) -> DeviceArray:
    """A copy in device memory; what is there already is returned as it is.

    Raises: DtypeError for anything but float32, int32 and bool: nothing is cast silently.
    """
    if isinstance(values, DeviceArray):
        return values
    array = np.asarray(values)
    made = empty(array.shape, array.dtype, where)
    if array.size:
        made.block.pool.source.write(made.address, np.ascontiguousarray(array).reshape(-1).view(np.uint8))
    return made


def indices_to_device(values: Any) -> DeviceArray:
    """Class numbers or positions, which are int64 on the host, as int32. Raises: DtypeError where they do not fit."""
    if isinstance(values, DeviceArray):
        return values
    array, limits = np.asarray(values), np.iinfo(np.int32)
    if array.dtype.kind not in "iu":
        raise DtypeError(f"cuda: class numbers and indices are integers, not {array.dtype}")
    if array.size and not limits.min <= int(array.min()) <= int(array.max()) <= limits.max:
        raise DtypeError(f"cuda: indices from {array.min()} to {array.max()} do not fit into int32")
    return to_device(array.astype(np.int32))


def to_host(array: Any) -> NDArray[Any]:
    """A NumPy array with these values; what is on the host already is returned as it is."""
    return np.asarray(array)
