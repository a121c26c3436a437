"""Fetching a file over HTTP: resumable, from a list of mirrors, verified, moved into place whole or not at all."""

import os
import re
from http.client import HTTPException
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from minidil.data import archive, disk
from minidil.data.registry import File
from minidil.errors import DataError

if TYPE_CHECKING:
    from tqdm import tqdm

TIMEOUT = 30.0  # seconds of silence after which a server counts as gone
ATTEMPTS = 4  # connections to one mirror that bring not a single byte before the next mirror is tried


def fetch(file: File, path: Path, progress: bool = True) -> None:
    """Fetch `file` to `path`, which appears there only when all of it has arrived and its checksums are right.

    Until then the bytes wait in `<path>.part`, where the next call goes on. One process at a time may fetch a file:
    `cache.get` sees to that.
    Raises: DataError if no mirror gives the right bytes, with the reason of each, or at once, with the file, if the
        disk does not take them: what has arrived is kept.
    """
    if not file.mirrors:
        raise DataError(f"{path} does not exist, and no server has it: {file.absent}")
    part = path.with_name(path.name + disk.PART)
    reasons = []
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise disk.unwritable(path.parent, error) from error
    for url in file.mirrors:
        try:
            _fetch_from(url, file, part, progress)
            os.replace(part, path)
            _flush_folder(path.parent)
            return
        except (DataError, OSError, HTTPException) as error:
            if isinstance(error, OSError) and disk.is_of_the_disk(error):
                raise disk.unwritable(part, error) from error
            reasons.append(f"{url}: {_reason(error)}")
    raise DataError(
        f"cannot fetch {file.name} ({'; '.join(reasons)}); "
        f"fetch it by hand, from {file.mirrors[0]} for instance, and save it as {path}"
    )


def _fetch_from(url: str, file: File, part: Path, progress: bool) -> None:
    """Fill `part` from one mirror and verify it. Wrong bytes are thrown away, and fetched anew if some were old."""
    resumed = part.exists()
    _receive_all(url, part, progress)
    try:
        archive.verify(part, file)
    except DataError as error:
        part.unlink()
        if not resumed:
            raise DataError("what it serves is not the published file") from error
        _fetch_from(url, file, part, progress)


def _receive_all(url: str, part: Path, progress: bool) -> None:
    """Connect again, and go on, for as long as a server that cuts the connection sends at least something each time."""
    idle = 0
    while idle < ATTEMPTS:
        before = part.stat().st_size if part.exists() else 0
        complete = _receive(url, part, progress)
        if complete:
            return
        idle = 0 if part.stat().st_size > before else idle + 1
    raise ConnectionError(
        f"the connection broke off {ATTEMPTS} times without bringing anything, after {part.stat().st_size:,} bytes"
    )


def _receive(url: str, part: Path, progress: bool) -> bool:
    """Append what the server still has to `part`. Returns whether that was everything."""
    have = part.stat().st_size if part.exists() else 0
    headers = {"User-Agent": "minidil", "Accept-Encoding": "identity"} | ({"Range": f"bytes={have}-"} if have else {})
    try:
        response = urlopen(Request(url, headers=headers), timeout=TIMEOUT)
    except HTTPError as error:
        with error:
            if error.code != 416 or not have:
                raise
            # 416, range not satisfiable: there is nothing after what we have, either because it is all there or
            # because it is too much.
            if _total(error.headers.get("Content-Range")) == have:
                return True
        part.unlink()
        return _receive(url, part, progress)

    with response:
        if have and not (response.status == 206 and _start(response.headers.get("Content-Range")) == have):
            have = 0  # the server does not know ranges and sends the file from its beginning
        length = response.headers.get("Content-Length")
        total = have + int(length) if length else None
        with part.open("ab" if have else "wb") as out, _bar(part, have, total, progress) as bar:
            try:
                while chunk := response.read(1 << 16):
                    out.write(chunk)
                    bar.update(len(chunk))
            except (ConnectionError, TimeoutError, HTTPException):
                return False  # what has arrived is kept
            finally:
                _flush(out)
            return total is None or out.tell() >= total  # a short read is how a dropped connection ends


def _start(content_range: str | None) -> int | None:
    """First byte of "bytes 100-199/200"."""
    match = re.match(r"bytes (\d+)-", content_range or "")
    return int(match[1]) if match else None


def _total(content_range: str | None) -> int | None:
    """Size of the whole in "bytes */200"."""
    match = re.match(r"bytes \S*/(\d+)$", content_range or "")
    return int(match[1]) if match else None


def _bar(part: Path, have: int, total: int | None, progress: bool) -> "tqdm[Any]":
    from tqdm import tqdm  # here, so that importing minidil stays quick

    # disable=None: no bar unless the error stream is a terminal.
    return tqdm(
        desc=part.stem, initial=have, total=total, unit="B", unit_scale=True, disable=None if progress else True
    )


def _reason(error: Exception) -> str:
    reason = getattr(error, "reason", None) or error  # URLError wraps the error that tells more
    return " ".join(str(reason).split()) or type(error).__name__


def _flush(file: BinaryIO) -> None:
    """Hand the bytes to the disk, not only to the operating system: a name must never outlive its content."""
    file.flush()
    os.fsync(file.fileno())


def _flush_folder(folder: Path) -> None:
    if os.name != "posix":
        return  # elsewhere a folder cannot be opened, and the rename is durable by itself
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
