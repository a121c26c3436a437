"""Networks in whole numbers as files: the same bits come back, and nothing that does not fit together."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import minidil as md
import minidil.functional as F
from minidil import deploy, models, nn
from minidil.errors import CheckpointError, OptionError
from minidil.storage import checkpoint

pytest.importorskip("numba")


class Net(nn.Module):
    """A residual, pooling, a mean, calls with slices, numbers and arrays."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second, self.out = (
            nn.Conv2d(2, 4, 3, padding=1),
            nn.Conv2d(4, 4, 3, padding=1),
            nn.Linear(3, 2),
        )

    def forward(self, x: md.Tensor) -> md.Tensor:
        y = F.max_pool(F.relu(self.first(x)), 2)
        y = F.relu(F.silu(self.second(y)) * np.array([0.5], np.float32) + y)
        return self.out(F.global_avg_pool(y).flatten(1)[:, ..., 1:])


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Any]:
    x = np.random.default_rng(0).standard_normal((8, 2, 6, 6)).astype(np.float32)
    plan = deploy.quantize(Net(), x)
    path = tmp_path_factory.mktemp("saved") / "net.npz"
    deploy.save_quantized(plan, path)
    return path, (x, plan(x))


def test_the_same_bits_come_back(saved):
    path, (x, y) = saved
    plan = deploy.load_quantized(path)
    np.testing.assert_array_equal(plan(x), y)
    assert repr(plan).startswith("int8 plan of Net for (2, 6, 6)")
    deploy.save_quantized(plan, path.with_name("again.npz"))
    assert path.with_name("again.npz").read_bytes() == path.read_bytes()


def test_it_takes_a_quarter_of_the_room(tmp_path):
    model = models.vgg_small(pretrained="cifar10")
    plan = deploy.quantize(model, np.random.default_rng(0).standard_normal((4, 3, 32, 32)).astype(np.float32))
    deploy.save_quantized(plan, tmp_path / "int8.npz")
    checkpoint.save(tmp_path / "float32.npz", model.state_dict())
    sizes = [(tmp_path / name).stat().st_size for name in ("int8.npz", "float32.npz")]
    assert sizes[0] <= 0.26 * sizes[1]


def put(value: Any, *place: str | int) -> Callable[[Any], None]:
    """Sets one entry of the tree."""

    def change(tree: Any) -> None:
        for step in place[:-1]:
            tree = tree[step]
        tree[place[-1]] = value

    return change


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (put("other", "format"), "not of a network in whole numbers"),
        (put("Loop", "steps", 0, "kind"), "Loop"),
        (put([7], "steps", 0, "reads"), "step 3 reads what is not made before it"),
        (put([4, -3, 3], "steps", 0, "shape"), r"step 3 has the shape \(4, -3, 3\)"),
        (put([4, 2, 2], "steps", 0, "shape"), r"step 3 makes \(4, 3, 3\), not \(4, 2, 2\)"),
        (put({"grid": [0.5, 256, 255]}, "grid"), "there is no grid"),
        (put({"grid": [0.0, 0, 255]}, "grid"), "there is no grid"),
        (put({"grid": [float("nan"), 0, 255]}, "grid"), "there is no grid"),
        (put(np.zeros((4, 2, 3, 2), np.int8), "steps", 0, "weight"), r"has a weight \(4, 2, 3, 2\) of int8"),
        (put(np.zeros((4, 2, 3, 3), np.int16), "steps", 0, "weight"), "of int16"),
        (put(np.full(4, 2**31 - 1, np.int32), "steps", 0, "bias"), "sums beyond int32"),
        (put(np.zeros(4, np.float32), "steps", 0, "weight_scale"), "sums beyond int32"),
        (put(3, "steps", 0, "groups"), "has 3 groups"),
        (put(256, "steps", 0, "high"), "is limited to"),
        (put({"window": [[9, 9], [3, 3], [1, 1], [[1, 1], [1, 1]], [1, 1]]}, "steps", 0, "window"), "slides"),
        (put({"window": [[6, 6], [3, 3], [0, 1], [[1, 1], [1, 1]], [1, 1]]}, "steps", 0, "window"), "stride"),
        (put(99, "output"), "the result is made by no step"),
        (put(1, "extra"), "extra"),
        (put([{"call": ["system", "", [], {"options": {}}, [2]]}], "steps"), "kind"),
    ],
)
def test_what_does_not_fit_together_is_refused(saved, tmp_path, change, words):
    tree = checkpoint.load(saved[0])
    change(tree)
    checkpoint.save(tmp_path / "changed.npz", tree)
    with pytest.raises(CheckpointError, match=words):
        deploy.load_quantized(tmp_path / "changed.npz")


def test_calls_that_are_not_known_are_refused(saved, tmp_path):
    tree = checkpoint.load(saved[0])
    step = next(each for each in tree["steps"] if each["kind"] == "Plain")
    step["call"]["call"][0] = "system"
    checkpoint.save(tmp_path / "changed.npz", tree)
    with pytest.raises(CheckpointError, match="system"):
        deploy.load_quantized(tmp_path / "changed.npz")


def test_damage_and_other_files_are_refused(saved, tmp_path):
    content = bytearray(saved[0].read_bytes())
    content[len(content) // 2] ^= 1
    (tmp_path / "damaged.npz").write_bytes(content)
    with pytest.raises(CheckpointError, match="damaged"):
        deploy.load_quantized(tmp_path / "damaged.npz")
    checkpoint.save(tmp_path / "other.npz", {"model": [1, 2]})
    with pytest.raises(CheckpointError, match="not of a network in whole numbers"):
        deploy.load_quantized(tmp_path / "other.npz")


def test_an_option_that_no_file_takes_is_refused(tmp_path):
    plan = deploy.quantize(nn.SiLU(), np.ones((2, 3), np.float32))
    (step,) = plan.network.steps
    odd = replace(step, call=replace(step.call, options={"odd": object()}))
    plan.network = replace(plan.network, steps=(odd,))
    with pytest.raises(OptionError, match="which no file takes"):
        deploy.save_quantized(plan, tmp_path / "odd.npz")
    assert not (tmp_path / "odd.npz").exists()
