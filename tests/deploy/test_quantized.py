"""Networks in whole numbers: against loops over Python's integers, and against the rounding in float32 that is trained."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

import minidil as md
import minidil.functional as F
from minidil import deploy, models, nn
from minidil.errors import DtypeError, OptionError, ShapeError
from minidil.kernels.geometry import Window

pytest.importorskip("numba")
from minidil.deploy.quantized import Grid, Mean, Plain, Sum, Weighted


def numbers(*shape: int, seed: int = 0) -> Any:
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def evaluated(model: nn.Module, x: Any) -> Any:
    model.eval()
    with md.no_grad():
        return np.array(model(md.Tensor(x)).numpy())


class Block(nn.Module):
    """Convolution and batch norm beside a shortcut, and what may follow."""

    def __init__(self, conv: nn.Module, norm: nn.Module, shortcut: nn.Module | None, then: nn.Module) -> None:
        super().__init__()
        self.conv, self.norm, self.shortcut, self.then = conv, norm, shortcut, then

    def forward(self, x: md.Tensor) -> md.Tensor:
        y = self.norm(self.conv(x))
        return self.then(y if self.shortcut is None else y + self.shortcut(x))


@st.composite
def blocks(draw: st.DrawFn) -> tuple[nn.Module, tuple[int, ...]]:
    ndim = draw(st.integers(1, 2))
    groups = draw(st.sampled_from([1, 2]))
    channels, filters = groups * draw(st.integers(1, 3)), groups * draw(st.integers(1, 3))
    kernel, stride, dilation = (draw(st.integers(1, most)) for most in (3, 2, 2))
    conv = (nn.Conv1d, nn.Conv2d)[ndim - 1]
    padding = draw(st.integers(0, 2))
    size = tuple(dilation * (kernel - 1) + 1 + draw(st.integers(0, 4)) for _ in range(ndim))
    rng = np.random.default_rng(draw(st.integers(0, 99)))
    norm = nn.BatchNorm(filters)
    norm.running_mean, norm.running_var = (
        each.astype(np.float32) for each in (rng.normal(size=filters), rng.uniform(0.5, 2, filters))
    )
    ways = (kernel, stride, padding, dilation, groups)
    shortcut = conv(channels, filters, *ways, rng=rng) if draw(st.booleans()) else None
    pool = (nn.MaxPool1d, nn.MaxPool2d)[ndim - 1](2, 1, padding=1)
    then = draw(st.sampled_from([nn.ReLU(), nn.Identity(), pool, nn.SiLU()]))
    return Block(conv(channels, filters, *ways, rng=rng), norm, shortcut, then), (channels, *size)


class TestGrid:
    @given(st.floats(-100, 100), st.floats(-100, 100), st.integers(2, 8))
    def test_it_holds_zero_and_what_lies_between_to_half_a_step(self, one, other, bits):
        low, high = sorted((one, other))
        grid = Grid.over(low, high, bits)
        assert grid.high == 2**bits - 1
        assert 0 <= grid.zero <= grid.high
        assert grid.numbers(grid.quantise(np.zeros(1, np.float32))) == 0
        x = np.linspace(min(low, 0), max(high, 0), 50, dtype=np.float32)
        off = np.abs(grid.numbers(grid.quantise(x)) - x).max()
        # The zero is rounded as well, by which one end may lie half a step beyond the grid.
        assert off <= grid.scale * 1.001

    def test_nothing_but_zero_has_a_grid(self):
        assert Grid.over(0.0, 0.0, 8) == Grid(1.0, 0, 255)

    def test_what_lies_outside_gets_the_ends_and_halves_the_even_number(self):
        x = np.array([-np.inf, -1, 0.25, 0.75, 99, np.inf], np.float32)
        assert_array_equal(Grid(0.5, 1, 15).quantise(x), [0, 0, 1, 3, 15, 15])

    def test_nan_is_refused(self):
        with pytest.raises(OptionError, match="NaN"):
            Grid(0.5, 1, 15).quantise(np.array([np.nan], np.float32))


def test_a_convolution_is_the_sum_of_whole_numbers_with_the_zero_as_padding():
    rng = np.random.default_rng(0)
    window = Window.of((5, 4), (3, 2), (2, 1), ((1, 2), (0, 1)), (1, 2))
    step = Weighted(
        reads=(0,), makes=1, shape=(4, *window.out), sources=(Grid(0.02, 100, 255),), grid=Grid(0.5, 7, 255), words=("conv",),
        layers=("a",), weight=rng.integers(-127, 128, (4, 3, 3, 2)).astype(np.int8),
        weight_scale=rng.uniform(0.001, 0.01, 4).astype(np.float32), bias=rng.integers(-999, 999, 4).astype(np.int32),
        window=window, groups=2, low=7, high=200, pool=None,
    )  # fmt: skip
    x = rng.integers(0, 256, (2, 6, 5, 4)).astype(np.uint8)
    found = step.run([x])
    for n, f, i, j in itertools.product(range(2), range(4), *map(range, window.out)):
        total = int(step.offset[f])
        for c, a, b in itertools.product(range(3), range(3), range(2)):
            row, column = 2 * i + a - 1, j + 2 * b
            inside = 0 <= row < 5 and 0 <= column < 4
            total += int(step.weight[f, c, a, b]) * (int(x[n, f // 2 * 3 + c, row, column]) if inside else 100)
        y = np.rint(np.float32(total) * step.multiplier[f]) + 7
        assert found[n, f, i, j] == min(max(y, 7), 200)


@given(blocks(), st.integers(3, 8))
def test_whole_numbers_are_what_the_rounding_in_float32_computes(drawn, bits):
    model, shape = drawn
    images = numbers(16, *shape)
    fake = deploy.fake_quantized(model, images, bits=bits)
    whole = deploy.run_reference(fake.network(), images)
    rounded = evaluated(fake, images)
    # A sum in float32 may fall on the other side of a half; where several values follow one another, the next one moves as well.
    assert (np.abs(whole - rounded) <= 1e-5 * np.abs(rounded).max()).mean() >= 0.97
    fake.rounding = False
    assert np.abs(evaluated(fake, images) - evaluated(model, images)).max() <= 1e-5


@pytest.mark.slow
@pytest.mark.parametrize("calibration", deploy.CALIBRATIONS)
def test_eight_bits_keep_the_digits(calibration):
    trained, images = models.pretrained_weights("resnet_small", "digits"), md.data.load("digits", "test")
    model = models.resnet_small(in_channels=1, pretrained="digits")
    learnt = trained.prepare(md.data.load("digits", "train").images[:64])
    plan = deploy.quantize(model, learnt, calibration=calibration)
    network, x = plan.network, trained.prepare(images.images[:150])
    whole, wanted = plan(x), evaluated(model, x)
    assert (whole.argmax(axis=1) == wanted.argmax(axis=1)).mean() >= 0.99
    kinds = [type(step) for step in network.steps]
    assert kinds == [*[Weighted] * 21, Mean, Plain, Weighted]
    assert [len(step.reads) for step in network.steps].count(2) == 9
    assert network.steps[-1].grid is None


def test_steps_of_every_kind():
    class Everything(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.norm, self.conv, self.out = nn.BatchNorm2d(2), nn.Conv2d(2, 4, 1), nn.Linear(4, 3)

        def forward(self, x: md.Tensor) -> md.Tensor:
            y = F.silu(self.conv(self.norm(x)))
            z = F.relu(y + F.max_pool(y, 3, 1, 1))
            return F.softmax(self.out(F.global_avg_pool(F.concatenate([y, z], 1)).flatten(1)[:, 2:6]), 1)

    x = numbers(32, 2, 6, 5)
    model = Everything()
    network = deploy.quantize(model, x).network
    found = {(type(step).__name__, step.words[0]) for step in network.steps}
    assert found == {
        *(("Weighted", "batch_norm"), ("Weighted", "conv"), ("Plain", "silu"), ("MaxPool", "max_pool"), ("Sum", "add")),
        *(
            ("Plain", "concatenate"),
            ("Plain", "mean"),
            ("Plain", "flatten"),
            ("Plain", "getitem"),
            ("Weighted", "linear"),
        ),
        ("Plain", "softmax"),
    }
    assert network.steps[-2].grid is None
    assert np.abs(deploy.run_reference(network, x) - evaluated(model, x)).max() < 0.02


class TestWeights:
    def quantised(self, weight: Any, bias: Any) -> Weighted:
        layer = nn.Linear(weight.shape[1], len(weight))
        layer.weight.data, layer.bias.data = weight, bias
        (step,) = deploy.quantize(layer, np.array([[-1, 0.5]], np.float32)).network.steps
        assert isinstance(step, Weighted)
        return step

    def test_a_filter_without_weights_leaves_its_bias(self):
        step = self.quantised(np.zeros((2, 2), np.float32), np.array([0, -3], np.float32))
        assert_array_equal(step.weight, np.zeros((2, 2)))
        assert step.run([np.array([[7, 9]], np.uint8)]) == pytest.approx(np.array([[0, -3]]), rel=1e-6)

    def test_a_bias_that_is_huge_beside_the_weights_stays_exact(self):
        step = self.quantised(np.full((1, 2), 1e-9, np.float32), np.array([1000], np.float32))
        assert step.run([np.array([[7, 9]], np.uint8)]) == pytest.approx(1000, rel=1e-6)

    def test_weights_are_symmetric(self):
        step = self.quantised(np.array([[-2, 1], [0.5, 0.1]], np.float32), np.zeros(2, np.float32))
        assert_array_equal(step.weight, [[-127, 64], [127, 25]])

    @pytest.mark.filterwarnings("ignore:invalid value")
    @pytest.mark.parametrize("bad", [np.nan, np.inf])
    def test_what_is_not_finite_is_refused(self, bad):
        with pytest.raises(OptionError, match="not finite"):
            self.quantised(np.array([[bad, 1]], np.float32), np.zeros(1, np.float32))


class TestRefusals:
    x = numbers(4, 2, 6, 6)
    model = nn.Conv2d(2, 3, 3)

    @pytest.mark.parametrize(
        ("options", "words"),
        [
            ({"calibration": "mean"}, "one of max, percentile, not 'mean'"),
            ({"percentile": 50}, "> 50 and <= 100, not 50"),
            ({"percentile": float("nan")}, "percentile"),
            ({"bits": 1}, "bits must be a whole number from 2 to 8, not 1"),
            ({"bits": 9}, "bits"),
            ({"bits": True}, "bits"),
            ({"weight_bits": 7.5}, "weight_bits must be a whole number from 2 to 8, not 7.5"),
        ],
    )
    def test_options(self, options, words):
        with pytest.raises(OptionError, match=words):
            deploy.quantize(self.model, self.x, **options)

    def test_images(self):
        with pytest.raises(OptionError, match=r"at least one image, not \(0, 2, 6, 6\)"):
            deploy.quantize(self.model, self.x[:0])
        for bad in (np.nan, np.inf):
            x = self.x.copy()
            x[1, 0, 2, 2] = bad
            with pytest.raises(OptionError, match="not finite"):
                deploy.quantize(self.model, x)
        with pytest.raises(DtypeError, match="uint8"):
            deploy.quantize(self.model, np.zeros((4, 2, 6, 6), np.uint8))

    @pytest.mark.filterwarnings("ignore:overflow")
    def test_values_that_are_not_finite(self):
        model = nn.Conv2d(2, 3, 3)
        model.weight.data = np.full((3, 2, 3, 3), 1e38, np.float32)
        with pytest.raises(OptionError, match="conv in the model's own forward makes numbers that are not finite"):
            deploy.quantize(model, np.full((1, 2, 6, 6), 100, np.float32))

    def test_a_transposed_convolution_by_its_layer(self):
        model = nn.Sequential(nn.Conv2d(2, 3, 3), nn.ConvTranspose2d(3, 2, 2))
        with pytest.raises(OptionError, match="conv_transpose in layer '1' has no step in whole numbers"):
            deploy.quantize(model, self.x)

    def test_sums_beyond_int32(self):
        model = nn.Linear(70_000, 1, bias=False)
        model.weight.data = np.ones((1, 70_000), np.float32)
        with pytest.raises(OptionError, match=r"linear in the model's own forward may sum up to 2,\d+,\d+,\d+"):
            deploy.quantize(model, np.ones((1, 70_000), np.float32))

    def test_another_number_type(self):
        with pytest.raises(DtypeError, match="float64"):
            deploy.quantize(nn.Conv2d(2, 3, 3).astype(np.float64), self.x)

    def test_inputs(self):
        network = deploy.quantize(self.model, self.x).network
        with pytest.raises(ShapeError, match=r"x must be \(N, 2, 6, 6\), not \(4, 2, 6, 5\)"):
            deploy.run_reference(network, self.x[..., :5])
        with pytest.raises(DtypeError, match="float64"):
            deploy.run_reference(network, self.x.astype(np.float64))
        with pytest.raises(OptionError, match="NaN"):
            deploy.run_reference(network, self.x * np.float32(np.nan))


def test_percentiles_leave_out_the_ends():
    x = np.linspace(-1, 1, 2001, dtype=np.float32).reshape(-1, 1)
    x[0], x[-1] = -1000, 3000
    layer = nn.Linear(1, 1)
    grid = deploy.quantize(layer, x, calibration="percentile", percentile=99.9).network.grid
    ends = grid.numbers(np.array([0, 255], np.uint8))
    # A bin of the histogram is 4000 / 8192 wide.
    assert ends == pytest.approx([-1, 1], abs=0.5)
    assert deploy.quantize(layer, x).network.grid.numbers(np.array([255], np.uint8)) == pytest.approx(3000, abs=20)


def test_dead_channels_and_constant_images():
    model = nn.Sequential(nn.Conv2d(1, 2, 3, padding=1), nn.ReLU(), nn.Conv2d(2, 1, 3, padding=1))
    model[0].bias.data = np.full(2, -100, np.float32)
    for x in (numbers(3, 1, 5, 5), np.zeros((3, 1, 5, 5), np.float32)):
        whole = deploy.quantize(model, x)(x)
        assert np.abs(whole - evaluated(model, x)).max() <= 1e-5


def test_only_sums_of_numbers_share_a_step():
    model = nn.Sequential(nn.ReLU(), nn.Conv2d(1, 1, 1))
    network = deploy.quantize(model, numbers(3, 1, 5, 5)).network
    assert isinstance(network.steps[0], Sum)
    assert (network.steps[0].low, network.steps[0].grid.zero) == (0, 0)
