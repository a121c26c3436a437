"""Chapter 7, optimizers: a step with momentum, a step of AdamW, and a rate that warms up and falls along a cosine."""

import math
from types import SimpleNamespace
from typing import Any

import numpy as np

from minidil.array import Array
from minidil.classroom.draw import Draw
from minidil.classroom.exercise import Exercise, Mistake
from minidil.kernels.reference import update
from minidil.schedule import Cosine, Warmup

# What is expected


def sgd_step(
    theta: Array, grad: Array, velocity: Array, lr: float, momentum: float, nesterov: bool
) -> tuple[Array, Array]:
    """The new weights and the new velocity."""
    new = momentum * velocity + grad
    return theta - lr * (grad + momentum * new if nesterov else new), new


def adamw_step(
    theta: Array,
    grad: Array,
    mean: Array,
    square: Array,
    step: int,
    lr: float,
    beta1: float,
    beta2: float,
    eps: float,
    weight_decay: float,
) -> tuple[Array, Array, Array]:
    """The new weights and the two new moving averages. step: 1 at the first."""
    rates = {"lr": lr, "beta1": beta1, "beta2": beta2, "eps": eps, "weight_decay": weight_decay}
    return update.adamw_update(theta, grad, mean, square, step=step, **rates)


def rate(step: int, peak: float, warmup: int, total: int) -> float:
    """Of the step that follows `step` others."""
    optimizer: Any = SimpleNamespace(param_groups=[{"lr": peak}])
    return peak * Warmup(optimizer, warmup, Cosine(optimizer, total - warmup)).factor(step)


# How cases are drawn


def _sgd_cases(draw: Draw) -> dict[str, Any]:
    count = draw.integer(1, 4)
    return {
        "theta": draw.reals(count),
        "grad": draw.reals(count),
        "velocity": draw.reals(count),
        "lr": draw.choice((1.0, 0.5, 0.1)),
        "momentum": draw.choice((0.5, 0.9, 0.0)),
        "nesterov": draw.choice((False, True)),
    }


def _adamw_cases(draw: Draw) -> dict[str, Any]:
    count = draw.integer(1, 4)
    return {
        "theta": draw.reals(count),
        "grad": draw.reals(count),
        "mean": draw.reals(count),
        "square": np.abs(draw.reals(count)),
        "step": draw.integer(1, 5),
        "lr": draw.choice((0.5, 0.1)),
        "beta1": draw.choice((0.5, 0.9)),
        "beta2": draw.choice((0.5, 0.99)),
        "eps": draw.choice((1.0, 0.1, 1e-8)),
        "weight_decay": draw.choice((0.5, 0.01, 0.0)),
    }


def _rate_cases(draw: Draw) -> dict[str, Any]:
    warmup = draw.integer(1, 5)
    total = warmup + draw.integer(1, 8)
    return {
        "step": draw.integer(0, total + 2),
        "peak": draw.choice((1.0, 0.5, 0.1)),
        "warmup": warmup,
        "total": total,
    }


# What students get wrong


def _sgd_rate_inside(
    theta: Array, grad: Array, velocity: Array, lr: float, momentum: float, nesterov: bool
) -> tuple[Array, Array]:
    new = momentum * velocity + lr * grad
    return theta - (lr * grad + momentum * new if nesterov else new), new


def _sgd_averaged(
    theta: Array, grad: Array, velocity: Array, lr: float, momentum: float, nesterov: bool
) -> tuple[Array, Array]:
    new = momentum * velocity + (1 - momentum) * grad
    return theta - lr * (grad + momentum * new if nesterov else new), new


def _sgd_old_velocity(
    theta: Array, grad: Array, velocity: Array, lr: float, momentum: float, nesterov: bool
) -> tuple[Array, Array]:
    new = momentum * velocity + grad
    return theta - lr * (grad + momentum * velocity if nesterov else velocity), new


def _sgd_plain(
    theta: Array, grad: Array, velocity: Array, lr: float, momentum: float, nesterov: bool
) -> tuple[Array, Array]:
    return sgd_step(theta, grad, velocity, lr, momentum, False)


def _sgd_nesterov_whole(
    theta: Array, grad: Array, velocity: Array, lr: float, momentum: float, nesterov: bool
) -> tuple[Array, Array]:
    new = momentum * velocity + grad
    return theta - lr * (grad + new if nesterov else new), new


def _sgd_uphill(
    theta: Array, grad: Array, velocity: Array, lr: float, momentum: float, nesterov: bool
) -> tuple[Array, Array]:
    down, new = sgd_step(theta, grad, velocity, lr, momentum, nesterov)
    return 2 * theta - down, new


def _adamw_with(
    theta: Array,
    grad: Array,
    mean: Array,
    square: Array,
    step: int,
    lr: float,
    beta1: float,
    beta2: float,
    eps: float,
    weight_decay: float,
    mistake: str,
) -> tuple[Array, Array, Array]:
    if mistake == "decay through the gradient":
        grad = grad + weight_decay * theta
    mean, square = beta1 * mean + (1 - beta1) * grad, beta2 * square + (1 - beta2) * grad**2
    if mistake == "beta for 1 - beta":
        mean, square = mean / (1 - beta1), square / (1 - beta2)
    count = step - 1 if mistake == "counts from 0" else step
    corrected, spread = mean / (1 - beta1**count), square / (1 - beta2**count)
    if mistake == "no correction":
        corrected, spread = mean, square
    scale = np.sqrt(spread + eps) if mistake == "eps inside" else np.sqrt(spread) + eps
    decay = {"decay through the gradient": 0.0, "without the rate": weight_decay}.get(mistake, lr * weight_decay)
    return theta - decay * theta - lr * corrected / scale, mean, square


def _adamw_mistake(mistake: str) -> Any:
    def wrong(**case: Any) -> tuple[Array, Array, Array]:
        return _adamw_with(**case, mistake=mistake)

    return wrong


def _rate_from_zero(step: int, peak: float, warmup: int, total: int) -> float:
    return peak * step / (warmup + 1) if step < warmup else rate(step, peak, warmup, total)


def _rate_early_peak(step: int, peak: float, warmup: int, total: int) -> float:
    return peak * (step + 1) / warmup if step < warmup else rate(step, peak, warmup, total)


def _rate_of_all_steps(step: int, peak: float, warmup: int, total: int) -> float:
    if step < warmup:
        return rate(step, peak, warmup, total)
    return peak * (1 + math.cos(math.pi * min(step / total, 1))) / 2


def _rate_unhalved(step: int, peak: float, warmup: int, total: int) -> float:
    if step < warmup:
        return rate(step, peak, warmup, total)
    return peak * math.cos(math.pi * min((step - warmup) / (total - warmup), 1))


def _rate_of_quarter(step: int, peak: float, warmup: int, total: int) -> float:
    if step < warmup:
        return rate(step, peak, warmup, total)
    return peak * math.cos(math.pi / 2 * min((step - warmup) / (total - warmup), 1))


def _rate_rises_again(step: int, peak: float, warmup: int, total: int) -> float:
    if step < warmup:
        return rate(step, peak, warmup, total)
    return peak * (1 + math.cos(math.pi * (step - warmup) / (total - warmup))) / 2


def _rate_too_long(step: int, peak: float, warmup: int, total: int) -> float:
    return rate(step, peak, warmup, total + warmup)


EXERCISES = (
    Exercise(
        name="ex07_1",
        title="A step with momentum",
        function="my_sgd_step",
        signature="my_sgd_step(theta, grad, velocity, lr, momentum, nesterov)",
        cases=_sgd_cases,
        expected=sgd_step,
        returns=("theta", "velocity"),
        hints=(
            "First the velocity: a share `momentum` of the old one stays, and the gradient is added to it whole. "
            "Then the weights move against it.",
            "The rate lr multiplies the step, not what enters the velocity. Nesterov changes the direction only: it "
            "looks one share of the new velocity ahead.",
            "new = momentum * velocity + grad; direction = grad + momentum * new if nesterov else new; return theta "
            "- lr * direction, new.",
        ),
        mistakes=(
            Mistake(
                "the rate stands inside the velocity",
                _sgd_rate_inside,
                "lr is multiplied with the gradient before it enters the velocity, so a change of lr would take "
                "effect only bit by bit. Where is lr in the formula of the exercise?",
            ),
            Mistake(
                "the velocity is a mean",
                _sgd_averaged,
                "You multiply the gradient by 1 - momentum, as Adam does for its mean. Here it enters whole.",
            ),
            Mistake(
                "the weights move by the old velocity",
                _sgd_old_velocity,
                "The new velocity is returned, but the step is made with the old one: this gradient has no effect on it.",
            ),
            Mistake(
                "nesterov is ignored",
                _sgd_plain,
                "With nesterov you do the same as without. (So does grad + momentum * velocity with the old velocity: that "
                "is just the new one.) Which velocity is ahead?",
            ),
            Mistake(
                "Nesterov adds the velocity whole",
                _sgd_nesterov_whole,
                "With nesterov the step is grad + velocity: this gradient counts twice. How large a share of the new "
                "velocity is left one step ahead?",
            ),
            Mistake(
                "uphill",
                _sgd_uphill,
                "The gradient points to where the loss grows. The step goes the other way.",
            ),
        ),
        points=2,
        minutes=15,
        forbidden=("minidil.optim.SGD", "minidil.kernels.reference.update.sgd_update"),
    ),
    Exercise(
        name="ex07_2",
        title="A step of AdamW",
        function="my_adamw_step",
        signature="my_adamw_step(theta, grad, mean, square, step, lr, beta1, beta2, eps, weight_decay)",
        cases=_adamw_cases,
        expected=adamw_step,
        returns=("theta", "mean", "square"),
        hints=(
            "There are three parts: the two averages, their correction for having started at 0, and the step. The "
            "decay is none of them: it acts on theta alone.",
            "The new averages are what is returned; the corrected ones, divided by 1 - beta ** step, are used for "
            "this step only. eps is added outside the root.",
            "mean = beta1 * mean + (1 - beta1) * grad, square likewise with grad ** 2; then theta - lr * "
            "weight_decay * theta - lr * (mean / (1 - beta1 ** step)) / (np.sqrt(square / (1 - beta2 ** step)) + "
            "eps).",
        ),
        mistakes=(
            Mistake(
                "decay through the gradient",
                _adamw_mistake("decay through the gradient"),
                "weight_decay * theta is added to the gradient, so it is divided by the root of the squares like it. "
                "That is Adam with L2; AdamW takes the decay off the weights themselves.",
            ),
            Mistake(
                "the averages are not corrected",
                _adamw_mistake("no correction"),
                "The averages began at 0 and are too small in the first steps. By which factor?",
            ),
            Mistake(
                "eps inside the root",
                _adamw_mistake("eps inside"),
                "eps is added before the root is taken. It stands outside.",
            ),
            Mistake(
                "decay without the rate",
                _adamw_mistake("without the rate"),
                "The decay is as strong as ever when the rate has become small: it is multiplied by lr as the step is.",
            ),
            Mistake(
                "the gradient enters the averages whole",
                _adamw_mistake("beta for 1 - beta"),
                "What is kept and what is added are to make 1 together, else these are no averages.",
            ),
            Mistake(
                "steps counted from 0",
                _adamw_mistake("counts from 0"),
                "step is 1 at the first step already. With one less, the first correction divides by 0.",
            ),
        ),
        points=3,
        minutes=25,
        forbidden=(
            "minidil.optim.Adam",
            "minidil.optim.AdamW",
            "minidil.kernels.reference.update.adamw_update",
        ),
    ),
    Exercise(
        name="ex07_3",
        title="Warm up, then a cosine",
        function="my_rate",
        signature="my_rate(step, peak, warmup, total)",
        cases=_rate_cases,
        expected=rate,
        hints=(
            "There are three pieces: before step number `warmup`, from there to `total`, and beyond. Check your "
            "formula at the ends of each.",
            "In the second piece the way that has been gone is (step - warmup) / (total - warmup), from 0 to 1. "
            "Which cosine is 1 at the beginning and 0 at the end, and flat at both?",
            "peak * (step + 1) / (warmup + 1) while step < warmup; then peak * (1 + cos(pi * way)) / 2 with the way "
            "not beyond 1.",
        ),
        mistakes=(
            Mistake(
                "the first step has the rate 0",
                _rate_from_zero,
                "A step with the rate 0 is thrown away: the first of the warm-up is to do something already.",
            ),
            Mistake(
                "the warm-up arrives a step too early",
                _rate_early_peak,
                "The peak is reached by step number `warmup`, not by the one before it.",
            ),
            Mistake(
                "the cosine begins at step 0",
                _rate_of_all_steps,
                "The cosine is a part of its way down when the warm-up ends, so the rate jumps. Where does its way begin?",
            ),
            Mistake(
                "the cosine falls to -1",
                _rate_unhalved,
                "cos falls from 1 to -1, and a negative rate climbs. How do you bring it to 1 ... 0?",
            ),
            Mistake(
                "a quarter of a cosine",
                _rate_of_quarter,
                "It goes from the peak to 0, but drops steeply at the end. Half a cosine is flat at both ends.",
            ),
            Mistake(
                "the rate rises again",
                _rate_rises_again,
                "After `total` steps the cosine turns up again. The rate is to stay 0.",
            ),
            Mistake(
                "the cosine takes `total` steps",
                _rate_too_long,
                "The warm-up is part of the total: how many steps are left for the cosine?",
            ),
        ),
        points=2,
        minutes=15,
        forbidden=("minidil.schedule.Cosine", "minidil.schedule.Warmup"),
    ),
)
