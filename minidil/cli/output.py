"""Where commands write: places are checked before the work, and what was found becomes one JSON document."""

import contextlib
import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from minidil.errors import OptionError

JSON_HELP = "write everything that was found; -: to standard output, and the text to standard error"
PICTURES = (".png", ".svg", ".pdf")
_STDOUT = Path("-")


@contextmanager
def document(path: Path | None) -> Iterator[dict[str, Any]]:
    """What the block puts into the dictionary is written as JSON when it ends, in whichever way; None writes nothing.

    path: a file, or "-" for standard output; then what the block prints goes to standard error, so that the document is alone.
    Raises: OptionError, before the block, if the file cannot be written.
    """
    content: dict[str, Any] = {}
    if path is not None and path != _STDOUT:
        check_file("--json", path)
    try:
        with contextlib.redirect_stdout(sys.stderr) if path == _STDOUT else contextlib.nullcontext():
            yield content
    finally:  # a bug report wants it most where the work itself fell over
        text = json.dumps(content, indent=1) + "\n"
        if path == _STDOUT:
            sys.stdout.write(text)
        elif path is not None:
            path.write_text(text, encoding="utf-8")


def check_picture(option: str, path: Path) -> None:
    """Raises: OptionError if the file has no suffix of a picture that minidil draws, or cannot be written."""
    if path.suffix.lower() not in PICTURES:
        raise OptionError(f"{option} {path}: a picture is a file that ends in {', '.join(PICTURES)}")
    check_file(option, path)


def check_file(option: str, path: Path) -> None:
    """Raises: OptionError, which names the option, if no file can be written there."""
    if path.is_dir():
        raise OptionError(f"{option} {path}: is a folder, and a file is to be written")
    if not path.parent.is_dir():
        raise OptionError(f"{option} {path}: there is no folder {path.parent}")
    if not os.access(path if path.exists() else path.parent, os.W_OK):
        raise OptionError(f"{option} {path}: may not be written")


def check_new(option: str, path: Path, suffix: str) -> None:
    """Raises: OptionError, which names the option, unless the name ends so, nothing has it yet, and it can be written."""
    if path.suffix != suffix:
        raise OptionError(f"{option}: the name of the file ends in {suffix}, and {path} does not")
    if path.exists():
        raise OptionError(f"{option}: {path} is there already; remove it, or name another file")
    check_file(option, path)


def check_folder(option: str, path: Path) -> None:
    """Raises: OptionError, which names the option, if there is no such folder and none can be made."""
    there = next(place for place in (path, *path.absolute().parents) if place.exists() or place.is_symlink())
    if not there.is_dir():
        raise OptionError(f"{option} {path}: {there} is not a folder")
    if not os.access(there, os.W_OK | os.X_OK):
        raise OptionError(f"{option} {path}: nothing may be written in {there}")
