"""Training on a folder of one's own images."""

import json
from pathlib import Path

import numpy as np
import pytest
from command_line import refused
from PIL import Image

from minidil.cli import main
from minidil.cli.settings import DATA_DEFAULTS, Settings
from minidil.data import NAMES

pytestmark = pytest.mark.usefixtures("quick_pictures")
TINY = ["--widths", "4", "--dilations", "1", "--epochs", "1", "--backend", "numpy", "--size", "8", "--crop", "1"]


def paint(folder: Path, count: int) -> None:
    """Two classes, dark and bright, as PNG files."""
    rng = np.random.default_rng(0)
    for name, low in (("bright", 150), ("dark", 0)):
        (folder / name).mkdir(parents=True)
        for index in range(count):
            pixels = rng.integers(low, low + 100, (12, 10, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(folder / name / f"{index}.png")


def test_a_folder_of_classes_is_split(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    paint(tmp_path / "photos", 25)
    run = str(tmp_path / "run")
    assert main(["train", *TINY, "--data", str(tmp_path / "photos"), "--out", run]) == 0
    assert "photos: 36 images to learn from, 4 to validate on" in capsys.readouterr().out
    config = json.loads((tmp_path / "run" / "config.json").read_text())
    assert (config["classes"], config["shape"]) == (["bright", "dark"], [3, 8, 8])
    assert main(["eval", run]) == 0
    assert "on 10 images" in capsys.readouterr().out


def test_images_that_have_moved_are_named_when_the_run_goes_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    paint(tmp_path / "photos", 25)
    run = str(tmp_path / "run")
    assert main(["train", *TINY, "--data", str(tmp_path / "photos"), "--out", run]) == 0
    (tmp_path / "photos").rename(tmp_path / "moved")
    assert "neither a known set" in refused(capsys, "eval", run)
    monkeypatch.chdir(tmp_path)
    assert "--data nowhere: neither a known set" in refused(capsys, "train", "--resume", run, "--data", "nowhere")
    paint(tmp_path / "others", 24)
    assert "config.json: mean is" in refused(capsys, "train", "--resume", run, "--data", "others")
    assert main(["train", "--resume", run, "--data", "moved"]) == 0
    assert main(["eval", run]) == 0
    assert json.loads((tmp_path / "run" / "config.json").read_text())["settings"]["data"] == str(tmp_path / "moved")


def test_a_folder_with_train_and_test_is_used_as_it_is(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    paint(tmp_path / "photos" / "train", 20)
    paint(tmp_path / "photos" / "test", 3)
    run = str(tmp_path / "run")
    assert main(["train", *TINY, "--data", str(tmp_path / "photos"), "--out", run]) == 0
    assert main(["eval", run]) == 0
    out = capsys.readouterr().out
    assert "photos: 36 images to learn from, 4 to validate on" in out
    assert "on 6 images" in out


def test_a_channel_without_contrast_can_be_normalised(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / "photos" / name).mkdir(parents=True)
        for index in range(10):
            Image.new("RGB", (8, 8), (index * 20, 7, 0)).save(tmp_path / "photos" / name / f"{index}.png")
    assert main(["train", *TINY, "--data", str(tmp_path / "photos"), "--out", str(tmp_path / "run")]) == 0
    assert json.loads((tmp_path / "run" / "config.json").read_text())["std"][1:] == [1.0, 1.0]


def test_every_known_set_has_a_recipe_whose_settings_make_sense() -> None:
    assert tuple(DATA_DEFAULTS) == NAMES
    for name in NAMES:
        settings = Settings.of({"data": name})
        assert Settings.from_json(json.loads(json.dumps(settings.to_json()))) == settings


def test_what_is_given_wins_over_the_recipe() -> None:
    settings = Settings.of({"data": "digits", "lr": 0.5})
    assert (settings.lr, settings.epochs) == (0.5, DATA_DEFAULTS["digits"]["epochs"])


def test_a_recipe_s_widths_are_those_of_its_model_only() -> None:
    assert Settings.of({"data": "digits"}).widths == DATA_DEFAULTS["digits"]["widths"]
    assert Settings.of({"data": "digits", "model": "resnet_small"}).widths is None
