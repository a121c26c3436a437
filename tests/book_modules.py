"""Modules of the folder book/, which is no package."""

import importlib.util
from pathlib import Path
from types import ModuleType

BOOK = Path(__file__).parent.parent / "book"


def book_module(path: str) -> ModuleType:
    """A module of the book, by its path in the folder."""
    spec = importlib.util.spec_from_file_location(Path(path).stem, BOOK / path)
    assert spec is not None
    assert spec.loader is not None
    made = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(made)
    return made
