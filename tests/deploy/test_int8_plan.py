"""Plans in whole numbers: bit for bit what NumPy computes of the same network."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from kernel_checks import using_threads
from numpy.testing import assert_array_equal

import minidil as md
import minidil.functional as F
from minidil import deploy, models, nn
from minidil.deploy.quantized import run_reference
from minidil.errors import DtypeError, OptionError, ShapeError

pytest.importorskip("numba")
from minidil.deploy.int8_plan import Int8Plan
from minidil.deploy.quantized import Weighted
from minidil.kernels.cpu import integer_winograd


def numbers(*shape: int, seed: int = 0) -> Any:
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def agrees(model: nn.Module, shape: tuple[int, ...], **options: Any) -> Int8Plan:
    plan = deploy.quantize(model, numbers(8, *shape), **options)
    for count in (1, 3):
        x = numbers(count, *shape, seed=count) * 1.5  # beyond what was seen
        with md.use("numba"):  # for what is left in float32
            assert_array_equal(plan(x), run_reference(plan.network, x))
    return plan


def ways(plan: Int8Plan) -> list[str]:
    return [step.way for step in plan.steps]


def conv(channels: int, filters: int, *options: Any, seed: int = 0, **named: Any) -> nn.Module:
    return nn.Conv2d(channels, filters, *options, rng=np.random.default_rng(seed), **named)


class Several(nn.Module):
    """Steps of every kind: a residual, a sum that stays on its own, a range, pooling, and calls in float32 between them."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = conv(3, 16, 3, 1, 1), conv(16, 16, 3, 1, 1, seed=1)
        self.third, self.last = conv(16, 24, 3, 2, 1, seed=2), conv(24, 5, 1, seed=3)

    def forward(self, x: md.Tensor) -> md.Tensor:
        x = F.relu(self.first(x))
        y = F.relu(self.second(x) + x)
        y = F.max_pool(F.max_pool(y + x, 2, stride=1), 3, stride=2, padding=1)
        y = F.clip(self.third(y), 0.1, 2.0)
        return F.flatten(F.silu(self.last(y)), start=1)


@st.composite
def networks(draw: st.DrawFn) -> tuple[nn.Module, tuple[int, ...]]:
    dilation, groups = draw(st.integers(1, 4)), draw(st.sampled_from([1, 1, 2]))
    channels, filters, seed = (
        draw(st.sampled_from([2, 16, 20])),
        draw(st.sampled_from([4, 16, 26])),
        draw(st.integers(0, 99)),
    )
    size = draw(st.integers(2 * dilation, 4 * dilation + 1)), draw(st.integers(2 * dilation, 20))
    layers = [conv(channels, filters, 3, 1, dilation, dilation, groups, seed=seed)]
    layers += draw(st.sampled_from([[], [nn.ReLU()], [nn.ReLU(), nn.MaxPool2d(2)], [nn.MaxPool2d(2)]]))
    layers += [conv(filters, 7, draw(st.integers(1, 2)), draw(st.integers(1, 2)), 1, seed=seed), nn.ReLU()]
    layers += draw(st.sampled_from([[], [nn.GlobalAvgPool(), nn.Flatten(), nn.Linear(7, 3)], [nn.Flatten()]]))
    return nn.Sequential(*layers), (channels, *size)


@given(network=networks(), bits=st.sampled_from([8, 8, 5]))
def test_small_networks(network: tuple[nn.Module, tuple[int, ...]], bits: int) -> None:
    agrees(*network, bits=bits)


def test_steps_of_every_kind() -> None:
    plan = agrees(Several(), (3, 16, 16))
    kinds = ["Weighted", "Weighted", "Sum", "MaxPool", "MaxPool", "Weighted", "Weighted", "Called", "Called"]
    assert [type(step).__name__ for step in plan.steps] == kinds


@pytest.mark.parametrize(
    ("size", "dilation", "way"), [(12, 2, "winograd"), (6, 3, "two by two"), (7, 5, "two by two"), (9, 4, "direct")]
)
def test_how_a_layer_is_convolved(size: int, dilation: int, way: str) -> None:
    assert ways(agrees(nn.Sequential(conv(16, 32, 3, 1, dilation, dilation), nn.ReLU()), (16, size, size))) == [way]


def test_filters_that_may_sum_up_to_more_than_winograd_allows_are_multiplied_directly() -> None:
    model = conv(116, 16, 3, 1, 1)
    weight = np.ones((16, 116, 3, 3), np.float32)
    model.weight.data = weight  # 127 each: 255 * 127 * 9 * 116 > 2^25
    assert ways(agrees(nn.Sequential(model, nn.ReLU()), (116, 8, 8))) == ["direct"]
    weight[:, 0] = 1.2
    model.weight.data = weight  # the others become 106
    assert ways(agrees(nn.Sequential(model, nn.ReLU()), (116, 8, 8))) == ["winograd"]


def test_the_digits() -> None:
    plan = agrees(models.resnet_small(in_channels=1, pretrained="digits"), (1, 8, 8))
    assert set(ways(plan)) >= {"winograd", "direct"}


@pytest.mark.slow
def test_the_network_that_comes_with_minidil() -> None:
    plan = agrees(models.vgg_small(pretrained="cifar10"), (3, 32, 32))
    assert ways(plan) == ["direct", *["winograd"] * 5, "loop", "library", "direct"]
    for step in plan.network.steps:
        if isinstance(step, Weighted):
            assert integer_winograd.is_exact(step.weight)
    assert repr(plan).splitlines()[0] == (
        "int8 plan of VGG for (3, 32, 32), uint8: 9 steps for 23 calls; 80 KiB an image between them, 152 without reuse"
    )


def test_what_goes_in_and_comes_out() -> None:
    plan = agrees(nn.Sequential(conv(3, 4, 3), nn.ReLU()), (3, 6, 5))
    assert plan(np.empty((0, 3, 6, 5), np.float32)).shape == (0, 4, 4, 3)
    x = numbers(2, 3, 6, 5)
    found = plan(md.Tensor(x))
    assert isinstance(found, md.Tensor)
    assert_array_equal(found.numpy(), plan(x))
    assert_array_equal(plan(x[:, ::-1, ::-1, ::-1]), plan(np.ascontiguousarray(x[:, ::-1, ::-1, ::-1])))
    with pytest.raises(ShapeError, match=r"must be \(N, 3, 6, 5\), not \(2, 3, 5, 6\)"):
        plan(x.swapaxes(2, 3))
    with pytest.raises(DtypeError, match="must be float32, not float64"):
        plan(x.astype(float))
    x[1, 2, 3, 4] = np.nan
    with pytest.raises(OptionError, match="NaN"):
        plan(x)


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_threads(threads: int) -> None:
    plan = agrees(Several(), (3, 16, 16))
    inputs = [numbers(count, 3, 16, 16, seed=count) for count in (1, 2, 40)]
    with md.use("numba"):
        wanted = [run_reference(plan.network, x) for x in inputs]
    with using_threads(threads), ThreadPoolExecutor(3) as pool:
        for found, expected in zip(pool.map(plan, inputs), wanted, strict=True):
            assert_array_equal(found, expected)
