"""Activation layers and dropout."""

import math

import numpy as np
import pytest

import minidil as md
from minidil import nn
from minidil.errors import OptionError
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
