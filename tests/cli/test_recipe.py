"""`minidil train --recipe fast`, on a CIFAR-10 of a few images with the layout of the real one."""

import gzip
import json
from pathlib import Path

import numpy as np
import pytest
from command_line import refused
from PIL import Image
from tiny_runs import StopAt
from tiny_sets import pack_tar, tiny_cifar10

from minidil import train
from minidil.cli import main
from minidil.cli.experiment import Experiment, training_set
from minidil.cli.images import Images
from minidil.cli.settings import Settings
from minidil.data import Dataset, cifar
from minidil.data.transforms import AlternatingFlip, PadCrop
from minidil.train import FreezeAfter, RunFolder, WeightAverage, evaluate

pytestmark = pytest.mark.usefixtures("quick_pictures")
FAST = ["train", "--data", "cifar10", "--recipe", "fast", "--backend", "numpy"]
FAST += ["--widths", "4", "4", "4", "--batch-size", "4", "--lr", "0.01"]
FILES = ("last.npz", "best.npz", "metrics.csv")


@pytest.fixture(autouse=True)
def _tiny_cifar(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """8 images to learn from and 4 to test on take the place of CIFAR-10; runs go into a folder of the test."""
    layout, members = tiny_cifar10(records=4)
    (tmp_path / "cifar-10-binary.tar.gz").write_bytes(gzip.compress(pack_tar(members)))
    monkeypatch.setattr(cifar, "TEN", layout)
    monkeypatch.setenv("MINIDIL_DATA", str(tmp_path))
    monkeypatch.chdir(tmp_path)


def contents(folder: str) -> dict[str, bytes]:
    return {name: (Path(folder) / name).read_bytes() for name in FILES}


def test_the_numbers_are_those_of_the_paper() -> None:
    """There the loss is summed over the batch, so that a rate r here is r / 1024 there; weights decay by rate times decay."""
    fast = Settings.of({"data": "cifar10", "recipe": "fast"})
    kilostep = 1024 * (1 + 1 / (1 - 0.85))
    experiment = Images(fast, ("a",) * 10, (3, 32, 32), (0.5,) * 3, (0.2,) * 3)
    optimizer = experiment.optimizer(model := experiment.model())
    weights, biases = optimizer.param_groups
    assert weights["lr"] == pytest.approx(1024 * 11.5 / kilostep)
    assert biases["lr"] == pytest.approx(64 * 1024 * 11.5 / kilostep)
    for group in (weights, biases):
        assert group["lr"] * group["weight_decay"] == pytest.approx(0.0153 * 1024 / kilostep)
        assert (group["momentum"], group["nesterov"]) == (0.85, True)
    assert len(biases["params"]) == 6
    assert all(parameter.ndim == 1 for parameter in biases["params"])
    # the 6 convolutions, the classifier, and the bias of the first layer, whose weight is frozen
    assert len(weights["params"]) == 8
    assert all(parameter.requires_grad for group in (weights, biases) for parameter in group["params"])
    average, freeze = experiment.callbacks(model)
    assert isinstance(average, WeightAverage)
    assert (average.every, average.decay) == (5, 0.95)
    assert isinstance(freeze, FreezeAfter)
    assert freeze.epochs == 3
    schedule = experiment.schedule(optimizer, 48)
    assert [schedule.factor(step) for step in (0, 480)] == [0.2, 0.07]
    loader = experiment.learning(
        Dataset("one", np.zeros((1024, 3, 32, 32), np.uint8), np.zeros(1024, np.int64), ("a",))
    )
    assert PadCrop(2, "reflect") in loader.transforms
    assert AlternatingFlip(0) in loader.transforms


def test_a_run_learns_from_all_images_and_can_be_measured_and_asked(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*FAST, "--epochs", "2", "--seed", "3", "--out", "run"]) == 0
    out = capsys.readouterr().out
    assert "cifar10: 8 images to learn from, none to validate on" in out
    assert "whiten" in out
    assert "validation" not in out
    assert "test accuracy" in out.splitlines()[-1]
    settings = json.loads(Path("run/config.json").read_text())["settings"]
    chosen = ("recipe", "model", "seed", "lr", "momentum", "validation", "tta", "flip_rule", "freeze", "average_every")
    values = ["fast", "vgg_fast", 3, 0.01, 0.85, 0.0, 2, "alternating", [["whiten", 3]], 5]
    assert [settings[name] for name in chosen] == values

    # eval sees what train saw at its end, and other views when asked for
    last = out.splitlines()[-1].partition(";")[0]
    assert main(["eval", "run", "--backend", "numpy"]) == 0
    assert last in capsys.readouterr().out
    assert main(["eval", "run", "--backend", "numpy", "--tta", "0"]) == 0
    assert last not in capsys.readouterr().out
    Image.fromarray(np.zeros((32, 32, 3), np.uint8)).save("black.png")
    assert main(["predict", "run", "black.png", "--backend", "numpy"]) == 0
    assert capsys.readouterr().out.startswith("black.png: ")


def test_eval_averages_over_the_views_of_the_recipe() -> None:
    assert main([*FAST, "--epochs", "1", "--tta", "1", "--out", "run"]) == 0
    folder = RunFolder("run")
    experiment = Experiment.of(folder)
    learn, validate = training_set(experiment.settings)
    assert validate is None
    plain, mirrored = experiment.trained(folder, 0), experiment.trained(folder)
    logits: list[np.ndarray] = []
    loader = experiment.measuring(learn)
    evaluate(mirrored, loader, lambda answers, labels: logits.append(answers))
    evaluate(plain, loader, lambda answers, labels: logits.append(answers))
    flipped = experiment.measuring(Dataset("flipped", learn.images[:, :, :, ::-1], learn.labels, learn.classes))
    evaluate(plain, flipped, lambda answers, labels: logits.append(answers))
    np.testing.assert_allclose(logits[0], (logits[1] + logits[2]) / 2, rtol=1e-4, atol=1e-6)


def test_the_first_layer_whitens_the_training_images_and_is_never_trained() -> None:
    assert main([*FAST, "--epochs", "1", "--out", "run"]) == 0
    experiment = Experiment.of(RunFolder("run"))
    learn, _ = training_set(experiment.settings)
    expected, trained = experiment.untrained(learn)[0].state_dict(), RunFolder("run").best()["model"]
    np.testing.assert_array_equal(trained["whiten.weight"], expected["whiten.weight"])
    np.testing.assert_array_equal(trained["features.0.2.weight"], np.ones(4))
    for name in ("whiten.bias", "features.0.0.weight", "features.0.2.bias", "classifier.weight"):
        assert not np.array_equal(trained[name], expected[name])


@pytest.mark.slow
def test_a_run_that_is_killed_and_resumed_ends_in_the_same_bits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two batches are an epoch: killed before an average is due, and after the first layer has been frozen."""
    words = [*FAST, "--epochs", "4", "--tta", "0"]
    assert main([*words, "--out", "whole"]) == 0
    callbacks = Experiment.callbacks
    for batches, begin in ((3, [*words, "--out", "cut"]), (7, ["train", "--resume", "cut"])):
        stop = StopAt(batches)
        with monkeypatch.context() as patch:
            patch.setattr(Experiment, "callbacks", lambda self, model, stop=stop: [*callbacks(self, model), stop])
            with pytest.raises(ZeroDivisionError):
                main([*begin, "--save-every", "0"])
    assert main(["train", "--resume", "cut"]) == 0
    assert contents("cut") == contents("whole")


def test_what_is_given_wins_over_the_recipe_and_another_model_does_without_its_parts() -> None:
    settings = Settings.of({"data": "cifar10", "recipe": "fast", "model": "vgg_small", "lr": 0.3, "validation": 0.1})
    assert (settings.lr, settings.validation, settings.freeze, settings.momentum) == (0.3, 0.1, (), 0.85)


def test_images_without_a_mirror_image_are_not_mirrored() -> None:
    assert Settings.of({"data": "mnist", "recipe": "fast"}).tta == 0
    assert Settings.of({"data": "fashion_mnist", "recipe": "fast"}).tta == 2
    assert Settings.of({"data": "mnist", "recipe": "fast", "tta": 1}).tta == 1


@pytest.mark.slow
def test_small_images_take_a_network_of_fewer_blocks(capsys: pytest.CaptureFixture[str]) -> None:
    line = refused(capsys, "train", "--recipe", "fast")
    assert "images of 8x8 cannot be halved 3 times after the 2x2 whitening" in line
    assert "fewer widths" in line
    assert not Path("runs").exists()
    words = "train --recipe fast --widths 4 4 --dilations 1,2 1,1 --epochs 1 --batch-size 512 --tta 0 --backend numpy --out run"
    assert main(words.split()) == 0
    assert "test accuracy" in capsys.readouterr().out


def test_a_part_to_freeze_must_be_there_before_anything_is_written(capsys: pytest.CaptureFixture[str]) -> None:
    assert "no parameter is 'white'" in refused(capsys, *FAST, "--freeze", "white:3", "--out", "run")
    assert not Path("run").exists()
    assert train.LEVELS == (0, 1, 2)
