"""`minidil export`: a trained network as ONNX and as safetensors."""

import json
from pathlib import Path

import numpy as np
import onnx
import pytest
from command_line import refused
from onnx_runtimes import reference
from safetensors import safe_open

import minidil as md
from minidil import deploy, models
from minidil.cli import main


def test_weights_that_come_with_minidil(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = {kind: tmp_path / f"digits.{kind}" for kind in ("onnx", "safetensors")}
    words = [word for kind, path in files.items() for word in (f"--{kind}", str(path))]
    assert main(["export", "resnet_small:digits", *words, "--json", str(tmp_path / "a.json")]) == 0
    out = " ".join(capsys.readouterr().out.split())
    assert "resnet_small as ONNX, opset 20, x (batch, 1, 8, 8) -> y," in out
    told = json.loads((tmp_path / "a.json").read_text())
    assert (told["exported"], told["shape"], told["onnx"]["opset"]) == ("resnet_small:digits", [1, 8, 8], 20)
    assert {kind: told[kind]["bytes"] for kind in files} == {kind: path.stat().st_size for kind, path in files.items()}

    weights = models.pretrained_weights("resnet_small", "digits")
    facts = {"classes": weights.classes, "mean": weights.mean, "std": weights.std, "shape": weights.shape}
    expected = {"model": "resnet_small"} | {name: json.dumps(value) for name, value in facts.items()}
    assert {each.key: each.value for each in onnx.load(files["onnx"]).metadata_props} == expected
    with safe_open(files["safetensors"], "numpy") as file:
        assert file.metadata() == expected

    model = models.resnet_small(in_channels=1, pretrained="digits").eval()
    x = np.random.default_rng(0).standard_normal((2, 1, 8, 8)).astype(np.float32)
    y = model(md.tensor(x)).numpy()
    np.testing.assert_allclose(reference(files["onnx"], x), y, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(deploy.from_onnx(files["onnx"])(md.tensor(x)).numpy(), y, rtol=1e-6, atol=1e-6)
    other = models.resnet_small(in_channels=1)
    assert not models.load_weights(other, files["safetensors"]).missing


def test_in_whole_numbers(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("numba")
    file = tmp_path / "digits.onnx"
    assert main(["export", "resnet_small:digits", "--onnx", str(file), "--int8", "--calibrate", "64"]) == 0
    assert "resnet_small as ONNX in int8, opset 20," in " ".join(capsys.readouterr().out.split())
    ops = {node.op_type for node in onnx.load(file).graph.node}
    assert {"QuantizeLinear", "DequantizeLinear"} <= ops
    assert file.stat().st_size < 330_000
    err = refused(capsys, "export", "resnet_small:digits", "--safetensors", str(tmp_path / "a.safetensors"), "--int8")
    assert "--int8 goes with --onnx FILE" in err


def test_what_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "say what to write, as in --onnx FILE or --safetensors FILE" in refused(
        capsys, "export", "resnet_small:digits"
    )
    there = tmp_path / "there.onnx"
    there.write_bytes(b"mine")
    err = refused(capsys, "export", "resnet_small:digits", "--onnx", str(there))
    assert f"--onnx: {there} is there already; remove it, or name another file" in err
    assert there.read_bytes() == b"mine"
    words = ["--onnx", str(tmp_path / "a.onnx"), "--safetensors", str(tmp_path / "a.npz")]
    err = refused(capsys, "export", "resnet_small:digits", *words)
    assert f"--safetensors: the name of the file ends in .safetensors, and {tmp_path / 'a.npz'} does not" in err
    err = refused(capsys, "export", "resnet_smal:digits", "--onnx", str(tmp_path / "b.onnx"))
    assert [each.name for each in tmp_path.iterdir()] == ["there.onnx"]
