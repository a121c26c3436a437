"""Training, measuring and asking networks that read images pixel by pixel, on the digits that come with minidil."""

import json
from pathlib import Path

import numpy as np
import pytest
from command_line import refused
from PIL import Image
from tiny_runs import StopAt

import minidil as md
import minidil.functional as F
from minidil import data
from minidil.cli import main
from minidil.cli.experiment import Experiment
from minidil.cli.pixels import Pixels
from minidil.cli.settings import Settings
from minidil.cli.tasks import MEMORY, PIXELS
from minidil.train import RunFolder

TINY = ["--backend", "numpy", "--batch-size", "300", "--epochs", "1", "--widths", "3"]
FILES = ("last.npz", "best.npz", "metrics.csv")


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs go into a folder of the test."""
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("model", ["tcn", "tcn --permuted", pytest.param("lstm", marks=pytest.mark.slow)])
def test_a_run_is_trained_measured_asked_and_taken_up(capsys: pytest.CaptureFixture[str], model: str) -> None:
    assert main(["train", "--data", "digits", "--model", *model.split(), *TINY, "--out", "run"]) == 0
    out = capsys.readouterr().out
    assert "digits: 1,293 images to learn from, 144 to validate on" in out
    assert main(["eval", "run", "--backend", "numpy", "--json", "eval.json"]) == 0
    told = json.loads(Path("eval.json").read_text())

    # The same from `data.sequential` and the network of sequences inside.
    experiment, test = Experiment.of(RunFolder("run")), data.load("digits", "test")
    rows, labels = data.sequential(test, 0 if "--permuted" in model else None)[:]
    network = experiment.trained(RunFolder("run")).network
    with md.use("numpy"), md.no_grad():
        shares = F.softmax(network(md.tensor((rows - experiment.mean[0]) / experiment.std[0]))).numpy()
    assert told["accuracy"] == pytest.approx((shares.argmax(axis=1) == labels).mean())
    assert f"test accuracy {told['accuracy']:.2%} on 360 images" in capsys.readouterr().out

    Image.fromarray(255 - test.images[7, 0]).save("7.png")
    words = "run 7.png --invert --top 10 --backend numpy --json said.json"
    assert main(["predict", *words.split()]) == 0
    (answer,) = json.loads(Path("said.json").read_text())["images"]
    found = {each["class"]: each["probability"] for each in answer["classes"]}
    assert [found[str(digit)] for digit in range(10)] == pytest.approx(shares[7], rel=1e-3)

    assert main(["train", "--resume", "run", "--epochs", "2", "--backend", "numpy"]) == 0
    assert "epoch 2/2" in capsys.readouterr().out


@pytest.mark.slow
def test_a_run_that_is_killed_and_resumed_ends_in_the_same_bits(monkeypatch: pytest.MonkeyPatch) -> None:
    words = ["train", "--data", "digits", "--model", "tcn", *TINY, "--epochs", "2", "--crop", "1", "--cutout", "2"]
    assert main([*words, "--out", "whole"]) == 0
    with monkeypatch.context() as patch:
        patch.setattr(Experiment, "callbacks", lambda self, model: [StopAt(7)])
        with pytest.raises(ZeroDivisionError):
            main([*words, "--out", "cut", "--save-every", "0"])
    assert main(["train", "--resume", "cut"]) == 0
    assert all((Path("cut") / name).read_bytes() == (Path("whole") / name).read_bytes() for name in FILES)


@pytest.mark.slow
def test_dilations_of_its_own_reach_the_first_pixel_and_what_is_learnt_beats_those_of_one() -> None:
    accuracy = {}
    for name, words in {"growing": [], "ones": ["--dilations", "1,1,1"]}.items():
        run = ["train", "--data", "digits", "--model", "tcn", "--widths", "12", "--epochs", "5", *words, "--out", name]
        assert main(run) == 0
        assert main(["eval", name, "--json", "eval.json"]) == 0
        accuracy[name] = json.loads(Path("eval.json").read_text())["accuracy"]
    assert accuracy["growing"] > 0.9 > accuracy["ones"] + 0.05


@pytest.mark.parametrize(("shape", "last"), [((8, 8), 4), ((28, 28), 64), ((32, 32), 64)])
def test_a_tcn_without_dilations_sees_the_first_pixel(shape: tuple[int, int], last: int) -> None:
    experiment = Pixels(Settings.of({"data": "digits", "model": "tcn"}), ("a", "b"), (1, *shape), (0.5,), (0.5,))
    dilations = experiment.options()["dilations"]
    assert dilations[-1] == last
    assert 1 + 12 * sum(dilations[:-1]) < np.prod(shape) <= 1 + 12 * sum(dilations)


def test_settings_follow_the_task_and_not_those_of_the_set_for_other_networks() -> None:
    pixels, memory = (Settings.of({"data": name, "model": "tcn"}) for name in ("digits", "copy_memory"))
    assert all(getattr(pixels, name) == value for name, value in PIXELS.usual.items())
    assert (pixels.widths, pixels.dilations, pixels.length, pixels.permuted) == (None, None, 1, False)
    assert all(getattr(memory, name) == value for name, value in MEMORY.usual.items())


def test_a_dilation_may_be_as_long_as_the_sequence(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["train", "--data", "digits", "--model", "tcn", "--dilations", "1,40", *TINY, "--out", "run"]
    assert main(words) == 0
    assert main(["eval", "run", "--backend", "numpy"]) == 0
    config = json.loads(Path("run/config.json").read_text())
    config["settings"]["dilations"] = [[1, 65]]
    Path("run/config.json").write_text(json.dumps(config))
    assert "settings.dilations must be from 1 to 64 each" in refused(capsys, "eval", "run", "--backend", "numpy")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("--data digits --model lstm --dilations 1,2", "--dilations: lstm has none; leave it out"),
        ("--data digits --model tcn --dilations 1 2", "--dilations: tcn dilates one stage, as in 1,2,4"),
        ("--data digits --model tcn --widths 3 4", "--widths: tcn has one for all of its layers, such as 16"),
        ("--data digits --model tcn --length 9", "--length is for a class for every sound or what it remembers of a"),
        ("--data digits --model tcn --loss mse", "--loss mse: tcn, which gives a class for every image, has cross-ent"),
        ("--data digits --model tcn --output-stride 2", "vgg_fast, vgg_small, and not for tcn; leave it out"),
        ("--data digits --permuted", "--permuted is for lstm, tcn, and not for vgg_small; leave it out"),
        ("--data adding --permuted", "--permuted is for a class for every image, and tcn gives what it remembers"),
        ("--data rt_polarity --model tcn", "what it remembers of a sequence, and rt_polarity has a class for"),
        ("--data clips --model lstm", "what it remembers of a sequence, and clips has a class for every clip"),
    ],
)
def test_refused_before_anything_is_written(capsys: pytest.CaptureFixture[str], words: str, message: str) -> None:
    assert message in refused(capsys, "train", *words.split(), "--backend", "numpy", "--out", "run")
    assert not Path("run").exists()


def test_a_run_goes_on_with_images(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", "--data", "digits", "--model", "tcn", *TINY, "--out", "run"]) == 0
    message = refused(capsys, "train", "--resume", "run", "--data", "copy_memory")
    assert "--data copy_memory: the run in run learns from images, and goes on with them" in message
