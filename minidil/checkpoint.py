"""Checkpoints: a tree of arrays and plain values in one `.npz` file that is either whole and right, or refused.

The file is an ordinary uncompressed zip archive that `numpy.load(path, allow_pickle=False)` opens too:

    model/features.0.weight.npy     one member per array, named by its place in the tree
    tree.json                       everything else; an array stands there as {"$array": "model/features.0.weight"}
    (archive comment)               "minidil-sha256:" and the SHA-256 of every byte of the file before it

`load` compares the digest before it looks at anything else, so a file that was cut short, or in which a single bit
changed anywhere, never gets as far as being parsed. Nothing is ever pickled. The same tree always gives the same bytes.
"""

import contextlib
import glob
import hashlib
import io
import json
import os
import secrets
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np

from minidil.errors import CheckpointError

_FORMAT = 1
_TREE = "tree.json"
_ARRAY = "$array"
_TAG = b"minidil-sha256:"
_DIGEST = 64  # hexadecimal digits of a SHA-256
_STALE_SECONDS = 60.0
_ALLOWED = "dicts with string keys, lists, NumPy arrays of numbers or booleans, int, float, bool, str and None"


def save(path: str | os.PathLike[str], tree: object) -> None:
    """Write `tree` to `path` so that at every moment the file there is either the old one or the whole new one.

    tree: any nesting of dicts with string keys, lists, tuples (they come back as lists), NumPy arrays of booleans,
        integers, floats or complex numbers in any shape, NumPy scalars (they come back as 0-d arrays), int, float,
        bool, str and None.
    Raises: CheckpointError, before anything is written, if something else is in the tree; OSError if the disk refuses.
    """
    arrays: dict[str, np.ndarray[Any, Any]] = {}
    structure = {"format": _FORMAT, "tree": _encode(tree, (), arrays)}
    with atomic_write(path) as file:
        with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
            for name, array in arrays.items():
                # A bare ZipInfo is dated 1980, so equal trees are equal files. Zip64, as an array may be over 4 GiB.
                with archive.open(zipfile.ZipInfo(f"{name}.npy"), "w", force_zip64=True) as member:
                    np.lib.format.write_array(member, array, allow_pickle=False)
            archive.writestr(zipfile.ZipInfo(_TREE), json.dumps(structure))
            archive.comment = _TAG + b"0" * _DIGEST
        file.seek(-_DIGEST, os.SEEK_END)
        file.truncate()
        file.seek(0)
        digest = hashlib.file_digest(file, "sha256").hexdigest()  # leaves the position at the end
        file.write(digest.encode())


def load(path: str | os.PathLike[str]) -> Any:
    """Read the tree that `save` wrote: the same values, array dtypes and shapes.

    Raises: CheckpointError, in one line, if the file is not a checkpoint, is cut short, or has one wrong byte anywhere;
        OSError if there is no such file.
    """
    content = Path(path).read_bytes()
    body, digest = memoryview(content)[:-_DIGEST], content[-_DIGEST:]
    if body[-len(_TAG) :] != _TAG:
        raise CheckpointError(
            f"checkpoint.load: {path} ({len(content):,} bytes) does not end as a minidil checkpoint does; "
            "it was cut short, or something else wrote it"
        )
    if hashlib.sha256(body).hexdigest().encode() != digest:
        raise CheckpointError(
            f"checkpoint.load: {path} is damaged: its {len(content):,} bytes do not match the checksum at their end; "
            "use another copy of it"
        )
    # Some writer sealed exactly these bytes. That it was `save` remains to be seen: anybody can compute a SHA-256.
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            structure = json.loads(archive.read(_TREE))
            if structure["format"] != _FORMAT:
                raise CheckpointError(f"format {structure['format']!r}, and this minidil reads format {_FORMAT}")
            return _decode(structure["tree"], archive)
    except Exception as error:
        raise CheckpointError(f"checkpoint.load: {path} is sealed but not a minidil checkpoint: {error}") from error


def _encode(node: object, place: tuple[str | int, ...], arrays: dict[str, np.ndarray[Any, Any]]) -> object:
    """The JSON for `node`. Its arrays go into `arrays`, under names that are unique because places in a tree are."""
    if node is None or type(node) in (bool, int, float, str):
        return node
    if isinstance(node, dict):
        for key in node:
            if type(key) is not str:
                kind = type(key).__name__
                raise CheckpointError(f"checkpoint.save: {_spell(place)} has the key {key!r} ({kind}); use string keys")
        # A user's own "$..." key gets a second "$", so that it cannot pass for a reference to an array.
        return {("$" + key if key.startswith("$") else key): _encode(node[key], (*place, key), arrays) for key in node}
    if isinstance(node, list | tuple):
        return [_encode(item, (*place, index), arrays) for index, item in enumerate(node)]
    if isinstance(node, np.generic):
        node = np.asarray(node)
    if type(node) is np.ndarray and node.dtype.kind in "biufc":
        name = "/".join(quote(str(step), safe="", errors="surrogatepass") for step in place)
        arrays[name] = node
        return {_ARRAY: name}
    kind = f"an array of {node.dtype}" if type(node) is np.ndarray else f"of type {type(node).__name__}"
    raise CheckpointError(f"checkpoint.save: {_spell(place)} is {kind}; a checkpoint holds {_ALLOWED}")


def _decode(node: Any, archive: zipfile.ZipFile) -> Any:
    if isinstance(node, list):
        return [_decode(item, archive) for item in node]
    if isinstance(node, dict):
        if node.keys() == {_ARRAY}:
            with archive.open(f"{node[_ARRAY]}.npy") as member:
                return np.lib.format.read_array(member, allow_pickle=False)
        return {key.removeprefix("$"): _decode(value, archive) for key, value in node.items()}
    return node


def _spell(place: tuple[str | int, ...]) -> str:
    """The place as Python would write it: tree['optimizer'][0]."""
    return "tree" + "".join(f"[{step!r}]" for step in place)


@contextlib.contextmanager
def atomic_write(path: str | os.PathLike[str]) -> Iterator[io.BufferedRandom]:
    """A binary file that takes the place of `path` when the block ends well, and is removed when it does not.

    The content is on the disk before it gets its name, and the name is on the disk before this returns; so a process
    killed or a machine switched off at any moment leaves the old file or the whole new one. What a killed writer left
    behind (`.name.*.tmp`) is removed by the next one, once nobody has written to it for a minute.
    Raises: OSError if the folder is missing or cannot be written.
    """
    path = Path(path)
    _remove_stale(path)
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}.tmp")
    try:
        with temporary.open("x+b") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    _sync_folder(path.parent)


def _remove_stale(path: Path) -> None:
    for leftover in path.parent.glob(f".{glob.escape(path.name)}.*.tmp"):
        with contextlib.suppress(FileNotFoundError):
            if time.time() - leftover.stat().st_mtime > _STALE_SECONDS:
                leftover.unlink()


def _sync_folder(folder: Path) -> None:
    """Put the folder's new entry on the disk, where the system lets a folder be opened (Windows does not)."""
    if os.name != "posix":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
