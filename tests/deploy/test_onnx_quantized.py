"""Networks in whole numbers as QDQ: ONNX's checker takes the file, and other programs compute what the plan computes."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx_runtimes import RUNNERS

import minidil as md
import minidil.functional as F
from minidil import deploy, nn
from minidil.errors import CheckpointError, OptionError

pytest.importorskip("numba")


def numbers(*shape: int) -> Any:
    return np.random.default_rng(0).standard_normal(shape).astype(np.float32)


class Net(nn.Module):
    """Every kind of step."""

    def __init__(self) -> None:
        super().__init__()
        self.norm, self.out = nn.BatchNorm2d(2), nn.Linear(4, 3)
        self.first = nn.Conv2d(2, 4, 3, padding=((1, 2), (2, 1)), dilation=(1, 2), groups=2)
        self.second = nn.Conv2d(4, 4, 3, padding=1)

    def forward(self, x: md.Tensor) -> md.Tensor:
        y = F.max_pool(F.clip(self.first(self.norm(x)), low=-0.5, high=1.0), 2, 1, 1)
        y = F.relu(self.second(y) + y)
        y = F.relu(F.max_pool(y, 3, 2) + F.silu(F.max_pool(y, 3, 2)))
        return self.out(F.global_avg_pool(y).flatten(1))


@pytest.mark.parametrize("runner", RUNNERS)
@pytest.mark.parametrize(
    ("bits", "weight_bits"), [(8, 7), (4, 4)]
)  # with 8, ONNX Runtime saturates sums on some machines
def test_other_programs_compute_the_same(runner, bits, weight_bits, tmp_path):
    x = numbers(16, 2, 7, 6)
    plan = deploy.quantize(Net(), x, bits=bits, weight_bits=weight_bits)
    path = tmp_path / "net.onnx"
    deploy.to_onnx(plan, (2, 7, 6), path, metadata={"made": "here"})
    found, wanted = RUNNERS[runner](path, x[:3]), plan(x[:3])
    assert (found.shape, found.dtype) == (wanted.shape, wanted.dtype)
    # What a sum in float32 moves across a half is a step of one value in one place.
    assert np.abs(found - wanted).max() <= 0.02 * np.abs(wanted).max()


def test_weights_are_whole_numbers_and_have_their_names(tmp_path):
    path = tmp_path / "net.onnx"
    deploy.to_onnx(deploy.quantize(Net(), numbers(4, 2, 7, 6)), (2, 7, 6), path)
    model = onnx.load(path)
    onnx.checker.check_model(model, full_check=True)
    arrays = {each.name: onnx.numpy_helper.to_array(each) for each in model.graph.initializer}
    assert arrays["first.weight"].dtype == np.int8
    assert arrays["first.weight"].shape == (4, 1, 3, 3)
    assert arrays["first.bias"].dtype == np.int32
    ops = [node.op_type for node in model.graph.node]
    assert {"QuantizeLinear", "DequantizeLinear", "Conv", "Gemm", "GlobalAveragePool", "MaxPool"} <= set(ops)
    assert model.opset_import[0].version == 20


def test_a_scale_of_channels_without_positions(tmp_path):
    model, x = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.BatchNorm1d(4), nn.ReLU()), numbers(8, 3)
    plan = deploy.quantize(model, x)
    deploy.to_onnx(plan, (3,), tmp_path / "flat.onnx")
    found = RUNNERS["reference"](tmp_path / "flat.onnx", x)
    assert np.abs(found - plan(x)).max() <= plan.network.steps[-1].grid.scale * 1.01


def test_refusals(tmp_path):
    plan = deploy.quantize(nn.Conv2d(1, 1, 3), numbers(2, 1, 5, 5))
    with pytest.raises(OptionError, match=re.escape("was quantised for (1, 5, 5), and input_shape is (1, 6, 6)")):
        deploy.to_onnx(plan, (1, 6, 6), tmp_path / "net.onnx")
    with pytest.raises(OptionError, match="a module or a plan that quantize made, not Plan"):
        deploy.to_onnx(deploy.compile(nn.Conv2d(1, 1, 3), (1, 5, 5)), (1, 5, 5), tmp_path / "net.onnx")
    assert not list(Path(tmp_path).iterdir())


def test_the_import_refuses_it_by_its_operator(tmp_path):
    deploy.to_onnx(deploy.quantize(nn.Conv2d(1, 1, 3), numbers(2, 1, 5, 5)), (1, 5, 5), tmp_path / "net.onnx")
    with pytest.raises(CheckpointError, match=r"operators that are not read: DequantizeLinear .*, QuantizeLinear"):
        deploy.from_onnx(tmp_path / "net.onnx")
