"""`minidil deploy`: the plan of a network, in words and as JSON."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from command_line import refused

import minidil as md
from minidil import deploy, models
from minidil.cli import main

pytest.importorskip("numba")


def test_the_plan_of_weights_that_come_with_minidil(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["deploy", "vgg_small", "--plan"]) == 0
    first, *steps, last = capsys.readouterr().out.splitlines()
    assert first.startswith("plan of VGG for (3, 32, 32), float32: 9 steps for 23 calls; ")
    assert steps[1].split()[:8] == ["2", "winograd", "conv", "+", "batch_norm", "+", "relu", "+"]
    words, _, off = last.rpartition(": ")
    assert words == "largest difference from the network on 8 random images"
    assert float(off) < 1e-4  # of logits up to about 20


def test_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["deploy", "vgg_small", "--plan", "--json", "-"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["input_shape"] == [3, 32, 32]
    assert found["not_fused"] == []
    assert found["numbers"] < found["numbers_without_reuse"]
    assert found["steps"][0] == {
        "way": "direct",
        "calls": ["conv", "batch_norm", "relu"],
        "layers": ["features.0", "features.1", "features.2"],
        "shape": [64, 32, 32],
    }


@pytest.mark.slow
def test_in_whole_numbers(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file, told = tmp_path / "digits.npz", tmp_path / "a.json"
    words = ["--int8", str(file), "--calibrate", "64", "--json", str(told)]
    assert main(["deploy", "resnet_small:digits", *words]) == 0
    head, float32, int8, agree, written = capsys.readouterr().out.splitlines()
    assert head.split("  ")[0] == "plan"
    assert (float32.split()[0], int8.split()[0]) == ("float32", "int8")
    assert agree.endswith("of 360 test images get the same class; timed 32 at a time")
    assert written == f"{file}: written, {file.stat().st_size:,} bytes"
    found = json.loads(told.read_text())["int8"]
    assert found["images"] == 360
    assert abs(found["int8"]["accuracy"] - found["float32"]["accuracy"]) <= 0.01
    assert found["int8"]["bytes"] < 0.26 * found["float32"]["bytes"]
    assert found["same_class"] >= 0.98
    plan = deploy.load_quantized(file)
    weights, images = models.pretrained_weights("resnet_small", "digits"), md.data.load("digits", "test")
    right = plan(weights.prepare(images.images)).argmax(axis=1) == images.labels
    assert right.mean() == found["int8"]["accuracy"]


def test_what_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    name = "resnet_small:digits"
    assert "say what to make of the network, as in --plan or --int8" in refused(capsys, "deploy", name)
    assert "--calibrate is for --int8" in refused(capsys, "deploy", name, "--plan", "--calibrate", "9")
    assert "--calibrate must be >= 1, got 0" in refused(capsys, "deploy", name, "--int8", "--calibrate", "0")
    too_many = refused(capsys, "deploy", name, "--int8", "--calibrate", "99999")
    assert "--calibrate 99999: there are " in too_many
    assert "--int8: the name of the file ends in .npz" in refused(capsys, "deploy", name, "--int8", "a.onnx")
    assert "there is no folder" in refused(capsys, "deploy", name, "--int8", str(tmp_path / "none" / "a.npz"))
    (tmp_path / "a.npz").write_bytes(b"mine")
    assert "is there already" in refused(capsys, "deploy", name, "--int8", str(tmp_path / "a.npz"))
