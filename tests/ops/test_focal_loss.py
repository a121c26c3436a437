"""The focal loss against the formulas of the paper, and smooth L1 as another name of the Huber loss."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

import minidil as md
import minidil.functional as F
from minidil.errors import DtypeError, OptionError, ShapeError
from minidil.testing import check_gradients

X = np.linspace(-9, 9, 24).reshape(2, 12)
T = np.tile([1.0, 0.0, 0.0], 8).reshape(2, 12)


def paper(x, t, alpha, gamma):
    """Equations 2, 3 and 5 and the derivative of appendix B, written with y = 1 or -1."""
    y = np.where(t == 1, 1, -1)
    p = 1 / (1 + np.exp(-x))
    pt, at = np.where(t == 1, p, 1 - p), np.where(t == 1, alpha, 1 - alpha)
    return -at * (1 - pt) ** gamma * np.log(pt), at * y * (1 - pt) ** gamma * (gamma * pt * np.log(pt) + pt - 1)


@pytest.mark.parametrize("gamma", [0, 0.5, 1, 2.0, 5])
@pytest.mark.parametrize("alpha", [0.25, 0.9])
def test_value_and_derivative_of_the_paper(backend, alpha, gamma):
    x = md.tensor(X, requires_grad=True)
    y = F.focal_loss(x, T, alpha=alpha, gamma=gamma, reduction="none")
    y.backward(gradient=np.ones(y.shape))
    value, slope = paper(X, T, alpha, gamma)
    assert_allclose(y.numpy(), value, rtol=1e-9, atol=1e-15)
    assert_allclose(x.grad.numpy(), slope, rtol=1e-9, atol=1e-15)


@given(st.sampled_from([None, 0.0, 0.25, 1.0]), st.sampled_from([0, 0.3, 1, 2, 3.5]), st.sampled_from(["mean", "sum"]))
def test_gradients_also_for_targets_between(alpha, gamma, reduction):
    t = np.random.default_rng(0).uniform(0, 1, X.shape)
    check_gradients(lambda x: F.focal_loss(x, t, alpha=alpha, gamma=gamma, reduction=reduction), X / 2)


def test_without_focus_it_is_cross_entropy(backend):
    t = np.random.default_rng(0).uniform(0, 1, X.shape)
    expected = F.binary_cross_entropy_with_logits(X, t).numpy()
    assert_allclose(F.focal_loss(X, t, alpha=None, gamma=0).numpy(), expected)
    assert_allclose(F.focal_loss(X, t, alpha=0.5, gamma=0).numpy(), expected / 2)


def test_a_sure_and_right_answer_costs_next_to_nothing(backend):
    """Section 3.2: with gamma = 2 an example at p = 0.9 costs 100 times less than in cross-entropy, at 0.968 1,000 times."""
    p = np.array([0.9, 0.96837722])
    x = np.log(p / (1 - p))
    share = F.focal_loss(x, np.ones(2), alpha=None, reduction="none").numpy() / -np.log(p)
    assert_allclose(share, [1 / 100, 1 / 1000], rtol=1e-6)


def test_reductions(backend):
    each = F.focal_loss(X, T, reduction="none").numpy()
    assert_allclose(F.focal_loss(X, T).numpy(), each.mean())
    assert_allclose(F.focal_loss(X, T, reduction="sum").numpy(), each.sum())


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        ({"gamma": -1}, OptionError, "gamma must be a number >= 0, not -1"),
        ({"gamma": np.inf}, OptionError, "gamma must be a number >= 0, not inf"),
        ({"gamma": np.nan}, OptionError, "gamma must be a number >= 0, not nan"),
        ({"alpha": 1.5}, OptionError, "alpha must lie in 0..1, or be None, not 1.5"),
        ({"target": T + 1}, OptionError, "targets are probabilities in 0..1, but target holds 1..2"),
        ({"target": T[0]}, ShapeError, r"x \(2, 12\) and target \(12,\) must have one shape"),
        ({"target": T.astype(int)}, DtypeError, "x is float64 but target is int64"),
    ],
)
def test_refused(backend, given, error, message):
    with pytest.raises(error, match="^focal_loss: " + message):
        F.focal_loss(X, **{"target": T, **given})


@given(st.sampled_from([1.0, 1 / 9, 2.5]))
def test_smooth_l1_is_the_huber_loss_over_its_delta(beta):
    """Girshick 2015, arXiv:1504.08083, equation 3, has beta = 1; with it 0.5 e^2 / beta below beta, |e| - beta / 2 beyond."""
    error = np.array([-4, -beta, -beta / 2, 0, beta / 3, beta, 7])
    smooth = np.where(np.abs(error) < beta, 0.5 * error**2 / beta, np.abs(error) - beta / 2)
    x = md.tensor(error, requires_grad=True)
    y = F.huber_loss(x, np.zeros(7), delta=beta, reduction="none") / beta
    y.backward(gradient=np.ones(7))
    assert_allclose(y.numpy(), smooth)
    assert_allclose(x.grad.numpy(), np.clip(error / beta, -1, 1))
    assert_array_equal(np.sign(x.grad.numpy()), np.sign(error))
