"""The folder that students get."""

from pathlib import Path

import pytest
from command_line import refused

from minidil.classroom.grading.release import release
from minidil.classroom.register import exercises
from minidil.cli import main
from minidil.errors import OptionError


def test_the_folder_holds_notebooks_without_solutions(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["exercises", "release", str(tmp_path / "out"), "--chapters", "3"]) == 0
    assert "no solutions" in capsys.readouterr().out
    names = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert names == ["03_im2col.ipynb", "README.md"]
    text = (tmp_path / "out" / "03_im2col.ipynb").read_text("utf-8")
    assert "SOLUTION" not in text
    assert "HIDDEN" not in text
    assert "raise NotImplementedError()" in text
    readme = (tmp_path / "out" / "README.md").read_text("utf-8")
    assert all(each.title in readme for each in exercises("3"))


def test_nothing_is_overwritten(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "mine").write_text("x")
    with pytest.raises(OptionError, match="is not an empty folder"):
        release(tmp_path, ["3"])
    assert "has no exercises" in refused(capsys, "exercises", "release", str(tmp_path / "new"), "--chapters", "99")
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]
