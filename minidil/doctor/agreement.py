"""Whether a backend computes what NumPy computes: checks that run somewhere, and what they should give."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from minidil import functional as F
from minidil.doctor.cases import Case, cases
from minidil.doctor.kernel_calls import kernel_calls
from minidil.kernels.backend import use
from minidil.models import vgg_small
from minidil.optim import SGD, Adam, AdamW, Optimizer
from minidil.random import seed
from minidil.tensor import Tensor, tensor

Arrays = list[NDArray[Any]]

TOLERANCE = 2e-5
"""How far a float32 result may be from the float64 one, in units of the largest entry: 170 times the rounding of one
operation, since sums of a few thousand terms in another order and the GPU's approximate exp and log stand in between."""


@dataclass(frozen=True)
class Check:
    """Something to compute on a backend, and what it should give. The first array is the value, the others are gradients."""

    name: str
    shapes: str
    run: Callable[[str], Arrays]
    expected: Callable[[], Arrays]
    tolerance: float = TOLERANCE


@dataclass(frozen=True)
class Agreement:
    """How one check went. error, gradient_error: the largest difference, in units of the largest entry that is right;
    repeatable: the same bits twice; trouble: the error that was raised instead."""

    name: str
    shapes: str
    error: float | None
    gradient_error: float | None
    repeatable: bool | None
    trouble: str = ""
    tolerance: float = TOLERANCE

    @property
    def passed(self) -> bool:
        """Within the tolerance, and the same twice. Not-a-number is within nothing."""
        if self.error is None or self.gradient_error is None:
            return False
        return self.error <= self.tolerance and self.gradient_error <= self.tolerance and bool(self.repeatable)


def compare(backend: str, checks: Iterable[Check]) -> Iterator[Agreement]:
    """Run each check twice on the backend, and compare. What fails is a row as well."""
    for check in checks:
        try:
            found, again = check.run(backend), check.run(backend)
        except Exception as error:  # a GPU and its compiler fail in many ways, and the other checks are worth running
            message = " ".join(f"{type(error).__name__}: {error}".split())
            yield Agreement(check.name, check.shapes, None, None, None, message)
            continue
        errors = [_error(a, b) for a, b in zip(found, check.expected(), strict=True)]
        same = all(np.array_equal(a, b, equal_nan=a.dtype.kind == "f") for a, b in zip(found, again, strict=True))
        worst = float(np.max(errors[1:], initial=0))
        yield Agreement(check.name, check.shapes, errors[0], worst, same, tolerance=check.tolerance)


def _error(found: NDArray[Any], expected: NDArray[Any]) -> float:
    if found.shape != expected.shape or found.dtype.kind != expected.dtype.kind:
        return float("inf")
    difference = np.abs(np.subtract(found, expected, dtype=np.float64))
    return float(difference.max() / (np.abs(expected).max() + 1e-30))


# --- what is checked


def op_checks() -> list[Check]:
    """Every public function with its gradients, beside the same in float64."""
    return [
        Check(case.name, case.shapes, partial(evaluate, case), partial(evaluate, case, "numpy", np.float64))
        for case in cases()
    ]


def kernel_checks() -> list[Check]:
    """The kernels that no op reaches, beside NumPy's."""
    return [Check(f"kernel {call.name}", call.shapes, call.run, partial(call.run, "numpy")) for call in kernel_calls()]


def training_checks() -> list[Check]:
    """The losses of a small dilated VGG with every optimizer, beside NumPy in float32.

    The losses only: Adam divides by the size of a gradient, so that rounding can move a single weight far.
    """
    return [
        Check(f"training, {name}", "8x1x8x8", partial(train, name), partial(train, name, "numpy"), 1e-4)
        for name in OPTIMIZERS
    ]


def evaluate(case: Case, backend: str, dtype: DTypeLike = np.float32) -> Arrays:
    """The value and the gradient of every input, for an upstream gradient that is no constant."""

    def cast(array: NDArray[Any]) -> NDArray[Any]:
        return array.astype(dtype) if array.dtype.kind == "f" else array

    seed(0)  # for dropout
    with use(backend):
        tensors = [tensor(cast(array), requires_grad=True) for array in case.arrays]
        y = case.function(*tensors, **{name: cast(value) for name, value in case.constants.items()})
        y.backward(cast(np.random.default_rng(5).standard_normal(y.shape, dtype=np.float32)))
        return [y.numpy().copy(), *(_gradient(x) for x in tensors)]


def _gradient(x: Tensor) -> NDArray[Any]:
    assert x.grad is not None
    return x.grad.numpy().copy()


OPTIMIZERS: dict[str, Callable[[list[Tensor]], Optimizer]] = {
    "sgd": lambda parameters: SGD(parameters, lr=0.05, momentum=0.9, nesterov=True, weight_decay=1e-3),
    "adam": lambda parameters: Adam(parameters, lr=0.01, weight_decay=1e-3),
    "adamw": lambda parameters: AdamW(parameters, lr=0.01, weight_decay=1e-2),
}


def train(optimizer: str, backend: str, steps: int = 4) -> Arrays:
    """The losses of the first steps on noise, which is as good as digits to compare sums."""
    rng = np.random.default_rng(0)
    images, labels = rng.standard_normal((8, 1, 8, 8), dtype=np.float32), rng.integers(0, 10, 8)
    with use(backend):
        model = vgg_small(10, in_channels=1, widths=(5, 9), dilations=((1,), (2,)), rng=rng)
        stepper = OPTIMIZERS[optimizer](list(model.parameters()))
        losses = []
        for _ in range(steps):
            stepper.zero_grad()
            loss = F.cross_entropy(model(tensor(images)), labels)
            loss.backward()
            stepper.step()
            losses.append(loss.item())
    return [np.array(losses)]
