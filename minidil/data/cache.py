"""Where data files lie: the data root, the files of a set, getting those that are missing, checking those there are."""

import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from minidil.data import archive, disk, registry
from minidil.data.registry import File, Source
from minidil.errors import BusyError, DataError, OptionError
from minidil.storage.locks import locked

WAIT = 3600.0  # seconds that a process waits for another one that fetches the same set


@dataclass(frozen=True)
class FileStatus:
    """What `check` found: the file, where it is or would be put, its state, and in `detail` what is wrong with it."""

    name: str
    path: Path
    state: Literal["ok", "missing", "damaged"]
    detail: str = ""


def root() -> Path:
    """The folder for data files: $MINIDIL_DATA if set, else `minidil` in the platform's cache. It may not exist yet."""
    if chosen := os.environ.get("MINIDIL_DATA"):
        return Path(chosen).expanduser().absolute()
    if sys.platform == "win32":
        base = os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local"
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Caches"
    else:
        base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "minidil"


def path(name: str, root: str | Path | None = None) -> Path:
    """The folder that the files of the set `name` lie in, or are put into where none is there yet.

    Below `root` (default: `data.root()`) that is the set's own folder, such as mnist/, or `root` itself where the
    files lie there directly.
    Raises: OptionError for an unknown name, or a set that is drawn and has no files.
    """
    source = registry.source(name)
    if not source.files:
        raise OptionError(f"data: {name} is drawn and has no files")
    return locate(source, source.files[0], root).parent


def locate(source: Source, file: File, root: str | Path | None = None) -> Path:
    """The path of one file of a set: where it is, else where it belongs."""
    if source.embedded:
        package = Path(__file__).parents[1]
        folders = [package / "datasets", package.parent / "datasets"]  # in an installed wheel; in a checkout
    else:
        base = data_root(root)
        folders = [base / source.folder, base]
    return next((folder / file.name for folder in folders if (folder / file.name).is_file()), folders[0] / file.name)


def data_root(chosen: str | Path | None) -> Path:
    """`chosen` as an absolute path, or the default root for None."""
    return root() if chosen is None else Path(chosen).expanduser().absolute()


def get(name: str, root: str | Path | None = None, progress: bool = True) -> list[Path]:
    """The files of the set `name`, those that are missing fetched first.

    A file that is there already is left as it is: `check` and the readers verify it. Below `root` (default:
    `data.root()`) the set's own folder is made where it is needed. progress: show a bar while fetching, if the error
    stream is a terminal. While another process fetches the same set into the same folder this one waits, up to an hour,
    and says for whom.

    Raises: OptionError for an unknown name; DataError, which says what to put where by hand, if no mirror gives the
        right bytes, or what to do if the disk does not take them; BusyError if the other process is at it still.
    """
    source = registry.source(name)
    paths = [locate(source, file, root) for file in source.files]
    if all(path.is_file() for path in paths):
        _clear(source, paths, data_root(root))
        return paths
    from minidil.data.download import fetch  # here: importing Python's HTTP client takes longer than minidil

    with nullcontext() if source.embedded else _alone(source, data_root(root), progress):
        for file, path in zip(source.files, paths, strict=True):
            if not path.is_file():  # it may be there by now: another process fetched it while this one waited
                fetch(file, path, progress)
    return paths


@contextmanager
def _alone(source: Source, base: Path, progress: bool) -> Iterator[None]:
    """Be the one that fetches this set into `base`: wait, and say for whom, while another process does."""
    lock, doing = _lock(source, base), f"fetching {source.name}"
    with ExitStack() as held:
        try:
            try:
                held.enter_context(locked(lock, doing))
            except BusyError as busy:
                if progress:
                    print(f"minidil: {busy} (waiting)", file=sys.stderr)
                held.enter_context(locked(lock, doing, WAIT))
        except OSError as error:
            raise disk.unwritable(lock, error) from error
        yield


def _clear(source: Source, paths: list[Path], base: Path) -> None:
    """Remove the beginnings of files that are there whole, unless somebody is at work on them."""
    parts = [part for path in paths if (part := path.with_name(path.name + disk.PART)).exists()]
    if parts:
        with suppress(BusyError, OSError), locked(_lock(source, base), f"clearing up {source.name}"):
            for part in parts:
                part.unlink(missing_ok=True)


def _lock(source: Source, base: Path) -> Path:
    return base / f".{source.name}.lock"


def check(name: str, root: str | Path | None = None) -> list[FileStatus]:
    """Read every file of the set `name` and hold it against its checksums; nothing is fetched.

    Returns: one FileStatus a file, in the order of the registry. Raises: OptionError for an unknown name.
    """
    source = registry.source(name)
    return [_status(file, locate(source, file, root)) for file in source.files]


def _status(file: File, path: Path) -> FileStatus:
    if not path.is_file():
        return FileStatus(file.name, path, "missing")
    try:
        archive.verify(path, file)
    except DataError as error:
        return FileStatus(file.name, path, "damaged", str(error))
    return FileStatus(file.name, path, "ok")
