"""RMSprop against a loop over single numbers in float64, on every backend; its state; and the emulated device."""

import math
from importlib import import_module
from typing import Any

import numpy as np
import pytest

import minidil as md
from minidil.errors import CheckpointError, OptionError
from minidil.kernels.cuda.target import problem
from minidil.nn import Parameter
from minidil.optim import RMSprop

START = [1.0, -2.0, 0.5]
OPTIONS: list[dict[str, Any]] = [
    {},
    {"alpha": 0.9, "weight_decay": 0.1},
    {"momentum": 0.9},
    {"centered": True, "eps": 1e-3},
    {"centered": True, "momentum": 0.5, "weight_decay": 0.01, "alpha": 0.8},
]


def slope(theta: float) -> float:
    return 3 * (theta - 0.3) + 0.3 * math.sin(3 * theta)


def by_hand(theta, steps, lr=0.01, alpha=0.99, eps=1e-8, weight_decay=0.0, momentum=0.0, centered=False) -> float:
    square = mean = velocity = 0.0
    for _ in range(steps):
        g = slope(theta) + weight_decay * theta
        square = alpha * square + (1 - alpha) * g**2
        mean = alpha * mean + (1 - alpha) * g
        velocity = momentum * velocity + g / (math.sqrt(square - mean**2 if centered else square) + eps)
        theta -= lr * velocity
    return theta


def moved(optimizer: RMSprop, parameter: Parameter, steps: int) -> np.ndarray:
    for _ in range(steps):
        slopes = np.array([slope(float(x)) for x in parameter.numpy()], parameter.dtype)
        parameter.grad = md.tensor(slopes)
        optimizer.step()
    return parameter.numpy()


@pytest.mark.parametrize("options", OPTIONS)
def test_it_is_the_loop(backend: str, options: dict[str, Any]) -> None:
    parameter = Parameter(np.array(START))
    expected = [by_hand(theta, 25, **options) for theta in START]
    assert moved(RMSprop([parameter], **options), parameter, 25) == pytest.approx(np.array(expected), rel=1e-9)


@pytest.mark.parametrize("options", OPTIONS)
def test_float32_stays_float32_and_goes_on_from_its_state(options: dict[str, Any]) -> None:
    whole, first = (Parameter(np.array(START, np.float32)) for _ in range(2))
    expected = moved(RMSprop([whole], **options), whole, 6)
    before = RMSprop([first], **options)
    moved(before, first, 3)
    after = RMSprop([first], **options)
    after.load_state_dict(before.state_dict())
    result = moved(after, first, 3)
    assert result.dtype == np.float32
    assert result.tobytes() == expected.tobytes()


def test_a_state_that_does_not_fit_is_refused() -> None:
    optimizer = RMSprop([Parameter(np.zeros(2))], centered=True)
    state = optimizer.state_dict()
    state["state"] = [{"square": np.zeros(2), "mean": np.zeros(3)}]
    with pytest.raises(CheckpointError, match=r"parameter 0 of shape \(2,\) has shape \(3,\) for mean"):
        optimizer.load_state_dict(state)


def test_a_gradient_that_does_not_change_stays_finite() -> None:
    """Its variance is 0, and rounding must not bring it below."""
    parameter = Parameter(np.full(4, 0.1, np.float32))
    optimizer = RMSprop([parameter], centered=True, alpha=0.5, eps=1.0)
    for _ in range(60):
        parameter.grad = md.tensor(np.array([0.1, 1 / 3, 7.7, 1e-3], np.float32))
        optimizer.step()
    assert np.isfinite(parameter.numpy()).all()


@pytest.mark.parametrize(
    ("options", "message"),
    [({"alpha": 1}, "alpha must be"), ({"momentum": -0.1}, "momentum must be"), ({"eps": 0}, "eps must be")],
)
def test_options_out_of_range(options: dict[str, Any], message: str) -> None:
    with pytest.raises(OptionError, match=f"RMSprop: {message}"):
        RMSprop([Parameter(np.zeros(1))], **options)


@pytest.mark.slow
@pytest.mark.parametrize("options", [OPTIONS[1], OPTIONS[4]])
def test_on_the_emulated_device(monkeypatch: pytest.MonkeyPatch, options: dict[str, Any]) -> None:
    if missing := problem("emulator"):
        pytest.skip(f"cuda {missing}")
    monkeypatch.setenv("MINIDIL_CUDA", "emulator")
    parameter = Parameter(np.array(START, np.float32))
    with md.use("cuda"), import_module("minidil.kernels.cuda.choice").kernel_version("tiled"):
        result = moved(RMSprop([parameter], **options), parameter, 4)
    assert result == pytest.approx(np.array([by_hand(theta, 4, **options) for theta in START]), rel=1e-4)
