"""Writing files whole or not at all, and saying what to do where a disk does not take them."""

import contextlib
import errno
import glob
import io
import os
import secrets
import time
from collections.abc import Iterator
from pathlib import Path

from minidil.errors import StorageError

_STALE_SECONDS = 60.0

_ADVICE = {
    errno.ENOSPC: "make room on that disk, or choose a folder on another one",
    errno.EDQUOT: "make room within your quota, or choose a folder on another disk",
    errno.EFBIG: "raise the limit on the size of a file (ulimit -f), or choose a disk that takes larger ones",
    errno.EACCES: "make its folder writable for you, or choose another one",
    errno.EPERM: "make its folder writable for you, or choose another one",
    errno.EROFS: "choose a folder on a disk that can be written to",
}


@contextlib.contextmanager
def atomic_write(path: str | os.PathLike[str]) -> Iterator[io.BufferedRandom]:
    """A binary file that takes the place of `path` when the block ends well, and is removed when it does not.

    The content is on the disk before it gets its name, and the name is on the disk before this returns; so a process
    killed or a machine switched off at any moment leaves the old file or the whole new one. What a killed writer left
    behind (`.name.*.tmp`) is removed by the next one, once nobody has written to it for a minute.
    Raises: StorageError, which says what to do, if the disk is full, the file may not grow or the folder not be written;
        another OSError if the folder is missing.
    """
    path = Path(path)
    remove_leftovers(path, _STALE_SECONDS)
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}.tmp")
    with writing(path):
        try:
            with _opened(temporary, path) as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, path)
        except BaseException:
            with contextlib.suppress(OSError):
                temporary.unlink(missing_ok=True)
            raise
        _sync_folder(path.parent)


@contextlib.contextmanager
def writing(path: Path) -> Iterator[None]:
    """Around what writes `path`. Raises: StorageError, which names it, for what the disk refuses there."""
    try:
        yield
    except OSError as error:
        if error.errno not in _ADVICE or isinstance(error, StorageError):
            raise
        refused = StorageError(f"{path} cannot be written: {os.strerror(error.errno)}; {_ADVICE[error.errno]}")
        refused.errno = error.errno
        raise refused from error


def remove_leftovers(path: Path, age: float) -> None:
    """Remove what killed writers of `path` left behind, if nobody has written to it for `age` seconds."""
    for leftover in path.parent.glob(f".{glob.escape(path.name)}.*.tmp"):
        # Another process may remove it first; and one that may not be removed does no harm.
        with contextlib.suppress(OSError):
            if time.time() - leftover.stat().st_mtime >= age:
                leftover.unlink()


def _opened(temporary: Path, path: Path) -> io.BufferedRandom:
    try:
        return temporary.open("x+b")
    except FileNotFoundError as error:
        error.filename = str(path)  # not the temporary one, which nobody knows
        raise


def _sync_folder(folder: Path) -> None:
    """Put the folder's new entry on the disk, where the system lets a folder be opened (Windows does not)."""
    if os.name != "posix":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
