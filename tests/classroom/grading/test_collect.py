"""What is in the folder of submissions."""

import os
from pathlib import Path

import pytest

from minidil.classroom.grading.collect import LARGEST, submissions
from minidil.classroom.grading.grade import grade
from minidil.errors import OptionError

BOOK = b'{"cells": [], "nbformat": 4}'


def put(folder: Path, **files: bytes) -> None:
    for name, content in files.items():
        path = folder / name.replace("__", "/").replace("_dot_", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def test_files_and_folders_are_submissions(tmp_path: Path) -> None:
    put(
        tmp_path,
        Ann_dot_ipynb=BOOK,
        Ben__deep__03_dot_ipynb=BOOK,
        Ann__more_dot_ipynb=BOOK,
        Cy__work_dot_txt=BOOK,
        Di_dot_pdf=b"%PDF",
    )
    put(tmp_path, _dot_hidden=BOOK, Ben___dot_ipynb_checkpoints__03_dot_ipynb=BOOK)
    found = {each.name: [file.name for file in each.files] for each in submissions(tmp_path)}
    assert found == {"Ann": ["more.ipynb", "Ann.ipynb"], "Ben": ["03.ipynb"], "Cy": ["work.txt"], "Di": []}
    assert submissions(tmp_path)[3].notes == ("there is no notebook here, but Di.pdf",)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no pipes with names")
def test_links_pipes_and_giants_are_not_read(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    put(tmp_path, secret_dot_ipynb=BOOK)
    put(folder, Ann__ok_dot_ipynb=BOOK, Ben__x_dot_txt=b"")
    (folder / "Ann" / "link.ipynb").symlink_to(tmp_path / "secret.ipynb")
    (folder / "Cy").symlink_to(tmp_path)
    os.mkfifo(folder / "Ann" / "pipe.ipynb")
    with (folder / "Ben" / "big.ipynb").open("wb") as big:
        big.truncate(LARGEST + 1)
    found = {each.name: each for each in submissions(folder)}
    assert list(found) == ["Ann", "Ben"]
    assert [file.name for file in found["Ann"].files] == ["ok.ipynb"]
    assert found["Ben"].files == ()
    assert found["Ben"].notes[0] == "larger than 20 MB, so not read: big.ipynb"


def test_names_are_composed_and_can_be_printed(tmp_path: Path) -> None:
    put(tmp_path, **{"Zoe\u0308_dot_ipynb": BOOK, "a\x1b[2Jb_dot_ipynb": BOOK, "a\x07[2Jb_dot_ipynb": BOOK})
    assert [each.name for each in submissions(tmp_path)] == ["Zo\u00eb", "a?[2Jb", "a?[2Jb (2)"]


def test_a_digest_is_of_the_contents(tmp_path: Path) -> None:
    put(tmp_path, Ann_dot_ipynb=BOOK)
    first = submissions(tmp_path)[0].digest
    os.utime(tmp_path / "Ann.ipynb", (0, 0))
    assert submissions(tmp_path)[0].digest == first
    put(tmp_path, Ann_dot_ipynb=BOOK + b" ")
    assert submissions(tmp_path)[0].digest != first


def test_nothing_is_begun_where_nothing_can_be_graded(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="is no folder"):
        submissions(tmp_path / "none")
    (tmp_path / "in").mkdir()
    with pytest.raises(OptionError, match="nothing was handed in"):
        grade(tmp_path / "in", tmp_path / "out", seed=1)
    put(tmp_path, in__Ann_dot_ipynb=BOOK)
    for out in (tmp_path / "in", tmp_path / "in" / "out", tmp_path):
        with pytest.raises(OptionError, match="must lie outside"):
            grade(tmp_path / "in", out, seed=1)
    with pytest.raises(OptionError, match="among the submissions"):
        grade(tmp_path / "in", tmp_path / "out", seed=1, csv=tmp_path / "in" / "g.csv")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in"]
