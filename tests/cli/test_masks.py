"""Training, measuring and using networks that give a class to every pixel, on a few small images."""

import json
from pathlib import Path

import numpy as np
import pytest
from command_line import refused
from numpy.testing import assert_array_equal
from PIL import Image
from tiny_runs import StopAt
from tiny_sets import tiny_nuclei

import minidil as md
import minidil.functional as F
from minidil import data, nn
from minidil.cli import main
from minidil.cli.experiment import Experiment
from minidil.cli.settings import Settings
from minidil.data import registry, transforms
from minidil.tasks.segmentation import Matches, Overlap, components, otsu_mask, overlaid
from minidil.tasks.segmentation.metric import mean
from minidil.train import RunFolder

pytestmark = pytest.mark.usefixtures("quick_pictures")
TINY = ["--model", "unet", "--widths", "3", "4", "--dilations", "1,2", "--backend", "numpy", "--batch-size", "4"]
TINY += ["--tile", "8", "--lr", "0.02"]
NUCLEI = ["train", "--data", "nuclei", *TINY, "--epochs", "2", "--validation", "0.3"]
FILES = ("last.npz", "best.npz", "metrics.csv")


@pytest.fixture(autouse=True)
def _tiny_nuclei(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Twelve nuclei to learn from and seven to test on, whose first has none; runs go into a folder of the test."""
    source, _ = tiny_nuclei(tmp_path, 12, 7, 12)
    monkeypatch.setattr(registry, "NUCLEI", source)
    monkeypatch.setitem(registry.SOURCES, "nuclei", source)
    monkeypatch.setenv("MINIDIL_DATA", str(tmp_path))
    monkeypatch.chdir(tmp_path)


def contents(folder: str) -> dict[str, bytes]:
    return {name: (Path(folder) / name).read_bytes() for name in FILES}


def answers(run: str, images: np.ndarray) -> np.ndarray:
    """The masks that the best weights of a run give, worked out without the command line."""
    folder = RunFolder(run)
    model = Experiment.of(folder).trained(folder)
    with md.use("numpy"), md.no_grad():
        x = transforms.Standardize(dark_ground=True)(images.astype(np.float32) / 255, np.random.default_rng(0))
        return np.asarray(model(md.tensor(x)).numpy().argmax(axis=1))


def test_the_defaults_are_those_for_masks_whichever_network_and_set(tmp_path: Path) -> None:
    nuclei, own = Settings.of({"data": "nuclei"}), Settings.of({"data": str(tmp_path), "model": "context"})
    assert (nuclei.model, own.model) == ("unet", "context")
    for settings in (nuclei, own):
        assert (settings.normalize, settings.tile, settings.turn, settings.label_smoothing) == ("image", 64, True, 0)


def test_a_run_is_trained_measured_and_asked(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*NUCLEI, "--out", "run"]) == 0
    out = capsys.readouterr().out
    assert "nuclei: 8 images to learn from, 4 to validate on" in out
    assert "validation iou 0." in out
    last = out.splitlines()[-1]
    assert last.startswith("test loss ")
    assert "test iou 0." in last
    header = Path("run/metrics.csv").read_text().splitlines()[0]
    assert header == "epoch,train_loss,train_iou,train_dice,val_loss,val_iou,val_dice,lr"
    fit = json.loads(Path("run/config.json").read_text())["fit"]
    assert (fit["loss"], fit["metrics"], fit["best"]) == ("cross_entropy_and_dice", ["iou", "dice"], "max iou")

    assert main(["eval", "run", "--backend", "numpy", "--json", "eval.json"]) == 0
    out, told = capsys.readouterr().out, json.loads(Path("eval.json").read_text())
    test = data.nuclei("test")
    found = Overlap.of(answers("run", test.images), test.masks, 2)
    otsu = Overlap.of(np.stack([otsu_mask(image) for image in test.images]), test.masks, 2)
    for key, value in (
        ("mean IoU", mean(found.iou())),
        ("Dice", mean(found.dice())),
        ("pooled IoU", found.pooled_iou()[0]),
        ("Otsu's mean IoU", mean(otsu.iou())),
        ("AP50", Matches.of_masks(answers("run", test.images), test.instances).ap50()),
        ("Otsu's AP50", 1),  # each square, in an image of its own
    ):
        assert told[key] == pytest.approx(value)
    assert [(each["kind"], each["images"]) for each in told["kinds"]] == [
        ("fluorescence", 3),
        ("bright field", 2),
        ("stained tissue", 2),
    ]
    assert told["kinds"][1]["mean IoU"] == pytest.approx(mean(found[test.strata == 1].iou()))
    assert f"test loss {told['loss']:.4f} on 7 images; the mean of fluorescence and bright field and" in out.replace(
        "\n", " "
    )

    image = test.images[1]
    Image.fromarray(image.transpose(1, 2, 0)[:, :9]).save("cells.png")  # of another size
    assert main(["predict", "run", "cells.png", "--backend", "numpy", "--json", "predict.json"]) == 0
    mask = answers("run", image[None, :, :, :9])[0]
    (told,) = json.loads(Path("predict.json").read_text())["images"]
    assert told["overlay"] == "cells-overlay.png"
    assert told["classes"] == [
        {"class": "nucleus", "share": pytest.approx(mask.mean()), "parts": int(components(mask).max())}
    ]
    assert_array_equal(np.asarray(Image.open("cells-overlay.png")), overlaid(image[:, :, :9], mask).transpose(1, 2, 0))
    assert "drawn: cells-overlay.png" in capsys.readouterr().out


class Silent(nn.Module):
    """Says background everywhere."""

    def forward(self, x: md.Tensor) -> md.Tensor:
        none = x[:, :1] * 0
        return F.concatenate([none + 1, none], axis=1)


def test_what_is_neither_there_nor_said_is_left_out_and_told(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert main([*NUCLEI, "--epochs", "1", "--out", "run"]) == 0
    test = data.nuclei("test")
    dark = data.MaskedDataset("nuclei", test.images * 0, test.masks * 0, test.classes)
    monkeypatch.setattr("minidil.cli.evaluate.testing_set", lambda settings: dark)
    monkeypatch.setattr("minidil.cli.evaluate.trained", lambda name, tta: (Experiment.of(RunFolder(name)), Silent()))
    capsys.readouterr()
    assert main(["eval", "run", "--backend", "numpy", "--json", "eval.json"]) == 0
    out, told = capsys.readouterr().out, json.loads(Path("eval.json").read_text())
    assert told["undefined"] == 7
    assert told["mean IoU"] is None
    assert "7 left out, where a class is neither in the image nor in the answer" in out.replace("\n", " ")


@pytest.mark.slow
def test_a_run_that_is_killed_and_resumed_ends_in_the_same_bits(monkeypatch: pytest.MonkeyPatch) -> None:
    assert main([*NUCLEI, "--epochs", "3", "--out", "whole"]) == 0
    for batches, begin in ((1, [*NUCLEI, "--epochs", "3", "--out", "cut"]), (5, ["train", "--resume", "cut"])):
        stop = StopAt(batches)
        with monkeypatch.context() as patch:
            patch.setattr(Experiment, "callbacks", lambda self, model, stop=stop: [stop])
            with pytest.raises(ZeroDivisionError):
                main([*begin, "--save-every", "0"])
    assert main(["train", "--resume", "cut"]) == 0
    assert contents("cut") == contents("whole")


def paint(folder: Path, count: int) -> None:
    """Pictures of a bright square and their masks, black and white; every second picture is grey."""
    rng = np.random.default_rng(0)
    for part in ("images", "masks"):
        (folder / part).mkdir(parents=True)
    for number in range(count):
        mask = np.zeros((14, 12), np.uint8)
        top, left = rng.integers(0, 7, 2)
        mask[top : top + 5, left : left + 5] = 255
        pixels = (rng.integers(0, 60, (14, 12, 3)) + (mask[:, :, None] > 0) * 150).astype(np.uint8)
        Image.fromarray(pixels if number % 2 else pixels[:, :, 0]).save(folder / "images" / f"{number}.png")
        Image.fromarray(mask).save(folder / "masks" / f"{number}.png")


def test_a_folder_of_images_and_masks(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    paint(tmp_path / "cells", 10)
    words = [*TINY, "--size", "12", "--epochs", "1"]
    assert main(["train", "--data", "cells", *words, "--model", "context", "--widths", "3", "--out", "run"]) == 0
    assert "cells: 7 images to learn from, 1 to validate on" in capsys.readouterr().out
    assert json.loads(Path("run/config.json").read_text())["classes"] == ["background", "class 1"]
    assert main(["eval", "run", "--backend", "numpy"]) == 0
    assert "on 2 images" in capsys.readouterr().out
    paint(tmp_path / "parts" / "train", 6)
    paint(tmp_path / "parts" / "test", 3)
    words = [*TINY, "--size", "12", "--epochs", "1", "--validation", "0", "--model", "aspp"]
    assert main(["train", "--data", "parts", *words, "--out", "two"]) == 0
    assert "parts: 6 images to learn from, none to validate on" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            "--data nuclei --model vgg_small",
            "vgg_small gives a class for every image, and nuclei has a class for every pixel and boxes around objects; choose "
            "from aspp, context, faster_rcnn, unet",
        ),
        (
            "--data digits --model unet",
            "unet gives a class for every pixel, and digits has a class for every image; choose from efficientnet",
        ),
        (
            "--data cells",
            "cells: holds images and masks, a class for every pixel, and --model vgg_small gives one for every image",
        ),
        ("--data nuclei --tta 1", "--tta is for a class for every image"),
        ("--data nuclei --labels-per-class 3", "--labels-per-class is for a class for every image"),
        ("--data digits --loss dice", "--loss dice: vgg_small, which gives a class for every image, has cross-entropy"),
        ("--data nuclei --tile 13", "--tile 13: the images have 12x12 pixels"),
        ("--data nuclei --model context --widths 3 4", "--widths: context has one for all of its layers, such as 16"),
        ("--data nuclei --tile 8 --dilations 1 2", "--dilations: unet dilates one stage, as in 1,2,4"),
        ("--data broken --model unet --size 12", "masks/3.png is 9x9 but"),
        (
            "--data gap --model unet --size 12",
            "gap/masks/2.png holds the number 7, but no mask holds 2: is it a class?",
        ),
        ("--data empty --model unet --size 12", "empty/images holds no image"),
        ("--data untested --model unet --size 12", "untested/test/masks/0.png holds the number 255, but the 2 classes"),
        ("--data nowhere --model unet", "neither a known set"),
        (
            "--data black --model unet --size 12",
            "black: of 4 images to learn from, none has a pixel that is no background",
        ),
        ("--data half --model unet --size 12", "half: holds test/ alone of train/ and test/"),
    ],
)
def test_refused_before_anything_is_written(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, words: str, message: str
) -> None:
    paint(tmp_path / "cells", 5)
    paint(tmp_path / "broken", 5)
    Image.fromarray(np.zeros((9, 9), np.uint8)).save(tmp_path / "broken" / "masks" / "3.png")
    for name in ("gap", "untested/train", "untested/test"):
        paint(tmp_path / name, 4)
    for name in ("gap", "untested/test"):
        for file, value in (("1.png", 1), ("2.png", 7)):
            Image.fromarray(np.full((14, 12), value, np.uint8)).save(tmp_path / name / "masks" / file)
    paint(tmp_path / "half" / "test", 4)
    paint(tmp_path / "black", 5)
    for mask in (tmp_path / "black" / "masks").iterdir():
        Image.fromarray(np.zeros((14, 12), np.uint8)).save(mask)
    (tmp_path / "empty" / "images").mkdir(parents=True)
    (tmp_path / "empty" / "masks").mkdir()
    assert message in refused(capsys, "train", *words.split(), "--backend", "numpy", "--out", "run")
    assert not Path("run").exists()


def test_refused_of_a_trained_network(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*NUCLEI, "--out", "run"]) == 0
    assert "--tta 1: unet gives a class for every pixel, of which views have no mean" in refused(
        capsys, "eval", "run", "--tta", "1"
    )
    assert "--out nowhere: there is no such folder" in refused(capsys, "predict", "run", "x.png", "--out", "nowhere")
    assert "of which nothing is drawn" in refused(capsys, "predict", "resnet_small", "x.png", "--out", ".")
