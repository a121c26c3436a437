"""Files of named arrays that others made: what they hold is told before any of it is read, and nothing in them is executed.

    .safetensors   by the library safetensors, which holds the header against the size of the file
    .npz           numpy.savez(path, **state) of a state dict: a zip of .npy members, whose headers are read alone
    .npz           a checkpoint of minidil with a tree under "state" or "model": sealed, and read whole

An array is made of `Declared` names, shapes and types that the caller has looked at; so a file that claims a huge array costs
nothing before it is refused.
"""

from __future__ import annotations

import math
import os
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from minidil.array import Array
from minidil.errors import CheckpointError, OptionError
from minidil.storage import checkpoint
from minidil.storage.files import atomic_write

_SEAL = b"minidil-sha256:"
_TREES = ("state", "model")
_NUMBERS = "biufc"
_TYPES = {
    "F64": "float64", "F32": "float32", "F16": "float16", "I64": "int64", "I32": "int32", "I16": "int16", "I8": "int8",
    "U64": "uint64", "U32": "uint32", "U16": "uint16", "U8": "uint8", "BOOL": "bool",
}  # fmt: skip


@dataclass(frozen=True)
class Declared:
    """What a file says of an array before it is read."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]


@dataclass(frozen=True)
class StateFile:
    """An open file. arrays: what it declares, by name. read: the array of a name."""

    arrays: Mapping[str, Declared]
    read: Callable[[str], Array]


@contextmanager
def opened(path: str | os.PathLike[str]) -> Iterator[StateFile]:
    """The file at `path`; arrays are read inside the block.

    Raises: CheckpointError for a file of another kind, one that is cut short or damaged, or arrays of anything but numbers;
        OSError if there is no such file.
    """
    path = Path(path)
    with path.open("rb") as file:
        start = file.read(8)
    if path.suffix == ".safetensors":
        opener = _safetensors
    elif start[:4] == b"PK\x03\x04" and path.suffix == ".npz":
        opener = _sealed if _is_sealed(path) else _npz
    else:
        raise CheckpointError(f"{path}: {_kind(path, start)}; weights are read from .safetensors and .npz")
    with opener(path) as state:
        yield state


def _kind(path: Path, start: bytes) -> str:
    if start[:4] == b"\x89HDF":
        return "an HDF5 file, which `minidil weights convert` converts for the packages that it knows"
    if path.suffix in (".pt", ".pth", ".bin", ".pkl", ".ckpt"):
        return "it may hold a pickle, which is never executed here; `minidil weights convert` reads the tensors of the known ones"
    if path.suffix == ".npz":
        return (
            f"no zip archive, whose first bytes are {b'PK'!r} and not {start[:2]!r}; it is damaged, or something else"
        )
    return f"files that end in {path.suffix!r} are not known"


@contextmanager
def _safetensors(path: Path) -> Iterator[StateFile]:
    try:
        from safetensors import SafetensorError, safe_open
    except ImportError:
        raise CheckpointError(
            f'{path}: reading .safetensors needs the library safetensors; install it with `pip install "minidil[weights]"`'
        ) from None
    try:
        with safe_open(path, framework="numpy") as file:
            arrays = {}
            for name in file.keys():  # noqa: SIM118  # it is no mapping
                part = file.get_slice(name)
                if part.get_dtype() not in _TYPES:
                    raise CheckpointError(
                        f"{path}: {name} has type {part.get_dtype()}, which NumPy lacks; save it as F32 or F16"
                    )
                arrays[name] = Declared(tuple(part.get_shape()), np.dtype(_TYPES[part.get_dtype()]))
            yield StateFile(arrays, file.get_tensor)
    except SafetensorError as error:
        raise CheckpointError(
            f"{path} ({path.stat().st_size:,} bytes) is damaged or no safetensors file: {error}"
        ) from error


def write_safetensors(path: str | os.PathLike[str], state: Mapping[str, Array], metadata: Mapping[str, str]) -> None:
    """Write arrays by name as a .safetensors file, whatever their order in memory.

    Raises: OptionError for another ending, or if the library safetensors is not installed; StorageError.
    """
    path = Path(path)
    if path.suffix != ".safetensors":
        raise OptionError(f"{path}: the name of a file of safetensors ends in .safetensors, not in {path.suffix!r}")
    try:
        from safetensors.numpy import save
    except ImportError:
        raise OptionError(
            f'{path}: writing .safetensors needs the library safetensors; install it with `pip install "minidil[deploy]"`'
        ) from None
    content = save({name: np.array(np.asarray(value), order="C") for name, value in state.items()}, dict(metadata))
    with atomic_write(path) as file:
        file.write(content)


@contextmanager
def _npz(path: Path) -> Iterator[StateFile]:
    with _blaming(path):
        archive = zipfile.ZipFile(path)
    with archive:  # what is done with the arrays in there is no fault of the file
        arrays: dict[str, Declared] = {}
        with _blaming(path):
            for info in archive.infolist():
                name = info.filename.removesuffix(".npy")
                if name == info.filename or name in arrays:
                    raise CheckpointError(f"member {info.filename!r} is no .npy, or there twice")
                with _blaming(path, info.filename), archive.open(info) as member:
                    arrays[name] = _header(member, info.file_size)

        def read(name: str) -> Array:
            with _blaming(path, f"{name}.npy"), archive.open(f"{name}.npy") as member:
                return np.lib.format.read_array(member, allow_pickle=False)

        yield StateFile(arrays, read)


@contextmanager
def _sealed(path: Path) -> Iterator[StateFile]:
    tree = checkpoint.load(path)
    found = [tree[name] for name in _TREES if isinstance(tree, dict) and isinstance(tree.get(name), dict)]
    if not found or not all(isinstance(value, np.ndarray) for value in found[0].values()):
        raise CheckpointError(f"{path}: a checkpoint without arrays by name under {' or '.join(map(repr, _TREES))}")
    state: dict[str, Array] = found[0]
    yield StateFile({name: Declared(each.shape, each.dtype) for name, each in state.items()}, state.__getitem__)


def _is_sealed(path: Path) -> bool:
    with path.open("rb") as file:
        file.seek(0, os.SEEK_END)
        file.seek(max(file.tell() - len(_SEAL) - 64, 0))
        return file.read(len(_SEAL)) == _SEAL


def _header(member: Any, size: int) -> Declared:
    """Shape and type of a .npy, held against the size of the member."""
    version = np.lib.format.read_magic(member)
    reader = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}.get(version)
    if reader is None:
        raise CheckpointError(f"its header has version {version}, which only arrays of records need")
    shape, _, dtype = reader(member)
    if dtype.kind not in _NUMBERS:
        raise CheckpointError(f"it is an array of {dtype}, not of numbers; an array of objects is a pickle")
    needed = member.tell() + math.prod(shape) * dtype.itemsize
    if needed != size or any(n < 0 for n in shape):
        raise CheckpointError(f"its shape {shape} of {dtype} takes {needed:,} bytes, and it has {size:,}")
    return Declared(shape, dtype)


@contextmanager
def _blaming(path: Path, member: str = "") -> Iterator[None]:
    """Whatever a damaged archive makes Python raise, as one line that names the file."""
    try:
        yield
    except CheckpointError as error:
        if str(path) in str(error):
            raise
        raise CheckpointError(f"{path}: {f'member {member!r}: ' if member else ''}{error}") from None
    except (zipfile.BadZipFile, ValueError, EOFError, NotImplementedError, RuntimeError, zlib.error, KeyError) as error:
        what = f"member {member!r} of it" if member else f"its {path.stat().st_size:,} bytes"
        raise CheckpointError(f"{path} is damaged, or cut short: {what}: {error}") from error
