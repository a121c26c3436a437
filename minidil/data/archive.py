"""Packed files, opened so that damage of any kind ends in one DataError and never in wrong bytes.

Nothing is unpacked to the disk. A gzip stream is read to its very end, where its CRC-32 stands, before a byte of it
is looked at: tarfile alone never looks that far. Then the checksums of `registry` decide.
"""

import gzip
import hashlib
import io
import struct
import tarfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from minidil.data.registry import File
from minidil.errors import DataError

# What the standard library throws at bytes that are not what they claim to be (BadGzipFile and truncated reads are
# OSError and EOFError).
_DAMAGE = (OSError, EOFError, zlib.error, tarfile.TarError, struct.error, ValueError, OverflowError)
_SLACK = 16 << 20  # bytes that an archive may hold besides the members that are wanted: headers, padding, a readme


def damaged(path: Path, what: str) -> DataError:
    """The error for a file that is not what it should be; it names the file, what is wrong and the way out."""
    return DataError(
        f"{path} is damaged or not the published file: {what}; move it away and fetch it again (minidil data get)"
    )


def verify(path: Path, file: File) -> None:
    """Hold everything in the file at `path` against what `file` promises. Raises DataError that names what is wrong."""
    if file.members:
        read_members(path, file)
    elif file.name.endswith(".gz"):
        read_unpacked(path, file)
    else:
        read_packed(path, file)


def read_packed(path: Path, file: File) -> bytes:
    """The bytes of the file as they lie on the disk, checked against `file.packed` where that is known."""
    with _explained(path):
        content = path.read_bytes()
    _check(path, content, file.packed)
    return content


def read_unpacked(path: Path, file: File, limit: int = 1 << 30) -> bytes:
    """What the gzip file at `path` holds, at most `limit` bytes, checked packed and unpacked where sums are known."""
    packed = read_packed(path, file)
    content = _gunzip(path, io.BytesIO(packed), limit)
    _check(path, content, file.unpacked, "unpacked ")
    return content


def read_members(path: Path, file: File) -> dict[str, memoryview]:
    """The members of the .tar.gz at `path` that `file` names, each of them checked; other members are passed over.

    The archive itself may have been repacked: its members decide.
    """
    limit = sum(member.size or 0 for member in file.members) + _SLACK
    with _explained(path), path.open("rb") as packed:
        content = _gunzip(path, packed, limit)
    found = _untar(path, content, {member.name for member in file.members})
    for member in file.members:
        if member.name not in found:
            raise damaged(path, f"its member {member.name} is missing")
        view = found[member.name]
        if member.size is not None and len(view) != member.size:
            raise damaged(path, f"its member {member.name} has {len(view):,} bytes instead of {member.size:,}")
        _check(path, view, member.sha1 and f"sha1:{member.sha1}", f"its member {member.name} ")
    return found


def _gunzip(path: Path, packed: io.BufferedIOBase, limit: int) -> bytes:
    with _explained(path), gzip.GzipFile(fileobj=packed, mode="rb") as stream:
        content = stream.read(limit + 1)
    if len(content) > limit:
        raise damaged(path, f"it unpacks to more than the {limit:,} bytes that it may hold")
    return content


def _untar(path: Path, content: bytes, wanted: set[str]) -> dict[str, memoryview]:
    """Views into `content`, one for each wanted member that is there."""
    found: dict[str, memoryview] = {}
    with _explained(path), tarfile.open(fileobj=io.BytesIO(content), mode="r:") as tar:
        for entry in tar:
            name = entry.name.removeprefix("./")
            if name not in wanted:
                continue
            if not entry.isreg() or name in found:
                raise damaged(path, f"its member {name} is there twice or is not a plain file")
            found[name] = memoryview(content)[entry.offset_data : entry.offset_data + entry.size]
            if len(found[name]) != entry.size:
                raise damaged(path, f"it ends within its member {name}")
        end = tar.offset
    # tarfile takes a header that it cannot read for the end of the archive; behind the true end there are zeros alone.
    if content.count(0, end) != max(0, len(content) - end):
        raise damaged(path, f"what follows byte {end:,} of the tar archive is not a member")
    return found


def _check(path: Path, content: bytes | memoryview, expected: str | None, what: str = "") -> None:
    if expected is None:
        return
    algorithm, _, digest = expected.partition(":")
    actual = hashlib.new(algorithm, content, usedforsecurity=False).hexdigest()
    if actual != digest:
        raise damaged(path, f"{what}{algorithm} {actual} instead of {digest}")


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    """Turn whatever reading throws into one line that names the file."""
    try:
        yield
    except DataError:
        raise
    except FileNotFoundError as error:
        raise DataError(f"{path} does not exist") from error
    except PermissionError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}") from error
    except _DAMAGE as error:
        raise damaged(path, " ".join(str(error).split()) or type(error).__name__) from error
