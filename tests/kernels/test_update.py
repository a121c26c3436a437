"""The update formulas as kernels: new arrays out, nothing written into, on every backend."""

import numpy as np
import pytest

from minidil.kernels.backend import active

THETA = np.array([1.0, -2.0], np.float32)
GRAD = np.array([0.5, 0.25], np.float32)
SGD = {"lr": 0.1, "momentum": 0.0, "dampening": 0.0, "weight_decay": 0.0, "nesterov": False}
ADAM = {"lr": 0.1, "beta1": 0.9, "beta2": 0.99, "eps": 1e-8, "weight_decay": 0.0}


@pytest.fixture(autouse=True)
def _read_only(monkeypatch: pytest.MonkeyPatch) -> None:
    for array in (THETA, GRAD):
        array.flags.writeable = False  # writing into an argument would raise


def test_plain_descent(backend: str) -> None:
    theta, velocity = active().sgd_update(THETA, GRAD, None, **SGD)
    assert theta == pytest.approx(np.array([0.95, -2.025]))
    assert velocity is None
    assert theta.dtype == np.float32


def test_momentum_starts_with_the_gradient(backend: str) -> None:
    options = {**SGD, "momentum": 0.5, "dampening": 0.5}
    theta, velocity = active().sgd_update(THETA, GRAD, None, **options)
    assert velocity == pytest.approx(GRAD)
    velocity.flags.writeable = False
    theta, velocity = active().sgd_update(theta, GRAD, velocity, **options)
    assert velocity == pytest.approx(0.5 * GRAD + 0.5 * GRAD)
    assert theta == pytest.approx(THETA - 0.2 * GRAD)


def test_nesterov_looks_ahead(backend: str) -> None:
    theta, _ = active().sgd_update(THETA, GRAD, None, **{**SGD, "momentum": 0.5, "nesterov": True})
    assert theta == pytest.approx(THETA - 0.1 * 1.5 * GRAD)


@pytest.mark.parametrize("kernel", ["adam_update", "adamw_update"])
def test_adams_averages(kernel: str, backend: str) -> None:
    zeros = active().zeros_like(THETA)
    zeros.flags.writeable = False
    theta, mean, square = getattr(active(), kernel)(THETA, GRAD, zeros, zeros, step=1, **ADAM)
    assert mean == pytest.approx(0.1 * GRAD)
    assert square == pytest.approx(0.01 * GRAD**2)
    assert theta == pytest.approx(THETA - 0.1, rel=1e-5)
    assert {array.dtype for array in (theta, mean, square)} == {np.dtype(np.float32)}


def test_decay_is_coupled_in_adam_and_decoupled_in_adamw(backend: str) -> None:
    zeros, none = np.zeros(2, np.float32), np.zeros(2, np.float32)
    options = {**ADAM, "weight_decay": 0.5}
    coupled, *_ = active().adam_update(THETA, none, zeros, zeros, step=1, **options)
    decoupled, *_ = active().adamw_update(THETA, none, zeros, zeros, step=1, **options)
    assert coupled == pytest.approx(THETA - 0.1 * np.sign(THETA), rel=1e-5)
    assert decoupled == pytest.approx(0.95 * THETA)


def test_square_sum_in_float64(backend: str) -> None:
    assert active().square_sum(np.array([3, 4], np.float32)) == 25
    assert active().square_sum(np.full(2, 1e30, np.float32)) == pytest.approx(2e60)
    assert active().square_sum(np.zeros((0, 2), np.float32)) == 0
