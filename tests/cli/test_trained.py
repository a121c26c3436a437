"""Networks by name, JSON documents, and image files of which some are bad."""

import json
from pathlib import Path

import numpy as np
import pytest
from command_line import refused
from PIL import Image

from minidil import data, models
from minidil.cli import main


@pytest.fixture
def digit(tmp_path: Path) -> str:
    """An image file of the first digit of the test set."""
    path = str(tmp_path / "digit.png")
    Image.fromarray(data.digits("test").images[0, 0]).save(path)
    return path


@pytest.mark.parametrize("name", ["resnet_small", "resnet_small:digits"])
def test_eval_measures_the_weights_that_come_with_minidil(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = tmp_path / "found.json"
    assert main(["eval", name, "--backend", "numpy", "--json", str(found)]) == 0
    out = capsys.readouterr().out
    content = json.loads(found.read_text())
    accuracy = models.pretrained_weights("resnet_small", "digits").test_accuracy
    assert content["accuracy"] == pytest.approx(accuracy)
    assert f"test accuracy {accuracy:.2%} on 360 images" in out
    assert (content["trained"], content["data"], content["images"]) == (name, "digits", 360)
    assert sum(each["right"] for each in content["classes"]) == round(accuracy * 360)
    assert [each["class"] for each in content["classes"]] == list("0123456789")


def test_a_document_on_standard_output_is_alone_there(digit: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["predict", "resnet_small", digit, "--top", "2", "--backend", "numpy", "--json", "-"]) == 0
    printed = capsys.readouterr()
    ((image),) = json.loads(printed.out)["images"]
    assert (image["image"], image["changes"]) == (digit, [])
    assert image["classes"][0]["class"] == str(data.digits("test").labels[0])
    assert len(image["classes"]) == 2
    assert image["classes"][0]["probability"] > 0.9
    assert printed.err.startswith(f"{digit}: ")


def test_predict_goes_on_after_a_bad_image(digit: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text, none, found = tmp_path / "text.png", tmp_path / "none.png", tmp_path / "found.json"
    text.write_text("no picture")
    words = ["predict", "resnet_small", str(text), digit, str(none), digit, "--backend", "numpy", "--json", str(found)]
    assert main(words) == 2
    printed = capsys.readouterr()
    assert [line.partition(": ")[0] for line in printed.out.splitlines()] == [digit, digit]
    first, second = printed.err.splitlines()
    assert first.startswith(f"minidil: {text} cannot be read as an image")
    assert second == f"minidil: {none}: No such file or directory"
    images = json.loads(found.read_text())["images"]
    assert ["error" in image for image in images] == [True, False, True, False]
    assert images[2] == {"image": str(none), "error": f"{none}: No such file or directory"}


def test_a_name_that_is_nearly_one_of_weights(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "did you mean 'vgg_small:cifar10'?" in refused(capsys, "eval", "vgg_smal")
    assert "did you mean 'resnet_small:digits'?" in refused(capsys, "eval", "resnet_small:cifar10")
    assert "elsewhere, which should be the folder of a run" in refused(capsys, "eval", str(tmp_path / "elsewhere"))


def test_a_folder_comes_before_weights_of_its_name(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("vgg_small").mkdir()
    assert "vgg_small is not the folder of a run" in refused(capsys, "eval", "vgg_small")


def test_data_lists_and_checks_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["data", "list", "--json", "-"]) == 0
    sets = json.loads(capsys.readouterr().out)["sets"]
    assert [each["name"] for each in sets] == list(data.NAMES)
    assert sets[0] | {"name": "digits", "present": True, "bytes": 0, "licence": "CC BY 4.0"} == sets[0]
    assert main(["data", "list"]) == 0
    assert "8 MB by hand" in capsys.readouterr().out
    assert main(["data", "check", "digits", "--json", "-"]) == 0
    (file,) = json.loads(capsys.readouterr().out)["files"]
    assert (file["set"], file["name"], file["state"]) == ("digits", "digits.npz", "ok")


def test_what_cannot_be_written_is_refused_before_the_work(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    line = refused(capsys, "eval", "nothing", "--json", str(tmp_path / "none" / "found.json"))
    assert f"there is no folder {tmp_path / 'none'}" in line
    assert "is a folder, and a file is to be written" in refused(capsys, "eval", "nothing", "--json", str(tmp_path))
    line = refused(capsys, "plot", "nothing", "--out", "curves.gif")
    assert line == "minidil: --out curves.gif: a picture is a file that ends in .png, .svg, .pdf\n"


def test_probabilities_of_a_weights_file_are_those_of_its_model(digit: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["predict", "resnet_small", digit, "--top", "10", "--backend", "numpy", "--json", "-"]) == 0
    (image,) = json.loads(capsys.readouterr().out)["images"]
    shares = [each["probability"] for each in image["classes"]]
    assert np.sum(shares) == pytest.approx(1, abs=1e-6)
    assert shares == sorted(shares, reverse=True)
