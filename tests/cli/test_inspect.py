"""`minidil inspect`: what it tells of runs, files and weights, whole and damaged."""

import json
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from command_line import TINY, refused

from minidil import checkpoint, models
from minidil.cli import main
from minidil.cli.settings import Settings
from minidil.train import RunFolder

FILES = ("config.json", "last.npz", "best.npz", "metrics.csv")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "run"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(RunFolder, "draw", lambda folder, history: None)
        assert main(["train", *TINY, "--batch-size", "300", "--epochs", "1", "--out", str(folder)]) == 0
    return folder


@pytest.fixture
def run(made: Path, tmp_path: Path) -> Path:
    folder = tmp_path / "run"
    folder.mkdir()
    for name in FILES:
        (folder / name).write_bytes((made / name).read_bytes())
    return folder


def document(capsys: pytest.CaptureFixture[str], what: object) -> Any:
    assert main(["inspect", str(what), "--json", "-"]) == 0
    return json.loads(capsys.readouterr().out)


def test_a_run_is_told_by_settings_layers_arrays_and_figures(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = {path.name: path.read_bytes() for path in run.iterdir()}
    assert main(["inspect", str(run)]) == 0
    top, settings, layers, arrays, seen, note = capsys.readouterr().out.split("\n\n")
    first, second = top.splitlines()
    assert first == f"{run}: 1 of 1 epochs are done; last.npz is sealed and whole"
    assert second.startswith("best.npz is sealed and whole: epoch 1, train_loss 2.50608, ")
    assert len(settings.splitlines()) == len(fields(Settings))
    assert "--weight-decay      0.0005" in settings.splitlines()
    assert "features.0    Conv2d         (1, 4, 8, 8)          36          2,304                5" in layers
    assert arrays.splitlines()[0].split() == ["array", "shape", "type", "norm"]
    assert "classifier.1.weight             (10, 4)       float32" in arrays
    assert seen.splitlines()[1].split() == [
        "features.0",
        "Conv2d",
        "(1,",
        "4,",
        "8,",
        "8)",
        "5",
        "1",
        "-2",
        "9",
        "64.0",
        "%",
    ]
    assert note.startswith(
        "vgg_small: output 4,4 of layer features.0 sees a field of 5 x 5; 9 of 25 positions of the input"
    )
    assert {path.name: path.read_bytes() for path in run.iterdir()} == before


def test_a_run_as_a_document(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    content, best = document(capsys, run), RunFolder(run).best()
    assert (content["epoch"], content["epochs"], content["batch"], content["batches"]) == (1, 1, 0, 5)
    assert content["best"] == best["row"]
    assert content["settings"] == json.loads((run / "config.json").read_text())["settings"]
    assert [each["name"] for each in content["arrays"]] == list(best["model"])
    weight = best["model"]["features.0.weight"]
    assert content["arrays"][0]["shape"] == [4, 1, 3, 3]
    assert content["arrays"][0]["norm"] == pytest.approx(np.sqrt(np.sum(weight.astype(float) ** 2)))
    assert content["layers"][0] | {"kind": "Conv2d", "field": "5", "multiply_adds": 2304} == content["layers"][0]
    assert (content["parameters"], content["faults"]) == (94, [])


def test_a_file_is_told_leaf_by_leaf(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "any.npz"
    checkpoint.save(
        path, {"a": [np.array([3.0, 4.0]), {}], "b": {"c": None, "d": np.array(1j)}, "e": np.zeros((0, 2), int)}
    )
    content = document(capsys, path)
    assert content == {
        "inspected": str(path),
        "bytes": path.stat().st_size,
        "arrays": [
            {"name": "a/0", "shape": [2], "dtype": "float64", "norm": 5.0},
            {"name": "b/d", "shape": [], "dtype": "complex128", "norm": 1.0},
            {"name": "e", "shape": [0, 2], "dtype": "int64", "norm": 0.0},
        ],
        "values": {"a/1": {}, "b/c": None},
    }
    assert main(["inspect", str(path)]) == 0
    assert f"{path}: sealed and whole, {path.stat().st_size:,} bytes, 3 arrays, 2 values" in capsys.readouterr().out


def test_weights_are_told_by_name(capsys: pytest.CaptureFixture[str]) -> None:
    weights = models.pretrained_weights("resnet_small", "digits")
    content = document(capsys, "resnet_small")
    assert (content["epoch"], content["test_accuracy"]) == (weights.epoch, weights.test_accuracy)
    assert {each["name"]: tuple(each["shape"]) for each in content["arrays"]} == {
        name: value.shape for name, value in weights.state.items()
    }
    assert content["classes"] == list("0123456789")


def test_what_is_missing_or_damaged_is_said_after_the_rest(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    best, last = (run / "best.npz").read_bytes(), (run / "last.npz").read_bytes()
    (run / "best.npz").write_bytes(best[:-1])
    assert main(["inspect", str(run)]) == 2
    out, err = capsys.readouterr()
    assert "features.0    Conv2d" in out
    assert "features.0.weight" in out  # as last.npz has it
    assert err.startswith(f"minidil: checkpoint.load: {run / 'best.npz'} ({len(best) - 1:,} bytes) does not end as")
    (run / "last.npz").write_bytes(b"")
    assert refused(capsys, "inspect", str(run)).count("does not end as a minidil checkpoint does") == 2
    checkpoint.save(run / "last.npz", {"epoch": 1})
    assert "last.npz is a checkpoint, but not the state of a run" in refused(capsys, "inspect", str(run))
    (run / "last.npz").write_bytes(last)
    (run / "best.npz").unlink()
    assert "best.npz is missing; resume the run" in refused(capsys, "inspect", str(run))
    for name in ("last.npz", "metrics.csv"):
        (run / name).unlink()
    assert main(["inspect", str(run)]) == 0
    assert f"{run}: stopped before anything was saved" in capsys.readouterr().out


def test_settings_that_were_changed_are_said(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = (run / "config.json").read_text()
    (run / "config.json").write_text(text.replace('"lr": 0.05', '"lr": 0.5'))
    assert "settings.lr is 0.5, and was 0.05 when last.npz was made" in refused(capsys, "inspect", str(run))


def test_what_is_none_of_these_is_refused(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "did you mean 'resnet_small:digits'?" in refused(capsys, "inspect", "resnet_smal")
    assert f"{tmp_path} is not the folder of a run: it has no config.json" in refused(capsys, "inspect", str(tmp_path))
    elsewhere = tmp_path / "elsewhere"
    assert f"there is no {elsewhere}, which should be the folder of a run" in refused(capsys, "inspect", str(elsewhere))
    assert "something else wrote it" in refused(capsys, "inspect", str(run / "config.json"))
    np.savez(tmp_path / "plain.npz", a=np.ones(3))
    assert "something else wrote it" in refused(capsys, "inspect", str(tmp_path / "plain.npz"))
