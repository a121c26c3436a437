"""The tensors in a file of `torch.save`, read without PyTorch and without executing anything of it.

Such a file says in a pickle how tensors lie in storages, and holds the storages as raw numbers:

    since version 1.6   a zip archive: ROOT/data.pkl and ROOT/data/KEY, one for each storage
    before              five pickles, a magic number, a version, the byte order, the tensors, the keys of the storages; then for
                        each key the number of its elements in eight bytes, and the elements

A pickle is a program that may import and call anything. This reader gives it three things to call, an ordered dict and two
notes of what a tensor is made of, and the names of storages; at any other name it stops. Numbers are copied only after the
places that a tensor claims were found inside its storage.
"""

from __future__ import annotations

import io
import math
import os
import pickle
import struct
import zipfile
import zlib
from collections import OrderedDict
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import numpy as np

from minidil.array import Array
from minidil.errors import CheckpointError

_MAGIC, _PROTOCOL = 0x1950A86A20F9469CFC6C, 1001
_DTYPES = {
    "DoubleStorage": "<f8", "FloatStorage": "<f4", "HalfStorage": "<f2", "LongStorage": "<i8", "IntStorage": "<i4",
    "ShortStorage": "<i2", "CharStorage": "<i1", "ByteStorage": "<u1", "BoolStorage": "|b1",
}  # fmt: skip


class _Storage(NamedTuple):
    key: str
    dtype: np.dtype[Any]
    elements: int


class _Tensor(NamedTuple):
    storage: _Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


class Tensors(NamedTuple):
    """shapes: of every tensor, by name. read: the array of a name, a copy."""

    shapes: Mapping[str, tuple[int, ...]]
    read: Callable[[str], Array]


def torch_archive(path: str | os.PathLike[str]) -> Tensors:
    """The state dict in a file of `torch.save`, of either kind.

    Raises: CheckpointError if its pickle names anything but tensors, if it is no such file, damaged or cut short, or if a tensor
        claims numbers that its storage lacks; OSError if there is no such file.
    """
    path = Path(path)
    content = path.read_bytes()
    try:
        state, raw = _zipped(content) if content[:4] == b"PK\x03\x04" else _plain(content)
        if not isinstance(state, dict) or not state:
            raise CheckpointError(f"it holds {type(state).__name__}, and not tensors by name")
        for name, tensor in state.items():
            if not isinstance(name, str) or not isinstance(tensor, _Tensor):
                raise CheckpointError(f"{name!r} is {type(tensor).__name__}, and not a tensor with a name")
            _check(name, tensor)
        tensors = {name: (tensor, raw(tensor.storage)) for name, tensor in state.items()}
    except CheckpointError as error:
        raise CheckpointError(f"{path}: {error}; nothing was executed") from None
    except _DAMAGE as error:
        reason = str(error) or type(error).__name__
        raise CheckpointError(
            f"{path} ({len(content):,} bytes) is damaged, cut short, or no file of torch.save: {reason}"
        ) from error

    def read(name: str) -> Array:
        tensor, storage = tensors[name]
        numbers = np.frombuffer(storage, tensor.storage.dtype)[tensor.offset :]
        steps = [step * numbers.itemsize for step in tensor.strides]
        # A view that `_check` found inside the storage, so that as_strided reads nothing else.
        return np.array(np.lib.stride_tricks.as_strided(numbers, tensor.shape, steps, writeable=False))

    return Tensors({name: tensor.shape for name, (tensor, _) in tensors.items()}, read)


_DAMAGE = (
    pickle.UnpicklingError, zipfile.BadZipFile, zlib.error, struct.error, EOFError, KeyError, IndexError, AttributeError,
    TypeError, ValueError, RecursionError, NotImplementedError, MemoryError, OverflowError, RuntimeError,
)  # fmt: skip


class _Unpickler(pickle._Unpickler):
    """Python's own, with the codes that a state dict is made of, and nothing to call but what is in `known`."""

    dispatch: ClassVar[dict[int, Callable[[Any], None]]] = {
        code[0]: pickle._Unpickler.dispatch[code[0]]
        for code in (
            *(pickle.PROTO, pickle.FRAME, pickle.STOP, pickle.MARK, pickle.GLOBAL, pickle.STACK_GLOBAL),
            *(pickle.REDUCE, pickle.BUILD, pickle.BINPERSID),
            *(pickle.EMPTY_TUPLE, pickle.TUPLE, pickle.TUPLE1, pickle.TUPLE2, pickle.TUPLE3),
            *(pickle.EMPTY_LIST, pickle.APPEND, pickle.APPENDS, pickle.EMPTY_DICT, pickle.SETITEM, pickle.SETITEMS),
            *(
                pickle.NONE,
                pickle.NEWTRUE,
                pickle.NEWFALSE,
                pickle.BININT,
                pickle.BININT1,
                pickle.BININT2,
                pickle.LONG1,
            ),
            *(pickle.BINFLOAT, pickle.BINUNICODE, pickle.SHORT_BINUNICODE),
            *(pickle.BINPUT, pickle.LONG_BINPUT, pickle.BINGET, pickle.LONG_BINGET, pickle.MEMOIZE),
        )
    }

    def __init__(self, file: io.BytesIO) -> None:
        super().__init__(file)

        # Made anew for every file, so that a pickle which sets attributes of them changes nothing for the next one.
        def tensor(storage: Any, offset: Any, shape: Any, strides: Any, *_: Any) -> _Tensor:
            return _Tensor(storage, offset, shape, strides)

        def parameter(data: Any, *_: Any) -> Any:
            return data

        self.known: dict[tuple[str, str], Any] = {
            ("collections", "OrderedDict"): OrderedDict,
            ("torch._utils", "_rebuild_tensor_v2"): tensor,
            ("torch._utils", "_rebuild_parameter"): parameter,
            **{("torch", name): dtype for name, dtype in _DTYPES.items()},
        }

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in self.known:
            raise CheckpointError(
                f"its pickle names {module}.{name}, and of a pickle only tensors of numbers and ordered dicts are read"
            )
        return self.known[module, name]

    def persistent_load(self, told: Any) -> _Storage:
        kind, dtype, key, _, count, *view = told
        if kind != "storage" or dtype not in _DTYPES.values() or not isinstance(key, str) or any(view):
            raise CheckpointError(f"its pickle refers to {told!r:.200}, which is no storage of numbers")
        if not isinstance(count, int) or count < 0:
            raise CheckpointError(f"its storage {key!r} has {count!r} elements")
        return _Storage(key, np.dtype(dtype), count)


def _check(name: str, tensor: _Tensor) -> None:
    """Raises: CheckpointError unless every element of the tensor lies in its storage, and there are no more than there."""
    storage, offset, shape, strides = tensor
    numbers = (offset, *shape, *strides)
    if not isinstance(storage, _Storage) or not all(type(n) is int and n >= 0 for n in numbers):
        raise CheckpointError(f"{name!r} has shape {shape!r:.99}, strides {strides!r:.99} and offset {offset!r:.99}")
    count = math.prod(shape)
    last = offset + sum((n - 1) * step for n, step in zip(shape, strides, strict=True))
    if count > storage.elements or (count and last >= storage.elements):
        raise CheckpointError(
            f"{name!r} has shape {shape}, strides {strides} and offset {offset}, and its storage only {storage.elements} elements"
        )


Raw = Callable[[_Storage], memoryview]


def _zipped(content: bytes) -> tuple[Any, Raw]:
    archive = zipfile.ZipFile(io.BytesIO(content))
    members = {info.filename: info for info in archive.infolist()}
    for info in members.values():
        if info.compress_type != zipfile.ZIP_STORED or info.file_size != info.compress_size:
            raise CheckpointError(
                f"its member {info.filename!r} is compressed, and torch.save stores members as they are"
            )
    found = [name for name in members if name.endswith("/data.pkl")]
    if len(found) != 1:
        raise CheckpointError(f"it has {len(found)} members data.pkl, and a file of torch.save has one")
    root = found[0].removesuffix("data.pkl")
    if f"{root}byteorder" in members and (order := archive.read(f"{root}byteorder")) != b"little":
        raise CheckpointError(f"its numbers are in {order!r:.99} order, and only little-endian ones are read")

    def raw(storage: _Storage) -> memoryview:
        member = archive.read(f"{root}data/{storage.key}")
        if len(member) != storage.elements * storage.dtype.itemsize:
            raise CheckpointError(
                f"its storage {storage.key!r} has {len(member):,} bytes, not {storage.elements} of {storage.dtype}"
            )
        return memoryview(member)

    return _Unpickler(io.BytesIO(archive.read(found[0]))).load(), raw


def _plain(content: bytes) -> tuple[Any, Raw]:
    file = io.BytesIO(content)
    magic, version, system = (_Unpickler(file).load() for _ in range(3))
    if (magic, version) != (_MAGIC, _PROTOCOL):
        raise CheckpointError(f"it begins with {magic!r:.99} and {version!r:.99}, and a file of torch.save does not")
    if not system["little_endian"]:
        raise CheckpointError("its numbers are big-endian, and only little-endian ones are read")
    state, keys = _Unpickler(file).load(), _Unpickler(file).load()
    at, sizes = file.tell(), {}
    if isinstance(state, dict):
        storages = (tensor.storage for tensor in state.values() if isinstance(tensor, _Tensor))
        sizes = {storage.key: storage for storage in storages if isinstance(storage, _Storage)}
    places = {}
    for key in keys:
        storage = sizes[key]
        (count,) = struct.unpack_from("<q", content, at)
        end = at + 8 + storage.elements * storage.dtype.itemsize
        if count != storage.elements or end > len(content):
            raise CheckpointError(
                f"its storage {key!r} has {count} elements in {len(content) - at - 8:,} bytes, not {storage.elements} of "
                f"{storage.dtype}"
            )
        places[key] = memoryview(content)[at + 8 : end]
        at = end
    if at != len(content):
        raise CheckpointError(f"it goes on for {len(content) - at:,} bytes behind its last storage")
    return state, lambda storage: places[storage.key]
