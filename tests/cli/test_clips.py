"""Training, measuring and using networks that give a class to every clip, on a few small clips."""

import json
from pathlib import Path

import numpy as np
import pytest
from command_line import refused
from numpy.testing import assert_array_equal
from PIL import Image
from tiny_runs import StopAt

import minidil as md
import minidil.functional as F
from minidil import data
from minidil.cli import main
from minidil.cli.experiment import Experiment
from minidil.cli.settings import Settings
from minidil.data.clips import COUNTS
from minidil.errors import CheckpointError
from minidil.tasks.video import contact_sheet
from minidil.train import RunFolder

pytestmark = pytest.mark.usefixtures("quick_pictures")
TINY = ["--widths", "2", "3", "--dilations", "1", "2", "--backend", "numpy", "--batch-size", "8"]
CLIPS = ["train", "--data", "clips", *TINY, "--epochs", "2", "--validation", "0.2"]
FILES = ("last.npz", "best.npz", "metrics.csv")


@pytest.fixture(autouse=True)
def _few_clips(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Twenty clips to learn from and ten to test on; runs go into a folder of the test."""
    monkeypatch.setitem(COUNTS, "train", 20)
    monkeypatch.setitem(COUNTS, "test", 10)
    monkeypatch.chdir(tmp_path)


def accuracy(run: str, clips: data.Clips) -> float:
    """Of the best weights of a run, worked out without the command line."""
    folder = RunFolder(run)
    experiment = Experiment.of(folder)
    model = experiment.trained(folder)
    batch = np.stack([clip for clip, _ in clips.normalized(experiment.mean, experiment.std)])
    with md.use("numpy"), md.no_grad():
        return float((model(md.tensor(batch)).numpy().argmax(axis=1) == clips.labels).mean())


def test_the_defaults_are_those_for_clips() -> None:
    settings = Settings.of({"data": "clips"})
    assert (settings.model, settings.crop, settings.flip, settings.optimizer) == ("c3d", 0, False, "adamw")


def test_a_run_is_trained_measured_and_asked(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*CLIPS, "--out", "run"]) == 0
    out = capsys.readouterr().out
    assert "clips: 16 clips to learn from, 4 to validate on" in out
    assert "test accuracy " in out.splitlines()[-1]

    assert main(["eval", "run", "--backend", "numpy", "--json", "eval.json"]) == 0
    out, told = capsys.readouterr().out, json.loads(Path("eval.json").read_text())
    test = data.clips("test")
    assert told["clips"] == 10
    assert told["accuracy"] == pytest.approx(accuracy("run", test))
    assert told["controls"] == {
        "last frame alone": pytest.approx(accuracy("run", test.stilled(15))),
        "frames shuffled": pytest.approx(accuracy("run", test.shuffled())),
    }
    assert [(each["class"], each["clips"]) for each in told["classes"]] == [("another", 5), ("the same", 5)]
    assert "last frame alone " in out
    assert "on 10 clips" in out

    clip, _ = test[3]
    data.write_clip(clip, "film")
    assert main(["predict", "run", "film", "--backend", "numpy", "--json", "predict.json"]) == 0
    (told,) = json.loads(Path("predict.json").read_text())["clips"]
    experiment = Experiment.of(RunFolder("run"))
    with md.use("numpy"), md.no_grad():
        batch = (clip[None] - experiment.mean[0]) / experiment.std[0]
        logits = experiment.trained(RunFolder("run"))(md.tensor(batch.astype(np.float32)))
        shares = F.softmax(logits).numpy()[0]
    assert {each["class"]: each["probability"] for each in told["classes"]} == {
        name: pytest.approx(share, rel=1e-4)
        for name, share in zip(("another", "the same"), shares.tolist(), strict=True)
    }
    drawn = np.asarray(Image.open("film-clip.png"))
    sheet = contact_sheet(np.rint(clip * 255).astype(np.uint8), least=64)[0]
    assert_array_equal(drawn[-len(sheet) :], sheet)
    assert drawn[: -len(sheet)].min() < 100  # the answer in words
    assert "drawn: film-clip.png" in capsys.readouterr().out


@pytest.mark.slow
def test_a_run_that_is_killed_and_resumed_ends_in_the_same_bits(monkeypatch: pytest.MonkeyPatch) -> None:
    assert main([*CLIPS, "--out", "whole"]) == 0
    stop = StopAt(3)
    with monkeypatch.context() as patch:
        patch.setattr(Experiment, "callbacks", lambda self, model: [stop])
        with pytest.raises(ZeroDivisionError):
            main([*CLIPS, "--out", "cut", "--save-every", "0"])
    assert main(["train", "--resume", "cut"]) == 0
    for name in FILES:
        assert (Path("cut") / name).read_bytes() == (Path("whole") / name).read_bytes()


def films(root: Path, count: int) -> None:
    """Clips that grow brighter or darker, in colour."""
    rng = np.random.default_rng(0)
    for number in range(count):
        for name, slope in (("brighter", 20), ("darker", -20)):
            levels = rng.integers(80, 150) + slope * np.arange(-2, 2)
            clip = np.broadcast_to(levels[None, :, None, None] / 255, (3, 4, 6, 5)).astype(np.float32)
            data.write_clip(clip, root / name / f"{number}")


def test_a_folder_of_clips(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    films(tmp_path / "films", 5)
    folder = ["train", "--data", "films", "--model", "c3d", *TINY, "--size", "4", "--epochs", "1"]
    assert main([*folder, "--frames", "3", "--out", "run"]) == 0
    assert "films: 7 clips to learn from, 1 to validate on" in capsys.readouterr().out
    assert Experiment.of(RunFolder("run")).shape == (3, 3, 4, 4)
    assert main(["predict", "run", "films/darker/0", "films/darker", "--backend", "numpy"]) == 2
    captured = capsys.readouterr()
    assert "drawn: 0-clip.png" in captured.out
    assert "darker holds no image" in captured.err
    with Image.open("0-clip.png") as drawn:
        assert drawn.mode == "RGB"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            "--data clips --model vgg_small",
            "--model vgg_small gives a class for every image, and clips has a class for every clip",
        ),
        (
            "--data digits --model c3d",
            "--model c3d gives a class for every clip, and digits has a class for every image",
        ),
        ("--data digits --frames 4", "--frames is for a class for every clip, and vgg_small gives"),
        (
            "--data clips --crop 2",
            "--crop is for a class for every image or a class for every pixel or boxes around objects, and c3d gives",
        ),
        ("--data clips --dilations 1,2 1 1 1", "--dilations: c3d takes one number per layer, such as 1 2 4 8"),
        ("--data clips --dilations 1 2", "c3d: every layer needs a width and a dilation, but there are 4 widths"),
    ],
)
def test_what_does_not_go_together_is_refused(options: str, message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert message in refused(capsys, "train", *options.split(), "--out", "run")
    assert not Path("run").exists()


def test_a_run_knows_its_clips(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*CLIPS, "--epochs", "1", "--out", "run"]) == 0
    folder = RunFolder("run")
    experiment = Experiment.of(folder)
    experiment.check_learnt(experiment.training(experiment.settings)[0], folder)
    shape = r"shape is \(1, 16, 8, 8\), and that of the clips of clips is \(1, 12, 8, 8\)"
    with pytest.raises(CheckpointError, match=shape):
        experiment.check(data.clips("test", frames=12), folder)
    with pytest.raises(CheckpointError, match="mean is "):
        experiment.check_learnt(data.clips("train", seed=5), folder)
    path = Path("run/config.json")
    for change, message in (
        ({"mean": [0.1, 0.2]}, "mean has 2 values for the 1 channels"),
        ({"shape": [8]}, "shape must"),
    ):
        config = json.loads(path.read_text())
        path.write_text(json.dumps(config | change))
        assert message in refused(capsys, "eval", "run", "--backend", "numpy")
        path.write_text(json.dumps(config))
