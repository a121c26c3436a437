"""What `minidil train` finds out before it prints, trains or writes anything, and a reader that leaves while it trains."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from command_line import TINY, refused

from minidil.cli import main
from minidil.cli import train as command
from minidil.cli.settings import options
from minidil.data import Dataset
from minidil.errors import DataError

pytestmark = pytest.mark.usefixtures("quick_pictures")


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs go into a folder of the test."""
    monkeypatch.chdir(tmp_path)


def test_a_dry_run_prints_settings_and_model_and_leaves_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", *TINY, "--epochs", "3", "--freeze", "features.0:1", "--dry-run", "--out", "run"]) == 0
    lines = capsys.readouterr().out.splitlines()
    settings = dict(line.split(maxsplit=1) for line in lines[: len(options())])
    assert list(settings) == ["--" + name.replace("_", "-") for name in options()]
    chosen = ("--widths", "--dilations", "--epochs", "--lr", "--freeze", "--flip", "--clip-norm", "--backend")
    assert [settings[name] for name in chosen] == ["4", "2", "3", "0.05", "features.0:1", "no", "no limit", "numpy"]
    assert lines[len(options())] == "digits: 1,293 images to learn from, 144 to validate on"
    assert any(line.startswith("features.0 ") for line in lines)
    assert lines[-1] == "11 steps an epoch, 33 in all; nothing was trained or written"
    assert os.listdir() == []


def test_a_dry_run_of_a_run_that_goes_on_leaves_it_as_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", *TINY, "--epochs", "1", "--out", "run"]) == 0
    before = {path.name: path.read_bytes() for path in Path("run").iterdir()}
    capsys.readouterr()
    assert main(["train", "--resume", "run", "--epochs", "4", "--dry-run"]) == 0
    assert "--epochs            4\n" in capsys.readouterr().out
    assert {path.name: path.read_bytes() for path in Path("run").iterdir()} == before
    assert refused(capsys, "train", "--resume", "run", "--epochs", "0") == "minidil: --epochs must be >= 1, got 0\n"


def test_a_dry_run_checks_what_a_run_would_stumble_over(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "no parameter is 'stem'" in refused(capsys, "train", "--freeze", "stem:1", "--dry-run", "--backend", "numpy")
    assert "--out" in refused(capsys, "train", "--out", str(_file(tmp_path) / "run"), "--dry-run")
    monkeypatch.setenv("MINIDIL_DATA", str(tmp_path / "no data"))
    line = refused(capsys, "train", "--data", "cifar10", "--dry-run")
    assert line == "minidil: --dry-run writes nothing, and cifar10 is not here yet: minidil data get cifar10\n"


def _file(folder: Path) -> Path:
    path = folder / "file"
    path.touch()
    return path


def test_a_place_where_no_run_can_begin_is_refused_before_the_images_are_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(command, "training_set", lambda settings: pytest.fail("nothing is to be read"))
    file = _file(tmp_path)
    assert f"--out {file}: {file} is not a folder" in refused(capsys, "train", "--out", str(file))
    assert f"{file} is not a folder" in refused(capsys, "train", "--out", str(file / "a" / "b"))

    full = tmp_path / "full"
    full.mkdir()
    for name in ("d", "c", "b", "a"):
        (full / name).touch()
    line = refused(capsys, "train", "--out", str(full))
    assert "there is something else in it (a, b, c and 1 more); choose a new folder or an empty one" in line
    (full / "metrics.csv").touch()
    assert "already holds a run (metrics.csv)" in refused(capsys, "train", "--out", str(full))

    monkeypatch.setattr(os, "access", lambda path, mode: False)
    assert f"nothing may be written in {tmp_path}" in refused(capsys, "train", "--out", str(tmp_path / "new"))
    assert f"nothing may be written in {tmp_path}" in refused(capsys, "train")
    assert capsys.readouterr().out == ""


def test_an_empty_folder_is_as_good_as_none() -> None:
    Path("run").mkdir()
    Path("run/.config.json.0123456789abcdef.tmp").touch()  # what a killed writer leaves behind
    assert main(["train", *TINY, "--epochs", "1", "--out", "run"]) == 0
    assert json.loads(Path("run/config.json").read_text())["settings"]["epochs"] == 1


def test_the_test_images_are_read_before_the_training(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def damaged(settings: object) -> Dataset:
        raise DataError("the test images are damaged")

    monkeypatch.setattr(command, "testing_set", damaged)
    assert refused(capsys, "train", *TINY, "--out", "run") == "minidil: the test images are damaged\n"
    assert os.listdir() == []


@pytest.mark.slow
def test_a_run_goes_on_when_nobody_reads_its_output() -> None:
    words = [sys.executable, "-m", "minidil", "train", *TINY, "--epochs", "2", "--out", "run"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        err = process.stderr.read()
    assert process.returncode == 0
    assert err == "minidil: nobody reads the output any more; the run goes on\n"
    assert len(Path("run/metrics.csv").read_text().splitlines()) == 3
