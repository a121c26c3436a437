"""`minidil train --init`: a run that begins with the weights of another one, and of which only parts learn."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from command_line import refused
from PIL import Image
from tiny_runs import StopAt

from minidil import data, models, train
from minidil.cli import main
from minidil.cli.experiment import Experiment, training_set
from minidil.cli.images import Images
from minidil.cli.settings import Settings
from minidil.train import GradualUnfreezing, RunFolder

pytestmark = pytest.mark.usefixtures("quick_pictures")
SMALL = ("--backend", "numpy", "--size", "8", "--batch-size", "4", "--crop", "0")
FILES = ("last.npz", "best.npz", "metrics.csv")


def pictures(folder: Path, classes: str, count: int = 10) -> None:
    """Noise of another colour for each class."""
    rng = np.random.default_rng(len(classes))
    for number, name in enumerate(classes):
        (folder / name).mkdir(parents=True)
        for index in range(count):
            pixels = rng.integers(0, 80, (8, 8, 3))
            pixels[..., number % 3] += 150
            Image.fromarray(pixels.astype(np.uint8)).save(folder / name / f"{index}.png")


@pytest.fixture(scope="module")
def before(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two sets of pictures, `two` with classes a and b, `three` with c, d and e, and a run on the first of them."""
    folder = tmp_path_factory.mktemp("before")
    pictures(folder / "two", "ab")
    pictures(folder / "three", "cde")
    words = ("--widths", "4", "6", "--dilations", "1", "2", "--epochs", "2", "--out", str(folder / "first"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(RunFolder, "draw", lambda folder, history: (folder.path / "curves.png").write_bytes(b"curves"))
        assert main(["train", "--data", str(folder / "two"), *SMALL, *words]) == 0
    return folder


@pytest.fixture
def at(before: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of it, in which the test stands."""
    shutil.copytree(before, tmp_path / "at")
    monkeypatch.chdir(tmp_path / "at")
    return tmp_path / "at"


def contents(folder: str) -> dict[str, bytes]:
    return {name: (Path(folder) / name).read_bytes() for name in FILES}


def test_it_begins_with_the_weights_and_a_new_head(at: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["train", "--data", "three", *SMALL, "--init", "first", "--epochs", "1", "--out", "second"]
    assert main([*words, "--freeze", "features"]) == 0
    out = capsys.readouterr().out
    assert f"weights of {at / 'first'}; classifier.1 is new, with 3 outputs in place of 2\n" in out.replace("\n  ", " ")
    settings = json.loads(Path("second/config.json").read_text())["settings"]
    told = [settings[name] for name in ("init", "model", "widths", "dilations", "freeze")]
    assert told == [str(at / "first"), "vgg_small", [4, 6], [[1], [2]], [["features", 0]]]

    old, new = RunFolder("first").best()["model"], RunFolder("second").best()["model"]
    for name, value in new.items():
        if name.startswith("features"):  # statistics, too
            assert np.array_equal(value, old[name]), name
    experiment = Experiment.of(RunFolder("second"))
    fresh = experiment.model().state_dict()
    assert not np.array_equal(new["classifier.1.weight"], fresh["classifier.1.weight"])
    state = RunFolder("second").last()["optimizer"]
    assert [group["params"] for group in state["groups"]] == [2]  # the frozen ones are not in it
    test = out.splitlines()[-1].partition(";")[0]
    assert main(["eval", "second", "--backend", "numpy"]) == 0
    assert test in capsys.readouterr().out


def test_the_same_classes_keep_their_head(at: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["train", "--data", "two", *SMALL, "--init", "first", "--epochs", "1", "--lr", "1e-30", "--out", "second"]
    assert main(words) == 0
    assert "is new" not in capsys.readouterr().out
    old, new = (RunFolder(name).best()["model"]["classifier.1.weight"] for name in ("first", "second"))
    assert np.array_equal(old, new)


def test_weights_that_come_with_minidil_learn_grey_digits(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["train", "--init", "vgg_small", "--labels-per-class", "20", "--dry-run", "--output-stride", "1"]
    assert main([*words, "--freeze", "features.[0-9]", "--backend", "numpy"]) == 0
    out = capsys.readouterr().out
    assert "digits: 180 images to learn from, 20 to validate on" in out
    assert (
        "weights of vgg_small:cifar10; classifier.1 is new, with 10 outputs in place of 10; features.0 takes one channel: "
        "the sum of its weights for red, green and blue"
    ) in " ".join(out.split())
    assert "vgg_small" in out
    settings = dict(line.split(maxsplit=1) for line in out.splitlines()[: len(Settings.__dataclass_fields__)])
    assert settings["--init"] == "vgg_small:cifar10"
    assert settings["--widths"] == "of the model"


def test_a_denser_network_has_the_same_weights_and_is_measured_alike(
    at: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["train", "--data", "three", *SMALL, "--init", "first", "--epochs", "1", "--output-stride", "1"]
    assert main([*words, "--out", "second"]) == 0
    last = capsys.readouterr().out.splitlines()[-1].partition(";")[0]
    model = Experiment.of(RunFolder("second")).model()
    assert [model.features[place].stride for place in (3,)] == [(1, 1)]
    assert model.features[4].dilation == (4, 4)  # the 2 that it had, times the stride that was taken out
    assert main(["eval", "second", "--backend", "numpy"]) == 0
    assert last in capsys.readouterr().out
    # and who begins with it has its output stride, too
    assert main(["train", "--data", "two", *SMALL, "--init", "second", "--epochs", "1", "--out", "third"]) == 0
    assert json.loads(Path("third/config.json").read_text())["settings"]["output_stride"] == 1


def test_layers_have_rates_of_their_own_and_biases_of_norms_a_multiple() -> None:
    settings = Settings.of({"lr": 0.5, "lr_layers": 0.1, "norm_bias_lr": 4.0, "widths": (4, 4), "weight_decay": 0.4})
    experiment = Images(settings, tuple("0123456789"), (1, 8, 8), (0.5,), (0.2,))
    model = experiment.model()
    groups = experiment.optimizer(model).param_groups
    rates = [0.5, 0.05, 0.2, 0.005, 0.02, 5e-4, 2e-3, 5e-5, 2e-4]
    assert [group["lr"] for group in groups] == pytest.approx(rates)
    assert [len(group["params"]) for group in groups] == [2, 2, 1, 2, 1, 2, 1, 2, 1]
    assert [group["weight_decay"] for group in groups] == pytest.approx([0.4, *[0.4, 0.1] * 4])
    assert sum(len(group["params"]) for group in groups) == len(list(model.parameters()))


def test_few_labels_are_those_to_learn_from_and_to_validate_on() -> None:
    settings = Settings.of({"labels_per_class": 20, "seed": 3})
    learn, validate = training_set(settings)
    assert validate is not None
    few = data.few(data.digits("train"), 20, 3)
    assert (len(learn), len(validate)) == (180, 20)
    both = np.concatenate([learn.images, validate.images]).reshape(200, -1)
    assert sorted(map(bytes, both)) == sorted(map(bytes, few.images.reshape(200, -1)))
    assert np.bincount(learn.labels).tolist() == [18] * 10


def test_gradual_unfreezing_comes_before_what_freezes_for_good() -> None:
    settings = Settings.of({"unfreeze_every": 2, "freeze": (("features.0", 0), ("classifier", 3)), "widths": (4, 4)})
    experiment = Images(settings, tuple("0123456789"), (1, 8, 8), (0.5,), (0.2,))
    model, _ = experiment.untrained(data.digits("train"))
    gradual, late = experiment.callbacks(model)
    assert isinstance(gradual, GradualUnfreezing)
    assert isinstance(late, train.FreezeAfter)
    assert (gradual.every, late.epochs) == (2, 3)
    assert not model.features[0].weight.requires_grad


@pytest.mark.slow
@pytest.mark.parametrize("batches", [3, 9, 16])
def test_a_run_that_is_killed_and_resumed_ends_in_the_same_bits(
    at: Path, monkeypatch: pytest.MonkeyPatch, batches: int
) -> None:
    """The weights that it began with are not needed any more."""
    words = ["train", "--data", "three", *SMALL, "--init", "first", "--epochs", "4", "--freeze", "features.0", "--flip"]
    words += ["--unfreeze-every", "1", "--lr-layers", "0.5", "--output-stride", "1", "--labels-per-class", "7"]
    assert main([*words, "--out", "whole"]) == 0
    callbacks = Experiment.callbacks
    with monkeypatch.context() as patch:
        patch.setattr(Experiment, "callbacks", lambda self, model: [*callbacks(self, model), StopAt(batches)])
        with pytest.raises(ZeroDivisionError):
            main([*words, "--out", "cut", "--save-every", "0"])
    shutil.rmtree("first")
    assert main(["train", "--resume", "cut"]) == 0
    assert contents("cut") == contents("whole")


@pytest.mark.slow
def test_a_run_that_was_never_saved_begins_again_with_the_weights(
    at: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["train", "--data", "three", *SMALL, "--init", "first", "--epochs", "1"]
    assert main([*words, "--out", "whole"]) == 0
    callbacks = Experiment.callbacks
    with monkeypatch.context() as patch:
        patch.setattr(Experiment, "callbacks", lambda self, model: [*callbacks(self, model), StopAt(1)])
        with pytest.raises(ZeroDivisionError):
            main([*words, "--out", "cut"])
    Path("first").rename("moved")
    assert f"--init {at / 'first'}: neither" in refused(capsys, "train", "--resume", "cut")
    Path("moved").rename("first")
    assert main(["train", "--resume", "cut"]) == 0
    assert contents("cut") == contents("whole")


@pytest.mark.parametrize("kind", ["npz", "safetensors", "best"])
def test_a_file_of_weights_is_read_by_name(at: Path, capsys: pytest.CaptureFixture[str], kind: str) -> None:
    """As others write them, and as a run here does."""
    best = RunFolder("first").best()["model"]
    path = at / {"npz": "state.npz", "safetensors": "model.safetensors", "best": "first/best.npz"}[kind]
    if kind == "npz":
        np.savez(path, **best)
    elif kind == "safetensors":
        pytest.importorskip("safetensors.numpy").save_file(best, path)
    words = ["train", "--data", "three", *SMALL, "--epochs", "1", "--freeze", "features.0", "--out", "second"]
    assert main([*words, "--init", str(path), "--widths", "4", "6", "--dilations", "1", "2"]) == 0
    assert "classifier.1 is new, with 3 outputs in place of 2" in " ".join(capsys.readouterr().out.split())
    assert np.array_equal(RunFolder("second").best()["model"]["features.0.weight"], best["features.0.weight"])
    assert json.loads(Path("second/config.json").read_text())["settings"]["init"] == str(path)


@pytest.mark.slow
def test_a_network_for_large_images_takes_a_file_with_the_names_of_torchvision(
    at: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """ResNet-18, whose classifier is for 1,000 classes and whose last maps are made denser."""
    state = models.resnet18(rng=np.random.default_rng(1)).state_dict()
    np.savez(at / "resnet18.npz", **state)
    words = ["train", "--data", "three", "--model", "resnet18", "--init", "resnet18.npz", "--output-stride", "8"]
    words += ["--size", "32", "--freeze", "*1.*", "*2.*", "*3.*", "layer4.0.*", "layer4.1.conv?", "--epochs", "1"]
    assert main([*words, "--out", "second"]) == 0
    assert "fc is new, with 3 outputs in place of 1000" in " ".join(capsys.readouterr().out.split())
    best = RunFolder("second").best()["model"]
    assert np.array_equal(best["layer4.0.conv1.weight"], state["layer4.0.conv1.weight"])
    assert best["fc.weight"].shape == (3, 512)
    model = Experiment.of(RunFolder("second")).model()
    assert [block.conv2.dilation for stage in (model.layer3, model.layer4) for block in stage][-1] == (4, 4)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("--init first --model resnet_small", "--model resnet_small: the weights of --init "),
        ("--init first --widths 4 8", "features.4.weight has shape (6, 4, 3, 3) but the model needs (8, 4, 3, 3)"),
        (
            "--init first --output-stride 4",
            "makes 2 or less, not 4; its strides: 2 in 'features.3'; the model is unchanged",
        ),
        ("--init first --freeze stem", "freeze: no parameter is 'stem' or part of it; there are features.0.weight"),
        (
            "--init first --freeze features classifier",
            "--freeze features classifier leaves nothing of vgg_small to train",
        ),
        ("--init frist", "--init frist: neither weights that come with minidil, nor the folder of a run, nor a file"),
        ("--init three/c/0.png", "weights are read from .safetensors and .npz"),
        ("--init first/last.npz", "features.0.weight has shape (4, 3, 3, 3) but the model needs (64, 3, 3, 3)"),
        ("--init three", "is not the folder of a run: it has no config.json"),
        ("--init resnet_small:digits", "conv1.weight has shape (16, 1, 3, 3) but the model needs (16, 3, 3, 3)"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_written(
    at: Path, capsys: pytest.CaptureFixture[str], words: str, message: str
) -> None:
    line = refused(capsys, "train", "--data", "three", *SMALL, *words.split(), "--out", "second")
    assert message in line
    assert not Path("second").exists()


def test_settings_of_older_files_are_read_and_did_none_of_this() -> None:
    settings = Settings.of({}).to_json()
    older = {name: value for name, value in settings.items() if name not in ("init", "output_stride", "lr_layers")}
    assert Settings.from_json(json.loads(json.dumps(older))) == Settings.of({})
    shipped = Settings.from_json(models.pretrained_weights("vgg_small", "cifar10").settings)
    assert (shipped.init, shipped.lr_layers, shipped.unfreeze_every) == (None, 1.0, 0)
