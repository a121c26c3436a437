"""Keeping a second process out of a folder: what is guarded is held by one at a time, and the others are told by whom."""

import json
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from minidil.errors import BusyError


@contextmanager
def locked(path: Path, doing: str, wait: float = 0.0) -> Iterator[None]:
    """Hold the lock file `path` for the length of a `with` block; no other process or thread holds it meanwhile.

    The lock is the operating system's, so that it ends with the process that holds it, however that one ends. The file
    itself stays: removing it would let two in, each with a file of its own. Beside it, `<path>.by` says who holds it,
    for the message that others get, and goes with the lock.

    Args:
        path: the lock file, .lock in the folder that it guards for instance; made, with its folder, where it is missing.
        doing: what it is held for, a word such as "training" that the message of others repeats.
        wait: seconds to wait for a lock that is held; 0 asks once.
    Raises: BusyError if it is held still: the message says by whom (process, host, since when, doing what). OSError if
        the file cannot be made.
    """
    from filelock import FileLock, Timeout  # here: importing it takes longer than the rest of minidil's reading of data

    path.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(path)
    try:
        lock.acquire(timeout=wait)
    except Timeout:
        raise BusyError(f"cannot start {doing}: {path.parent} is in use by {_holder(path)}; {_advice(wait)}") from None
    note = _note(path)
    try:
        note.write_text(
            json.dumps(
                {
                    "pid": os.getpid(),
                    "host": socket.gethostname(),
                    "since": time.strftime("%Y-%m-%d %H:%M:%S"),
                    "doing": doing,
                }
            )
        )
        yield
    finally:
        note.unlink(missing_ok=True)
        lock.release()


def _note(path: Path) -> Path:
    return path.with_name(path.name + ".by")


def _holder(path: Path) -> str:
    """Who holds the lock, as far as the note can tell: it may be half written, or gone with its holder by now."""
    try:
        note = json.loads(_note(path).read_text())
        return f"process {note['pid']} on {note['host']}, {note['doing']} since {note['since']}"
    except (OSError, ValueError, KeyError, TypeError):
        return "another process"


def _advice(wait: float) -> str:
    waited = f"it did not end within {wait:g} s; " if wait > 0 else ""
    return f"{waited}wait until it ends, or end it"
