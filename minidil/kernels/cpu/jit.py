"""Numba's compiler with a cache that knows all that a kernel is made of.

Numba keeps compiled code on disk for as long as the file of the compiled function stays the same. But a kernel holds the code of
the functions that it calls as well, and those lie in other files: after an upgrade it would go on computing with what they were.
Here the code lies in a folder named after a fingerprint of every file of this package and of the reference, whose constants it
uses, and of the compiler's versions. (Numba itself tells apart processors, versions of Python and types of arguments within a
folder.)

The folder is made where Numba would keep its own: in NUMBA_CACHE_DIR if that is set, else beside this file, else, where that
cannot be written, in the user's cache. Where nothing can be written, the kernels are compiled in every process.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from threading import Lock
from typing import Any

import llvmlite
import numba

_PACKAGE = Path(__file__).parent
_KEPT = 4  # folders of other fingerprints that stay, however old: other environments may share the place
_UNUSED = 24 * 3600  # seconds; of two versions that run today, neither removes the other's
_config: Any = numba.config
_directing = Lock()


def njit(function: Callable[..., Any], *, cache: bool, **options: Any) -> Callable[..., Any]:
    """numba.njit, with such a cache if one is wanted and there is a place for it."""
    folder = _folder() if cache else None
    with _cached_in(folder):
        kernel: Callable[..., Any] = numba.njit(function, cache=folder is not None, **options)
    return kernel


@contextmanager
def _cached_in(folder: Path | None) -> Iterator[None]:
    """Let Numba choose this folder: a function's is fixed when it is decorated."""
    settings = {"CACHE_DIR": str(folder or ""), "CACHE_LOCATOR_CLASSES": ""}  # the second is not in every version
    with _directing:
        before = {name: getattr(_config, name) for name in settings if hasattr(_config, name)}
        for name in before:
            setattr(_config, name, settings[name])
        try:
            yield
        finally:
            for name, value in before.items():
                setattr(_config, name, value)


@cache
def _folder() -> Path | None:
    """The folder of this package's compiled code; None if there can be none."""
    name = _fingerprint()
    if name is None:
        return None
    for base in _bases():
        folder = base / f"minidil-{name}"
        with suppress(OSError):
            folder.mkdir(parents=True, exist_ok=True)
            tempfile.TemporaryFile(dir=folder).close()  # says whether it can be written, and that it is in use
            _remove_unused(base, folder)
            return folder
    return None


def _fingerprint() -> str | None:
    """Of the compiler and all sources that a kernel may be made of, the constants of the reference among them.

    None where there are no sources.
    """
    files = [file for folder in (_PACKAGE, _PACKAGE.parent / "reference") for file in sorted(folder.glob("*.py"))]
    digest = hashlib.sha256(f"numba {numba.__version__}, llvmlite {llvmlite.__version__}".encode())
    for file in files:
        source = file.read_bytes()
        digest.update(f"\0{file.parent.name}/{file.name} {len(source)}\0".encode())
        digest.update(source)
    return digest.hexdigest()[:16] if files else None


def _bases() -> list[Path]:
    if _config.CACHE_DIR:
        return [Path(_config.CACHE_DIR)]
    if sys.platform == "win32":
        user = Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    elif sys.platform == "darwin":
        user = Path.home() / "Library" / "Caches"
    else:
        user = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return [_PACKAGE / "__pycache__", user / "minidil" / "numba"]


def _remove_unused(base: Path, own: Path) -> None:
    """Of the folders of other fingerprints, keep the last that were used, and all that were used today."""
    with suppress(OSError):  # another process may be doing the same
        os.utime(own)
        others = [folder for folder in base.glob("minidil-*") if folder != own]
        for folder in sorted(others, key=lambda folder: folder.stat().st_mtime, reverse=True)[_KEPT:]:
            if time.time() - folder.stat().st_mtime > _UNUSED:
                shutil.rmtree(folder, ignore_errors=True)
