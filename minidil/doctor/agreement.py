"""Whether a backend computes what NumPy computes: every function and its gradients, beside the same in float64."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from minidil import functional as F
from minidil.doctor.cases import Case
from minidil.kernels.backend import use
from minidil.models import vgg_small
from minidil.optim import SGD, Adam, AdamW, Optimizer
from minidil.random import seed
from minidil.tensor import Tensor, tensor

TOLERANCE = 2e-5
"""How far a float32 result may be from the float64 one, in units of the largest entry: 170 times the rounding of one
operation, since sums of a few thousand terms in another order and the GPU's approximate exp and log stand in between."""


@dataclass(frozen=True)
class Agreement:
    """How one case fared. error, gradient_error: the largest difference to float64, in units of the largest entry there;
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


def compare(backend: str, cases: Iterable[Case]) -> Iterator[Agreement]:
    """Run each case twice on the backend, once in float64 on NumPy, and compare. What fails is a row as well."""
    for case in cases:
        try:
            found, again = evaluate(case, backend), evaluate(case, backend)
        except Exception as error:  # a GPU and its compiler fail in many ways, and the other cases are worth running
            yield Agreement(case.name, case.shapes, None, None, None, _one_line(error))
            continue
        expected = evaluate(case, "numpy", np.float64)
        errors = [_error(a, b) for a, b in zip(found, expected, strict=True)]
        same = all(np.array_equal(a, b, equal_nan=True) for a, b in zip(found, again, strict=True))
        yield Agreement(case.name, case.shapes, errors[0], float(np.max(errors[1:])), same)


def evaluate(case: Case, backend: str, dtype: DTypeLike = np.float32) -> list[NDArray[Any]]:
    """The value and the gradient of every input, for an upstream gradient that is no constant."""

    def cast(array: NDArray[Any]) -> NDArray[Any]:
        return array.astype(dtype) if array.dtype.kind == "f" else array

    seed(0)  # for dropout
    with use(backend):
        tensors = [tensor(cast(array), requires_grad=True) for array in case.arrays]
        y = case.function(*tensors, **{name: cast(value) for name, value in case.constants.items()})
        y.backward(cast(np.random.default_rng(5).standard_normal(y.shape, dtype=np.float32)))
        return [y.numpy().copy(), *(_gradient(x) for x in tensors)]


def compare_training(backend: str) -> Iterator[Agreement]:
    """A few steps of a small dilated VGG with every optimizer; error: of the losses, beside NumPy in float32.

    The losses only: Adam divides by the size of a gradient, so that rounding can move a single weight far.
    """
    for name in OPTIMIZERS:
        try:
            found, again = train_briefly(name, backend), train_briefly(name, backend)
        except Exception as error:
            yield Agreement(f"training, {name}", "8x1x8x8", None, None, None, _one_line(error))
            continue
        expected = train_briefly(name, "numpy")
        same = np.array_equal(found, again)
        yield Agreement(f"training, {name}", "8x1x8x8", _error(found, expected), 0.0, same, tolerance=1e-4)


OPTIMIZERS: dict[str, Callable[[list[Tensor]], Optimizer]] = {
    "sgd": lambda parameters: SGD(parameters, lr=0.05, momentum=0.9, nesterov=True, weight_decay=1e-3),
    "adam": lambda parameters: Adam(parameters, lr=0.01, weight_decay=1e-3),
    "adamw": lambda parameters: AdamW(parameters, lr=0.01, weight_decay=1e-2),
}


def train_briefly(name: str, backend: str, steps: int = 4) -> NDArray[Any]:
    """The losses of the first steps on noise, which is as good as digits to compare sums."""
    rng = np.random.default_rng(0)
    images, labels = rng.standard_normal((8, 1, 8, 8), dtype=np.float32), rng.integers(0, 10, 8)
    with use(backend):
        model = vgg_small(10, in_channels=1, widths=(5, 9), dilations=((1,), (2,)), rng=rng)
        optimizer = OPTIMIZERS[name](list(model.parameters()))
        losses = []
        for _ in range(steps):
            optimizer.zero_grad()
            loss = F.cross_entropy(model(tensor(images)), labels)
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
    return np.array(losses)


def _gradient(x: Tensor) -> NDArray[Any]:
    assert x.grad is not None
    return x.grad.numpy().copy()


def _error(found: NDArray[Any], expected: NDArray[Any]) -> float:
    if found.shape != expected.shape:
        return float("inf")
    return float(np.abs(found - expected).max() / (np.abs(expected).max() + 1e-30))


def _one_line(error: Exception) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())
