"""Checkpoints: a tree of arrays and plain values in one `.npz` file that is either whole and right, or refused.

The file is an ordinary uncompressed zip archive that `numpy.load(path, allow_pickle=False)` opens too:

    model/features.0.weight.npy     one member per array, named by its place in the tree
    tree.json                       everything else; an array stands there as {"$array": "model/features.0.weight"}
    (archive comment)               "minidil-sha256:" and the SHA-256 of every byte of the file before it

`load` compares the digest before it looks at anything else, so a file that was cut short, or in which a single bit
changed anywhere, never gets as far as being parsed. Then it takes only what `save` writes: members that are stored as they
are, each one exactly the array that the tree names at its place. So what comes back is never larger than a small multiple of
the file, whoever made that. Nothing is ever pickled. The same tree always gives the same bytes.
"""

import hashlib
import io
import json
import math
import os
import zipfile
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np

from minidil.errors import CheckpointError
from minidil.storage.files import atomic_write

_FORMAT = 1
_TREE = "tree.json"
_ARRAY = "$array"
_TAG = b"minidil-sha256:"
_DIGEST = 64  # hexadecimal digits of a SHA-256
_ALLOWED = "dicts with string keys, lists, NumPy arrays of numbers or booleans, int, float, bool, str and None"


def save(path: str | os.PathLike[str], tree: object) -> None:
    """Write `tree` to `path` so that at every moment the file there is either the old one or the whole new one.

    tree: any nesting of dicts with string keys, lists, tuples (they come back as lists), NumPy arrays of booleans,
        integers, floats or complex numbers in any shape, NumPy scalars (they come back as 0-d arrays), int, float,
        bool, str and None.
    Raises: CheckpointError, before anything is written, if something else is in the tree; StorageError if the disk refuses.
    """
    arrays: dict[str, np.ndarray[Any, Any]] = {}
    try:
        structure = json.dumps({"format": _FORMAT, "tree": _encode(tree, (), arrays)})
    except RecursionError as error:
        raise CheckpointError("checkpoint.save: tree is nested too deeply, or contains itself") from error
    except ValueError as error:
        if isinstance(error, CheckpointError):
            raise
        raise CheckpointError(f"checkpoint.save: tree holds a number that JSON cannot take: {error}") from error
    with atomic_write(path) as file:
        with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
            for name, array in arrays.items():
                # A bare ZipInfo is dated 1980, so equal trees are equal files. Zip64, as an array may be over 4 GiB.
                with archive.open(zipfile.ZipInfo(f"{name}.npy"), "w", force_zip64=True) as member:
                    np.lib.format.write_array(member, array, allow_pickle=False)
            archive.writestr(zipfile.ZipInfo(_TREE), structure)
            archive.comment = _TAG + b"0" * _DIGEST
        file.seek(-_DIGEST, os.SEEK_END)
        file.truncate()
        file.seek(0)
        digest = hashlib.file_digest(file, "sha256").hexdigest()  # leaves the position at the end
        file.write(digest.encode())


def load(path: str | os.PathLike[str]) -> Any:
    """Read the tree that `save` wrote: the same values, array dtypes and shapes.

    Raises: CheckpointError, in one line, if the file is not a checkpoint, is cut short, has one wrong byte anywhere, or
        holds anything that `save` does not write; OSError if there is no such file.
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
            members = _members(archive, len(content))
            structure = _structure(archive.read(members.pop(_TREE)))
            tree = _decode(structure["tree"], (), archive, members)
        if members:
            raise CheckpointError(f"member {min(members)!r} has no place in the tree")
        return tree
    except Exception as error:
        reason = str(error) or type(error).__name__
        raise CheckpointError(f"checkpoint.load: {path} is sealed but not a minidil checkpoint: {reason}") from error


def _members(archive: zipfile.ZipFile, size: int) -> dict[str, zipfile.ZipInfo]:
    """The members by name: stored as they are, named once, and together no larger than the file of `size` bytes."""
    members: dict[str, zipfile.ZipInfo] = {}
    for info in archive.infolist():
        if info.compress_type != zipfile.ZIP_STORED or info.file_size != info.compress_size:
            raise CheckpointError(f"member {info.filename!r} is compressed; save stores every member as it is")
        if info.filename in members:
            raise CheckpointError(f"member {info.filename!r} is there twice")
        members[info.filename] = info
    if (total := sum(info.file_size for info in members.values())) > size:
        raise CheckpointError(f"its members claim {total:,} bytes, more than the {size:,} of the file")
    if _TREE not in members:
        raise CheckpointError(f"member {_TREE!r} is missing")
    return members


def _structure(text: bytes) -> Any:
    try:
        structure = json.loads(text, object_pairs_hook=_unique)
    except RecursionError as error:
        raise CheckpointError(f"member {_TREE!r} is nested too deeply") from error
    except ValueError as error:
        raise CheckpointError(f"member {_TREE!r}: {error}") from error
    if not isinstance(structure, dict) or structure.keys() != {"format", "tree"}:
        raise CheckpointError(f"member {_TREE!r} must hold a format and a tree")
    if structure["format"] != _FORMAT:
        raise CheckpointError(
            f"member {_TREE!r} has format {structure['format']!r}, and this minidil reads format {_FORMAT}"
        )
    return structure


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    node = dict(pairs)
    if len(node) != len(pairs):
        raise CheckpointError(f"one of the keys {', '.join(sorted(node))} is there twice")
    return node


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
        name = _name(place)
        arrays[name] = node
        return {_ARRAY: name}
    kind = f"an array of {node.dtype}" if type(node) is np.ndarray else f"of type {type(node).__name__}"
    raise CheckpointError(f"checkpoint.save: {_spell(place)} is {kind}; a checkpoint holds {_ALLOWED}")


def _decode(
    node: Any, place: tuple[str | int, ...], archive: zipfile.ZipFile, members: dict[str, zipfile.ZipInfo]
) -> Any:
    """The tree under `node`; takes the members that it consists of out of `members`, each of them once."""
    if isinstance(node, list):
        return [_decode(item, (*place, index), archive, members) for index, item in enumerate(node)]
    if not isinstance(node, dict):
        return node
    if _ARRAY not in node:
        return {_key(key, place): _decode(node[key], (*place, _key(key, place)), archive, members) for key in node}
    if node != {_ARRAY: _name(place)}:
        raise CheckpointError(
            f"member {_TREE!r}: {_spell(place)} must be the array {_name(place)!r}, not {node!r:.200}"
        )
    member = members.pop(f"{_name(place)}.npy", None)
    if member is None:
        raise CheckpointError(f"member {_name(place) + '.npy'!r} is missing")
    return _array(archive, member)


def _key(key: str, place: tuple[str | int, ...]) -> str:
    if key.startswith("$") and not key.startswith("$$"):
        raise CheckpointError(f"member {_TREE!r}: {_spell(place)} has the key {key!r}, which means nothing")
    return key.removeprefix("$")


def _array(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> np.ndarray[Any, Any]:
    """Read an array after its header has been held against the size of its member: before, nothing is allocated for it."""
    try:
        with archive.open(info) as member:
            version = np.lib.format.read_magic(member)
            # Later versions of the format have longer headers, which only structured types need.
            if version != (1, 0):
                raise CheckpointError(f"the format of its header is {version}, not (1, 0)")
            shape, _, dtype = np.lib.format.read_array_header_1_0(member)
            if dtype.kind not in "biufc":
                raise CheckpointError(f"it is an array of {dtype}; a checkpoint holds numbers and booleans")
            if any(length < 0 for length in shape):
                raise CheckpointError(f"its shape is {shape}")
            header, needed = member.tell(), math.prod(shape) * dtype.itemsize
            if header + needed != info.file_size:
                raise CheckpointError(
                    f"its shape {shape} of {dtype} takes {header:,} + {needed:,} bytes, and it has {info.file_size:,}"
                )
            member.seek(0)
            array: np.ndarray[Any, Any] = np.lib.format.read_array(member, allow_pickle=False)
            return array
    except Exception as error:
        raise CheckpointError(f"member {info.filename!r}: {error}") from error


def _name(place: tuple[str | int, ...]) -> str:
    """What the array at that place in the tree is called: unique, as places are."""
    return "/".join(quote(str(step), safe="", errors="surrogatepass") for step in place)


def _spell(place: tuple[str | int, ...]) -> str:
    """The place as Python would write it: tree['optimizer'][0]."""
    return "tree" + "".join(f"[{step!r}]" for step in place)
