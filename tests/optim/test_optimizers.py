"""SGD, Adam and AdamW against formulas written out number by number, and against PyTorch's results."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from minidil.errors import OptionError
from minidil.nn import Parameter
from minidil.optim import SGD, Adam, AdamW, Optimizer

STEPS = 25
START = [1.0, -2.0, 0.5]
SLOPES = [1.0, 10.0, 0.1]
TARGETS = [0.3, -1.0, 2.0]

# Parameters after 25 steps of PyTorch 2.13 in float64 on the loss whose gradient `slope` gives.
PYTORCH: list[tuple[type[Optimizer], dict[str, Any], list[float]]] = [
    (SGD, {"lr": 0.05}, [0.31090482813911485, -0.9953529877445357, 0.34421205220561146]),
    (SGD, {"lr": 0.05, "weight_decay": 0.1}, [0.27727484314973166, -0.9845494825563482, 0.30749291488681624]),
    (SGD, {"lr": 0.05, "momentum": 0.9}, [0.32687240357107766, -1.2313564570685573, 0.20345693538863444]),
    (
        SGD,
        {"lr": 0.05, "momentum": 0.9, "dampening": 0.4, "weight_decay": 0.01},
        [0.26563062715186425, -0.9343556256487365, 0.14000821054700338],
    ),
    (
        SGD,
        {"lr": 0.05, "momentum": 0.9, "nesterov": True, "weight_decay": 0.01},
        [0.20697993574659304, -0.9944076736259171, 0.20656389727593624],
    ),
    (Adam, {"lr": 0.05}, [0.017615163958896545, -0.983503680477116, 0.2637080388598135]),
    (
        Adam,
        {"lr": 0.05, "betas": (0.8, 0.95), "eps": 1e-3, "weight_decay": 0.1},
        [0.09182199232321273, -1.0370405119653787, 0.1874841962727678],
    ),
    (AdamW, {"lr": 0.05}, [0.016531871615829967, -0.97193558902139, 0.26318707413287595]),
    (
        AdamW,
        {"lr": 0.05, "betas": (0.8, 0.95), "eps": 1e-3, "weight_decay": 0.5},
        [0.11307486581428278, -0.7796557346505577, 0.196425971063421],
    ),
]
NAMES = [f"{kind.__name__}-{'-'.join(options)}" for kind, options, _ in PYTORCH]


def slope(theta: float, i: int) -> float:
    """The derivative of SLOPES (theta - TARGETS)^2 / 2 - cos(3 theta) / 10: not convex, and steep in one place."""
    return SLOPES[i] * (theta - TARGETS[i]) + 0.3 * math.sin(3 * theta)


def train(kind: type[Optimizer], options: dict[str, Any], dtype: type = np.float64, steps: int = STEPS) -> np.ndarray:
    parameter = Parameter(np.array(START, dtype))
    optimizer = kind([parameter], **options)
    for _ in range(steps):
        parameter.grad = Parameter(np.array([slope(float(x), i) for i, x in enumerate(parameter.data)], dtype)).detach()
        optimizer.step()
    return parameter.data


def sgd_by_hand(theta: float, i: int, lr, momentum=0.0, dampening=0.0, weight_decay=0.0, nesterov=False) -> float:
    velocity = 0.0
    for t in range(STEPS):
        g = slope(theta, i) + weight_decay * theta
        velocity = g if t == 0 else momentum * velocity + (1 - dampening) * g
        theta -= lr * (g + momentum * velocity if nesterov else velocity if momentum else g)
    return theta


def adam_by_hand(
    theta: float, i: int, lr=1e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.0, decoupled=False
) -> float:
    gradients: list[float] = []
    for t in range(1, STEPS + 1):
        gradients.append(slope(theta, i) + (0.0 if decoupled else weight_decay * theta))
        # The averages as sums over the whole history, not as recurrences; the shares of the past add up to 1 - beta^t.
        shares = [[(1 - beta) * beta ** (t - 1 - k) for k in range(t)] for beta in betas]
        mean = sum(s * g for s, g in zip(shares[0], gradients, strict=True)) / sum(shares[0])
        square = sum(s * g * g for s, g in zip(shares[1], gradients, strict=True)) / sum(shares[1])
        if decoupled:
            theta -= lr * weight_decay * theta
        theta -= lr * mean / (math.sqrt(square) + eps)
    return theta


BY_HAND: dict[type[Optimizer], Callable[..., float]] = {
    SGD: sgd_by_hand,
    Adam: adam_by_hand,
    AdamW: lambda theta, i, **options: adam_by_hand(theta, i, **{"weight_decay": 0.01, **options}, decoupled=True),
}


@pytest.mark.parametrize(("kind", "options", "expected"), PYTORCH, ids=NAMES)
def test_pytorchs_results(kind, options: dict[str, Any], expected: list[float], backend: str) -> None:
    assert train(kind, options) == pytest.approx(np.array(expected), rel=1e-12)


@pytest.mark.parametrize(("kind", "options", "expected"), PYTORCH, ids=NAMES)
def test_formulas_by_hand(kind, options: dict[str, Any], expected: list[float]) -> None:
    by_hand = [BY_HAND[kind](theta, i, **options) for i, theta in enumerate(START)]
    assert train(kind, options) == pytest.approx(np.array(by_hand), rel=1e-9)


@pytest.mark.parametrize(("kind", "options", "expected"), PYTORCH, ids=NAMES)
def test_float32_stays_float32(kind, options: dict[str, Any], expected: list[float]) -> None:
    result = train(kind, {**options, "lr": np.float64(options["lr"])}, np.float32)
    assert result.dtype == np.float32
    assert result == pytest.approx(np.array(expected), rel=2e-4)


@pytest.mark.parametrize("kind", [SGD, Adam, AdamW])
def test_a_parameter_without_axes(kind) -> None:
    parameter = Parameter(np.array(2.0, np.float32))
    optimizer = kind([parameter], lr=0.1)
    for _ in range(3):
        parameter.grad = Parameter(np.array(1.0, np.float32)).detach()
        optimizer.step()
    assert parameter.data.shape == ()
    assert parameter.item() < 2


def test_adams_first_step_is_lr_in_the_direction_of_the_sign() -> None:
    parameter = Parameter(np.zeros(3))
    parameter.grad = Parameter(np.array([1e-3, -50.0, 0.0])).detach()
    Adam([parameter], lr=0.01).step()
    assert parameter.data == pytest.approx(np.array([-0.01, 0.01, 0.0]), rel=1e-4)


@pytest.mark.parametrize(
    ("kind", "options", "message"),
    [
        (SGD, {"lr": -1}, "SGD: lr must be a finite number >= 0, not -1"),
        (SGD, {"lr": math.nan}, "SGD: lr"),
        (SGD, {"lr": math.inf}, "SGD: lr"),
        (SGD, {"lr": 1, "momentum": 1}, "SGD: momentum must be a number >= 0 and < 1, not 1"),
        (SGD, {"lr": 1, "momentum": 0.9, "dampening": 2}, "SGD: dampening"),
        (SGD, {"lr": 1, "weight_decay": -0.1}, "SGD: weight_decay"),
        (SGD, {"lr": 1, "nesterov": True}, "SGD: nesterov needs momentum > 0 and dampening 0, not 0.0 and 0.0"),
        (SGD, {"lr": 1, "nesterov": True, "momentum": 0.9, "dampening": 0.1}, "SGD: nesterov"),
        (Adam, {"betas": (0.9, 1.0)}, r"Adam: betas\[1\] must be a number >= 0 and < 1, not 1.0"),
        (Adam, {"betas": (0.9,)}, "Adam: betas must be two numbers"),
        (Adam, {"betas": 0.9}, "Adam: betas must be two numbers, not 0.9"),
        (AdamW, {"eps": 0}, "AdamW: eps must be a finite number > 0, not 0"),
        (SGD, {"lr": "0.1"}, "SGD: lr must be a finite number >= 0, not '0.1'"),
        (SGD, {"lr": 0.1, "momentum": None}, "SGD: momentum must be a number >= 0 and < 1, not None"),
    ],
)
def test_options_out_of_range(kind, options: dict[str, Any], message: str) -> None:
    with pytest.raises(OptionError, match=message):
        kind([Parameter(np.zeros(1))], **options)
