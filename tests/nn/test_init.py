"""Initial weights: fans by hand, variances by the formulas, and that the promise behind them holds."""

import numpy as np
import pytest

import minidil as md
import minidil.functional as F
from minidil import nn
from minidil.errors import OptionError, ShapeError
from minidil.nn import init
from minidil.tensor import tensor

SHAPE = (256, 64, 3, 3)


@pytest.mark.parametrize(
    ("shape", "groups", "expected"),
    [((5, 7), 1, (7, 5)), ((8, 4, 3, 3), 1, (36, 72)), ((8, 4, 3), 2, (12, 12)), ((8, 1, 2, 3, 4), 8, (24, 24))],
)
def test_fans(shape: tuple[int, ...], groups: int, expected: tuple[int, int]) -> None:
    assert init.fans(shape, groups) == expected


def test_fans_of_what_is_no_weight() -> None:
    with pytest.raises(ShapeError, match="at least two axes"):
        init.fans((5,))
    with pytest.raises(ShapeError, match="none of them empty"):
        init.fans((5, 0, 3))
    with pytest.raises(ShapeError, match=r"5 filters .* groups=2"):
        init.fans((5, 1), groups=2)


@pytest.mark.parametrize(
    ("draw", "variance"),
    [
        (lambda rng: init.he_normal(SHAPE, rng=rng), 2 / 576),
        (lambda rng: init.he_uniform(SHAPE, rng=rng), 2 / 576),
        (lambda rng: init.he_normal(SHAPE, fan=init.fans(SHAPE).fan_out, rng=rng), 2 / 2304),
        (lambda rng: init.he_uniform(SHAPE, slope=0.5, rng=rng), 2 / (1.25 * 576)),
        (lambda rng: init.glorot_normal(SHAPE, rng=rng), 2 / 2880),
        (lambda rng: init.glorot_uniform(SHAPE, gain=3.0, rng=rng), 9 * 2 / 2880),
    ],
)
def test_variances(draw, variance: float) -> None:
    weight = draw(np.random.default_rng(0))
    assert weight.dtype == np.float32
    assert weight.shape == SHAPE
    # the standard error of a variance over 147,456 draws is at most sqrt(2/147456), 0.4 %
    assert weight.var() == pytest.approx(variance, rel=0.015)
    assert abs(weight.mean()) < 5 * np.sqrt(variance / weight.size)


def test_uniform_fills_its_interval_and_stays_inside() -> None:
    weight = init.glorot_uniform((100, 200), rng=np.random.default_rng(0))
    bound = np.sqrt(6 / 300)
    assert 0.999 * bound < np.abs(weight).max() <= bound
    assert weight.min() < -0.999 * bound


def test_a_fan_must_be_positive() -> None:
    with pytest.raises(OptionError, match="fan must be a number > 0, not 0"):
        init.he_normal((2, 2), fan=0)


def test_he_keeps_the_signal_through_relu_layers() -> None:
    rng = np.random.default_rng(0)
    x = tensor(rng.standard_normal((64, 256)).astype(np.float32))
    for _ in range(20):
        x = F.relu(F.linear(x, init.he_normal((256, 256), rng=rng)))
    assert 0.3 < np.mean(np.square(x.data)) < 3


@pytest.mark.parametrize("shape", [(4, 4, 3), (6, 4, 3, 5), (2, 3, 1, 3, 3), (1, 1, 1)])
@pytest.mark.parametrize("dilation", [1, 2])
def test_dirac_copies_what_there_is_room_for(shape: tuple[int, ...], dilation: int) -> None:
    x = np.random.default_rng(0).standard_normal((2, shape[1], *(7,) * (len(shape) - 2))).astype(np.float32)
    y = F.conv(tensor(x), tensor(init.dirac(shape)), padding="same", dilation=dilation).numpy()
    copied = min(shape[:2])
    np.testing.assert_array_equal(y[:, :copied], x[:, :copied])
    assert not y[:, copied:].any()
    assert init.dirac(shape).dtype == np.float32


@pytest.mark.parametrize("shape", [(4, 4), (4, 4, 2), (4, 4, 3, 2)])
def test_dirac_needs_a_centre(shape: tuple[int, ...]) -> None:
    with pytest.raises(ShapeError, match=r"dirac: a weight is .* with odd kernel sizes"):
        init.dirac(shape)


@pytest.mark.parametrize("settings", [{}, {"stride": 2}, {"dilation": 3}, {"groups": 4}, {"stride": 3, "groups": 2}])
@pytest.mark.parametrize("layer", [nn.Conv2d, nn.ConvTranspose2d])
def test_convolutions_start_with_the_variance_of_he(layer: type[nn.Module], settings: dict[str, int]) -> None:
    rng = np.random.default_rng(0)
    conv = layer(64, 64, 6, **settings, rng=rng)
    y = conv(tensor(rng.standard_normal((2, 64, 40, 40)).astype(np.float32))).data
    inner = y[:, :, 20:-20, 20:-20] if layer is nn.ConvTranspose2d else y  # borders sum fewer products
    assert inner.var() == pytest.approx(2, rel=0.1)


def test_the_same_seed_draws_the_same_weights() -> None:
    def weights(**options: np.random.Generator) -> bytes:
        return nn.Conv2d(3, 8, 3, **options).weight.data.tobytes()

    md.seed(3)
    first, second = weights(), weights()
    md.seed(3)
    assert weights() == first != second
    assert weights(rng=np.random.default_rng(3)) == first
    state = md.random.default_rng().bit_generator.state
    weights(rng=np.random.default_rng(5))
    assert md.random.default_rng().bit_generator.state == state
