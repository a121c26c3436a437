"""`minidil predict` with weights that were converted from a package, and `minidil inspect` of the networks by name."""

import json
from pathlib import Path

import numpy as np
import pytest
from command_line import refused
from PIL import Image

import minidil as md
from minidil import checkpoint, models
from minidil.cli import main


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    pixels = np.random.default_rng(0).integers(0, 256, (224, 224, 3), np.uint8)
    Image.fromarray(pixels).save(tmp_path / "picture.png")
    return tmp_path / "picture.png"


@pytest.mark.slow
def test_predict_names_classes_by_number(picture: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = models.efficientnet_lite0(rng=np.random.default_rng(0))
    model.fc.bias.data = model.fc.bias.data + np.eye(1000, dtype=np.float32)[17] * 50
    checkpoint.save(tmp_path / "lite.npz", {"card": {"model": "efficientnet_lite0"}, "state": model.state_dict()})
    assert (
        main(["predict", str(tmp_path / "lite.npz"), str(picture), "--top", "1", "--json", str(tmp_path / "a.json")])
        == 0
    )
    assert "class 17 " in capsys.readouterr().out
    pixels = np.asarray(Image.open(picture)).transpose(2, 0, 1)[None]
    with md.no_grad():
        logits = model.eval()(md.tensor(models.PIXELS["efficientnet_lite0"].prepare(pixels)))
        expected = md.functional.softmax(logits).numpy()[0, 17]
    found = json.loads((tmp_path / "a.json").read_text())["images"][0]["classes"][0]
    assert found["class"] == "class 17"
    assert found["probability"] == pytest.approx(float(expected), rel=1e-4)


def test_predict_refuses_other_files(picture: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "w.npz"
    checkpoint.save(path, {"model": {}})
    assert "w.npz has no card that tells its network" in refused(capsys, "predict", str(path), str(picture))
    checkpoint.save(path, {"card": {"model": "hed"}, "state": {}})
    assert "holds the weights of hed, which is no classifier" in refused(capsys, "predict", str(path), str(picture))
    checkpoint.save(path, {"card": {"model": "resnet18"}, "state": {"fc.bias": np.zeros(3, np.float32)}})
    assert "fc.bias has shape (3,) but the model needs (1000,)" in refused(capsys, "predict", str(path), str(picture))


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", ["efficientnet_lite0", *(pytest.param(name, marks=pytest.mark.long) for name in ("hed", "vgg16"))]
)
def test_inspect_of_a_network_by_name(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["inspect", name]) == 0
    out = capsys.readouterr().out
    assert f"{name}: a network without weights" in out
    assert {"efficientnet_lite0": "4,652,008", "hed": "14,716,171", "vgg16": "138,357,544"}[name] in out
