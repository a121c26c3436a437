"""Activation layers and dropout."""

import math

import numpy as np
import pytest

import minidil as md
from minidil import nn
from minidil.errors import OptionError, ShapeError
from minidil.tensor import tensor

FORMULAS = [
    (nn.Identity(), lambda x: x),
    (nn.ReLU(), lambda x: max(x, 0.0)),
    (nn.LeakyReLU(), lambda x: x if x > 0 else 0.01 * x),
    (nn.LeakyReLU(negative_slope=0.2), lambda x: x if x > 0 else 0.2 * x),
    (nn.GELU(), lambda x: x * (1 + math.erf(x / math.sqrt(2))) / 2),
    (nn.SiLU(), lambda x: x / (1 + math.exp(-x))),
    (nn.Sigmoid(), lambda x: 1 / (1 + math.exp(-x))),
    (nn.Tanh(), math.tanh),
]


@pytest.mark.parametrize(("layer", "formula"), FORMULAS, ids=[repr(layer) for layer, _ in FORMULAS])
def test_the_formula_and_its_gradient(layer: nn.Module, formula, check_layer) -> None:
    x = np.linspace(-4, 4, 41)
    assert layer(tensor(x)).data == pytest.approx(np.array([formula(value) for value in x]), abs=1e-12)
    check_layer(layer, 3, 4)
    assert list(layer.parameters()) == []


def test_the_gate_is_tanh_of_one_half_times_sigmoid_of_the_other(backend, check_layer) -> None:
    x = np.random.default_rng(0).standard_normal((2, 6, 5))
    expected = np.tanh(x[:, :3]) / (1 + np.exp(-x[:, 3:]))
    np.testing.assert_allclose(nn.Gate()(tensor(x)).numpy(), expected, atol=1e-12)
    check_layer(nn.Gate(), 2, 4, 3)
    with pytest.raises(
        ShapeError, match=r"Gate: x must be \(N, 2 C, \*S\), an even number of channels, not \(2, 3, 4\)"
    ):
        nn.Gate()(tensor(x[:, :3, :4]))


def test_dropout_in_training() -> None:
    x = tensor(np.ones((200, 200), np.float32), requires_grad=True)
    y = nn.Dropout(0.25)(x)
    assert set(np.unique(y.data)) == {np.float32(0), np.float32(4 / 3)}
    assert (y.data == 0).mean() == pytest.approx(0.25, abs=0.01)
    y.sum().backward()
    assert np.array_equal(x.grad.data, y.data)


def test_dropout_in_evaluation_or_with_p_0_is_x_itself_and_draws_nothing() -> None:
    x = tensor([1.0])
    before = md.random.default_rng().bit_generator.state
    assert nn.Dropout(0.5).eval()(x) is x
    assert nn.Dropout(0)(x) is x
    assert md.random.default_rng().bit_generator.state == before


def test_dropout_is_reproducible() -> None:
    x = tensor(np.ones(100, np.float32))
    md.seed(1)
    first = nn.Dropout(0.5)(x).data
    md.seed(1)
    assert np.array_equal(nn.Dropout(0.5)(x).data, first)
    assert np.array_equal(nn.Dropout(0.5, rng=np.random.default_rng(1))(x).data, first)
    assert not np.array_equal(nn.Dropout(0.5)(x).data, first)


@pytest.mark.parametrize("p", [-0.1, 1, 1.5, float("nan")])
def test_dropout_needs_a_probability(p: float) -> None:
    with pytest.raises(OptionError, match="Dropout: p is the probability to drop"):
        nn.Dropout(p)


def test_repr() -> None:
    assert repr(nn.Dropout(0.3)) == "Dropout(0.3)"
    assert repr(nn.LeakyReLU(0.2)) == "LeakyReLU(0.2)"
    assert repr(nn.ReLU()) == "ReLU()"


@pytest.mark.parametrize("dim", [0, 1, -1])
def test_softmax_and_its_logarithm(dim: int, check_layer) -> None:
    x = np.random.default_rng(0).standard_normal((3, 4))
    powers = np.exp(x)
    expected = powers / powers.sum(axis=dim, keepdims=True)
    assert nn.Softmax(dim)(tensor(x)).data == pytest.approx(expected)
    assert nn.LogSoftmax(dim=dim)(tensor(x)).data == pytest.approx(np.log(expected))
    check_layer(nn.LogSoftmax(dim), 3, 4)
    assert repr(nn.Softmax(dim)) == f"Softmax(dim={dim})"


@pytest.mark.parametrize(("kind", "size"), [(nn.Dropout1d, (5,)), (nn.Dropout2d, (2, 3)), (nn.Dropout3d, (2, 1, 2))])
def test_channels_are_dropped_whole(backend, kind, size) -> None:
    x = tensor(np.ones((40, 50, *size), np.float32), requires_grad=True)
    layer = kind(0.25, rng=np.random.default_rng(0))
    y = layer(x)
    channels = y.numpy().reshape(2000, -1)
    assert (channels == channels[:, :1]).all()
    assert set(channels[:, 0]) == {np.float32(0), np.float32(4 / 3)}
    assert (channels[:, 0] == 0).mean() == pytest.approx(0.25, abs=0.04)
    y.sum().backward()
    assert (x.grad.numpy() == y.numpy()).all()
    assert layer.eval()(x) is x
    with pytest.raises(ShapeError, match=f"{kind.__name__}: x must be"):
        layer.train()(tensor(np.ones((2, 2), np.float32)))
    with pytest.raises(OptionError, match=f"{kind.__name__}: p is the probability to drop"):
        kind(1.0)


@pytest.mark.parametrize(
    "make",
    [
        lambda inplace: nn.ReLU(inplace=inplace),
        nn.ReLU,
        lambda inplace: nn.LeakyReLU(0.1, inplace),
        lambda inplace: nn.SiLU(inplace=inplace),
        lambda inplace: nn.Dropout2d(0.1, inplace),
    ],
)
def test_nothing_is_written_in_place(make) -> None:
    make(False)
    with pytest.raises(OptionError, match="inplace=True is not possible, results are never written in place"):
        make(True)
