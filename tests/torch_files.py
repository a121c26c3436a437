"""Files as torch.save writes them, made without PyTorch: small ones for tests, and forged ones."""

from __future__ import annotations

import io
import pickle
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

STORAGES = {"float32": "FloatStorage", "float16": "HalfStorage", "float64": "DoubleStorage", "int64": "LongStorage"}
MAGIC, PROTOCOL = 0x1950A86A20F9469CFC6C, 1001
SYSTEM = {"protocol_version": 1001, "little_endian": True, "type_sizes": {"short": 2, "int": 4, "long": 4}}


class Name:
    """A name that a pickle imports."""

    def __init__(self, module: str, name: str) -> None:
        self.module, self.name = module, name


class Call:
    """A call that a pickle makes: of a name, with these arguments."""

    def __init__(self, module: str, name: str, *arguments: Any) -> None:
        self.function, self.arguments = Name(module, name), arguments


class Stored:
    """A reference to a storage."""

    def __init__(self, *told: Any) -> None:
        self.told = told


class _Pickler(pickle._Pickler):
    """Writes names that cannot be imported here."""

    def persistent_id(self, node: Any) -> Any:
        return node.told if isinstance(node, Stored) else None

    def save(self, node: Any, save_persistent_id: bool = True) -> None:
        if isinstance(node, Name):
            self.write(pickle.GLOBAL + f"{node.module}\n{node.name}\n".encode())
        elif isinstance(node, Call):
            self.save(node.function)
            self.save(node.arguments)
            self.write(pickle.REDUCE)
        else:
            super().save(node, save_persistent_id)


def pickled(node: Any) -> bytes:
    file = io.BytesIO()
    _Pickler(file, 2).dump(node)
    return file.getvalue()


def stored(key: str, array: np.ndarray) -> Stored:
    return Stored("storage", Name("torch", STORAGES[str(array.dtype)]), key, "cpu", array.size)


def stored_before(key: str, array: np.ndarray) -> Stored:
    return Stored("storage", Name("torch", STORAGES[str(array.dtype)]), key, "cpu", array.size, None)


def rebuilt(storage: Any, offset: Any, shape: Any, strides: Any) -> Call:
    hooks = Call("collections", "OrderedDict")
    return Call("torch._utils", "_rebuild_tensor_v2", storage, offset, shape, strides, False, hooks)


def tensor(storage: Any, array: np.ndarray) -> Call:
    strides = tuple(step // array.itemsize for step in array.strides)
    return rebuilt(storage, 0, array.shape, strides)


def zipped(path: Path, state: Any, storages: dict[str, bytes], **members: bytes) -> None:
    """The kind since version 1.6. state: what the pickle holds."""
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", pickled(state))
        for key, content in storages.items():
            archive.writestr(f"archive/data/{key}", content)
        for name, content in members.items():
            archive.writestr(f"archive/{name}", content)


def plain(path: Path, state: Any, storages: dict[str, tuple[int, bytes]], system: Any = SYSTEM) -> None:
    """The kind before. storages: by key, (elements, bytes)."""
    parts = [pickled(each) for each in (MAGIC, PROTOCOL, system, state, list(storages))]
    parts += [struct.pack("<q", count) + content for count, content in storages.values()]
    path.write_bytes(b"".join(parts))


def save_zipped(path: Path, state: dict[str, np.ndarray]) -> None:
    tensors = {name: tensor(stored(f"{n}", array), array) for n, (name, array) in enumerate(state.items())}
    contents = {f"{n}": array.tobytes() for n, array in enumerate(state.values())}
    zipped(path, tensors, contents, byteorder=b"little", version=b"3\n")


def save_plain(path: Path, state: dict[str, np.ndarray]) -> None:
    tensors = {name: tensor(stored_before(f"{n}", array), array) for n, (name, array) in enumerate(state.items())}
    contents = {f"{n}": (array.size, array.tobytes()) for n, array in enumerate(state.values())}
    plain(path, tensors, contents)


SAVERS: dict[str, Callable[[Path, dict[str, np.ndarray]], None]] = {"zipped": save_zipped, "plain": save_plain}
