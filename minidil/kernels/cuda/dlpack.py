"""DLPack: handing memory to another library without copying it, as a capsule around a struct that the standard lays out.

Source: the DLPack specification, https://dmlc.github.io/dlpack/latest/c_api.html, version 0.8 (DLManagedTensor).
"""

from __future__ import annotations

import ctypes
from typing import Any

import numpy as np

_TYPE_CODES = {"i": 0, "u": 1, "f": 2, "b": 6}


class _Tensor(ctypes.Structure):
    _fields_ = (
        ("data", ctypes.c_void_p),
        ("device_type", ctypes.c_int32),
        ("device_id", ctypes.c_int32),
        ("ndim", ctypes.c_int32),
        ("code", ctypes.c_uint8),
        ("bits", ctypes.c_uint8),
        ("lanes", ctypes.c_uint16),
        ("shape", ctypes.POINTER(ctypes.c_int64)),
        ("strides", ctypes.POINTER(ctypes.c_int64)),
        ("byte_offset", ctypes.c_uint64),
    )


_Deleter = ctypes.CFUNCTYPE(None, ctypes.c_void_p)


class _Managed(ctypes.Structure):
    _fields_ = (("tensor", _Tensor), ("manager_ctx", ctypes.c_void_p), ("deleter", _Deleter))


_new_capsule = ctypes.pythonapi.PyCapsule_New
_new_capsule.restype = ctypes.py_object
_new_capsule.argtypes = (ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p)
_exported: dict[int, Any] = {}  # what must live until its consumer calls the deleter, by the address of the struct


_forget = _Deleter(lambda address: _exported.pop(address, None) and None)


def capsule(owner: Any, address: int, shape: tuple[int, ...], dtype: np.dtype[Any], device: tuple[int, int]) -> Any:
    """A capsule over contiguous memory at `address`; `owner` is kept alive until the consumer is done with it.

    A capsule that nobody consumes keeps its owner for good, so make one only to hand it over.
    """
    sizes = (ctypes.c_int64 * max(len(shape), 1))(*shape)
    managed = _Managed()
    managed.tensor.data = address
    managed.tensor.device_type, managed.tensor.device_id = device
    managed.tensor.ndim = len(shape)
    managed.tensor.code, managed.tensor.bits, managed.tensor.lanes = _TYPE_CODES[dtype.kind], 8 * dtype.itemsize, 1
    managed.tensor.shape = sizes
    managed.deleter = _forget
    where = ctypes.addressof(managed)
    _exported[where] = (managed, sizes, owner)
    return _new_capsule(where, b"dltensor", None)
