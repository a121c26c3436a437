"""What was handed in: each file or folder at the top is one submission, named after it."""

import hashlib
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from unicodedata import normalize

from minidil.errors import OptionError

LARGEST = 20 << 20  # bytes of a notebook
_MOST_NOTEBOOKS = 20  # of one submission
_MOST_FILES = 2_000  # of one submission that are looked at


@dataclass(frozen=True)
class Submission:
    """name: the student's, in Unicode's composed form. files: the notebooks. notes: what is odd. digest: of the contents."""

    name: str
    files: tuple[Path, ...]
    notes: tuple[str, ...]
    digest: str


def submissions(folder: Path) -> list[Submission]:
    """In the order of their names. `Ann.ipynb` and the folder `Ann` are one.

    Raises: OptionError if there is no such folder, or nothing in it.
    """
    if not folder.is_dir():
        raise OptionError(f"grade {folder}: is no folder; it is to hold one notebook, or one folder, for each student")
    places: dict[str, list[Path]] = {}
    for place in sorted(folder.iterdir()):
        if not place.name.startswith(".") and not place.is_symlink():
            name = place.name if place.is_dir() else place.stem
            places.setdefault(normalize("NFC", name), []).append(place)
    if not places:
        raise OptionError(f"grade {folder}: nothing was handed in; one notebook, or one folder, for each student")
    return [_submission(name, where) for name, where in sorted(_shown(places).items())]


def _shown(places: dict[str, list[Path]]) -> dict[str, list[Path]]:
    """Names that can be printed: a file's name may hold line breaks, a terminal's commands, or bytes that are no text."""
    shown: dict[str, list[Path]] = {}
    for name, where in sorted(places.items()):
        plain = "".join(letter if letter.isprintable() else "?" for letter in name)
        number, unique = 1, plain
        while unique in shown:
            number += 1
            unique = f"{plain} ({number})"
        shown[unique] = where
    return shown


def _submission(name: str, places: list[Path]) -> Submission:
    files = [file for place in places for file in (_inside(place) if place.is_dir() else [place])]
    regular = [file for file in files if stat.S_ISREG(file.lstat().st_mode)]
    notes = []
    notebooks = [file for file in regular if _may_be_notebook(file)]
    if large := [file.name for file in notebooks if file.stat().st_size > LARGEST]:
        notes.append(f"larger than {LARGEST >> 20} MB, so not read: {', '.join(large[:5])}")
    notebooks = [file for file in notebooks if file.stat().st_size <= LARGEST]
    if len(notebooks) > _MOST_NOTEBOOKS:
        notes.append(f"only the first {_MOST_NOTEBOOKS} of {len(notebooks)} notebooks were read")
    if not notebooks:
        others = ", ".join(file.name for file in regular[:5]) or "nothing"
        notes.append(f"there is no notebook here, but {others}")
    kept = tuple(notebooks[:_MOST_NOTEBOOKS])
    digest = hashlib.sha256("\0".join(notes).encode("utf-8", "surrogateescape"))
    for file in kept:
        digest.update(file.name.encode("utf-8", "surrogateescape") + b"\0" + hashlib.sha256(file.read_bytes()).digest())
    return Submission(name, kept, tuple(notes), digest.hexdigest())


def _inside(folder: Path) -> Iterator[Path]:
    """The files in a folder, without hidden ones (such as Jupyter's checkpoints) and without following links."""
    count = 0
    for here, folders, files in os.walk(folder):
        folders[:] = sorted(each for each in folders if not each.startswith("."))
        for name in sorted(files):
            count += 1
            if count > _MOST_FILES:
                return
            if not name.startswith("."):
                yield Path(here) / name


def _may_be_notebook(file: Path) -> bool:
    """By its name, or, whatever its name, by how it begins."""
    if file.suffix.lower() == ".ipynb":
        return True
    try:
        with file.open("rb") as opened:
            head = opened.read(4096)
    except OSError:
        return False
    words = (b'"cells"', b'"worksheets"', b'"nbformat')
    return head.lstrip(b"\xef\xbb\xbf \r\n\t").startswith(b"{") and any(word in head for word in words)
