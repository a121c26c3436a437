"""Training, measuring and using networks that find objects, on a few small images."""

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
from minidil import data
from minidil.cli import main
from minidil.cli.experiment import Experiment
from minidil.data import registry, transforms
from minidil.detect import average_precision, boxes_drawn, components_found
from minidil.tasks.segmentation import otsu_mask
from minidil.train import RunFolder

pytestmark = pytest.mark.usefixtures("quick_pictures")
TINY = ["--model", "faster_rcnn", "--widths", "3", "4", "4", "--dilations", "2", "--backend", "numpy"]
NUCLEI = ["train", "--data", "nuclei", *TINY, "--epochs", "2", "--validation", "0.3"]
FILES = ("last.npz", "best.npz", "metrics.csv")


@pytest.fixture(autouse=True)
def _tiny_nuclei(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Twelve nuclei to learn from and four to test on; runs go into a folder of the test."""
    source, _ = tiny_nuclei(tmp_path, 12, 4, 16)
    monkeypatch.setattr(registry, "NUCLEI", source)
    monkeypatch.setitem(registry.SOURCES, "nuclei", source)
    monkeypatch.setenv("MINIDIL_DATA", str(tmp_path))
    monkeypatch.chdir(tmp_path)


@pytest.mark.slow
def test_a_run_is_trained_measured_and_asked(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*NUCLEI, "--out", "run"]) == 0
    out = capsys.readouterr().out
    assert "nuclei: 8 images to learn from, 4 to validate on" in out
    assert "validation f1 0." in out
    header, *rows = Path("run/metrics.csv").read_text().splitlines()
    assert header == "epoch,train_loss,train_f1,val_loss,val_f1,lr"
    assert [row.split(",")[2] for row in rows] == ["nan", "nan"]  # not measured while it learns
    fit = json.loads(Path("run/config.json").read_text())["fit"]
    assert (fit["loss"], fit["metrics"], fit["best"]) == ("loss", ["f1"], "max f1")

    assert main(["eval", "run", "--backend", "numpy", "--json", "eval.json"]) == 0
    told = json.loads(Path("eval.json").read_text())
    test = data.boxed(data.nuclei("test"))
    folder = RunFolder("run")
    model = Experiment.of(folder).trained(folder)
    with md.use("numpy"):
        x = transforms.Standardize(dark_ground=True)(test.images.astype(np.float32) / 255, np.random.default_rng(0))
        found = model.detect(x)
        (drawn,) = model.detect(x[1:2], score=0.5)
    ours = average_precision(found, test.labels)
    otsu = average_precision([components_found(otsu_mask(image)) for image in test.images], test.labels)
    assert list(told["found by"])[:3] == ["faster_rcnn", "its proposals alone", "parts of Otsu's mask"]
    for name, wanted in (("faster_rcnn", ours), ("parts of Otsu's mask", otsu)):
        figures = {"AP": wanted.ap, "AP50": wanted.at(0.5), "AP75": wanted.at(0.75), "AR": wanted.ar}
        assert told["found by"][name] == pytest.approx(figures)
    assert f"test loss {told['loss']:.4f}" in capsys.readouterr().out

    Image.fromarray(test.images[1].transpose(1, 2, 0)).save("cells.png")
    assert main(["predict", "run", "cells.png", "--backend", "numpy", "--json", "predict.json"]) == 0
    (told,) = json.loads(Path("predict.json").read_text())["images"]
    assert [box["score"] for box in told["boxes"]] == pytest.approx(drawn.scores.tolist())
    assert told["picture"] == "cells-boxes.png"
    picture = boxes_drawn(test.images[1], drawn.boxes, drawn.labels)
    assert_array_equal(np.asarray(Image.open("cells-boxes.png")), picture.transpose(1, 2, 0))
    assert "drawn: cells-boxes.png" in capsys.readouterr().out
    assert "export is for networks of images" in refused(capsys, "export", "run", "--onnx", "x.onnx")
    assert "--tta 1: faster_rcnn gives boxes around objects, of which" in refused(capsys, "eval", "run", "--tta", "1")


@pytest.mark.slow
def test_branches_side_by_side_are_trained_and_measured(capsys: pytest.CaptureFixture[str]) -> None:
    words = [*TINY, "--dilations", "2", "1,2,3", "--epochs", "1", "--validation", "0.3"]
    assert main(["train", "--data", "nuclei", *words, "--out", "run"]) == 0
    model = Experiment.of(RunFolder("run")).trained(RunFolder("run"))
    assert (model.branches, model.backbone[-1].dilations) == (3, (1, 2, 3))
    assert "test loss" in capsys.readouterr().out


@pytest.mark.slow
def test_a_run_that_is_killed_and_resumed_ends_in_the_same_bits(monkeypatch: pytest.MonkeyPatch) -> None:
    """In the middle of an epoch, too: which anchors and proposals are drawn is part of the checkpoint."""
    assert main([*NUCLEI, "--out", "whole"]) == 0
    stop = StopAt(1)
    with monkeypatch.context() as patch:
        patch.setattr(Experiment, "callbacks", lambda self, model: [stop])
        with pytest.raises(ZeroDivisionError):
            main([*NUCLEI, "--out", "cut", "--save-every", "0"])
    assert main(["train", "--resume", "cut"]) == 0
    for name in FILES:
        assert Path("cut", name).read_bytes() == Path("whole", name).read_bytes()


def own(folder: Path, **changes: object) -> None:
    """Four pictures with a bright square each, and annotations.json."""
    (folder / "images").mkdir(parents=True)
    annotations = []
    for number in range(5):
        pixels = np.zeros((16, 16, 3), np.uint8)
        pixels[4:10, number : number + 6] = 200
        Image.fromarray(pixels).save(folder / "images" / f"{number}.png")
        annotations.append({"image_id": number, "category_id": 1, "bbox": [number, 4, 6, 6]})
    annotations[3] |= changes
    content = {
        "images": [{"id": number, "file_name": f"{number}.png"} for number in range(5)],
        "annotations": annotations,
        "categories": [{"id": 1, "name": "square"}],
    }
    (folder / "annotations.json").write_text(json.dumps(content))


def test_a_folder_of_ones_own(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    own(tmp_path / "squares")
    assert main(["train", "--data", "squares", *TINY, "--validation", "0", "--dry-run"]) == 0
    assert "squares: 4 images to learn from, none to validate on" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("--data wrong --model faster_rcnn", r"annotations[3]: the box in image 3 is (3, 4, 9, 1), which has no area"),
        (
            "--data squares",
            "holds annotations.json, boxes around objects, and --model vgg_small gives a class for every",
        ),
        (
            "--data digits --model faster_rcnn",
            "faster_rcnn gives boxes around objects, and digits has a class for every",
        ),
        (
            "--data nuclei --model faster_rcnn --crop-fill reflect",
            "--crop-fill is for a class for every image or a class",
        ),
        (
            "--data nuclei --model faster_rcnn --dilations 1 2 3",
            "--dilations: faster_rcnn has blocks one after another, as in 2,4, and perhaps branches side by side",
        ),
        ("--data crowds --model faster_rcnn", "crowds: of 4 images to learn from, none has a box that counts"),
        ("--data half --model faster_rcnn", "half: holds train/ alone of train/ and test/"),
        ("--data nuclei --model faster_rcnn --widths 4", "faster_rcnn: there are three convolutions, and widths has 1"),
    ],
)
def test_refused_before_anything_is_written(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, words: str, message: str
) -> None:
    own(tmp_path / "squares")
    own(tmp_path / "wrong", bbox=[3, 4, 6, -3])
    own(tmp_path / "half" / "train")
    own(tmp_path / "crowds", iscrowd=1)
    document = json.loads((tmp_path / "crowds" / "annotations.json").read_text())
    document["annotations"] = document["annotations"][3:4]
    (tmp_path / "crowds" / "annotations.json").write_text(json.dumps(document))
    assert message in refused(capsys, "train", *words.split(), "--backend", "numpy", "--out", "run")
    assert not Path("run").exists()
