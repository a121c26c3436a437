"""Weights out of minidil as .safetensors, under PyTorch's names, and back."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file

import minidil as md
from minidil import deploy, models, nn
from minidil.errors import CheckpointError, OptionError


def test_every_name_and_number(tmp_path: Path) -> None:
    model = models.resnet_small(num_classes=3, widths=(4, 8, 8))
    path = tmp_path / "w.safetensors"
    deploy.save_safetensors(model, path, {"classes": "a b c"})
    state, found = model.state_dict(), load_file(path)
    assert found.keys() == state.keys()
    for name, value in state.items():
        assert (found[name].dtype, found[name].shape) == (value.dtype, value.shape)
        np.testing.assert_array_equal(found[name], value)
    head = path.read_bytes()
    assert json.loads(head[8 : 8 + int.from_bytes(head[:8], "little")])["__metadata__"] == {"classes": "a b c"}
    other = models.resnet_small(num_classes=3, widths=(4, 8, 8))
    models.load_weights(other, path)
    for name, value in other.state_dict().items():
        np.testing.assert_array_equal(value, state[name])


def test_whatever_the_order_in_memory(tmp_path: Path) -> None:
    layer = nn.Linear(3, 2)
    layer.weight.data = np.arange(6, dtype=np.float32).reshape(3, 2).T
    deploy.save_safetensors(layer, tmp_path / "w.safetensors")
    np.testing.assert_array_equal(load_file(tmp_path / "w.safetensors")["weight"], [[0, 2, 4], [1, 3, 5]])


def test_what_is_refused_leaves_no_file(tmp_path: Path) -> None:
    with pytest.raises(
        OptionError, match=r"w\.npz: the name of a file of safetensors ends in \.safetensors, not in '\.npz'"
    ):
        deploy.save_safetensors(nn.Linear(2, 2), tmp_path / "w.npz")
    wrong: Any = {"epoch": 3}
    with pytest.raises(OptionError, match=r"save_safetensors: metadata holds words by words, not \{'epoch': 3\}"):
        deploy.save_safetensors(nn.Linear(2, 2), tmp_path / "w.safetensors", wrong)
    assert not list(tmp_path.iterdir())


def test_cut_and_damaged_files(tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    model = nn.Sequential(nn.Linear(3, 2), nn.BatchNorm(2))
    deploy.save_safetensors(model, path)
    whole, before = path.read_bytes(), model.state_dict()
    size = int.from_bytes(whole[:8], "little")
    huge = json.dumps({"0.weight": {"dtype": "F32", "shape": [2**40, 3], "data_offsets": [0, 12 * 2**40]}}).encode()
    bad = [whole[:n] for n in (0, 7, 8, 8 + size // 2, 8 + size, len(whole) - 1)]
    bad += [whole + b"\0", b"\xff" * 8 + whole[8:], len(huge).to_bytes(8, "little") + huge]
    for content in bad:
        path.write_bytes(content)
        with pytest.raises(CheckpointError, match=r"w\.safetensors .*damaged or no safetensors file"):
            models.load_weights(model, path)
    for name, value in model.state_dict().items():
        np.testing.assert_array_equal(value, before[name])
    assert md.deploy is deploy
