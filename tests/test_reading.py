"""The reading order in docs/reading.md is short enough for an afternoon, and leaves no room unmentioned."""

import re
from pathlib import Path

import pytest

import minidil as md

ROOT = Path(md.__file__).parent
PAGE = ROOT.parent / "docs" / "reading.md"
pytestmark = pytest.mark.skipif(not PAGE.exists(), reason="this is an installed package, without its documents")


def marked() -> list[Path]:
    """The files of the afternoon, in order."""
    return [
        PAGE.parent / link for link in re.findall(r"^\| \d+ \| \[[^]]+\]\(([^)]+)\)", PAGE.read_text(), re.MULTILINE)
    ]


def test_the_marked_path_is_an_afternoon() -> None:
    lines = sum(len(path.read_text().splitlines()) for path in marked())
    assert 2_400 < lines < 2_700  # as the page and the README say


def test_each_file_is_read_once_and_numbered_in_order() -> None:
    numbers = re.findall(r"^\| (\d+) \|", PAGE.read_text(), re.MULTILINE)
    assert numbers == [str(n + 1) for n in range(len(set(marked())))]


def test_every_room_is_mentioned() -> None:
    text = PAGE.read_text().replace("../minidil/", "")
    rooms = [path.name + "/" for path in ROOT.iterdir() if (path / "__init__.py").exists()]
    files = [path.name for path in ROOT.glob("*.py") if not path.name.startswith("__")]
    assert [name for name in rooms + files if name not in text] == []


def test_what_a_training_step_calls_is_on_the_path() -> None:
    defined = "\n".join(path.read_text() for path in marked())
    assert [
        name for name in ("backward", "propagate", "step", "update", "forward") if f"def {name}(" not in defined
    ] == []
