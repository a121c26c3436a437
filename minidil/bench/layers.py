"""The layers around the convolutions, each in the words of each library.

Most of them do little with each number that they read, so they are as fast as the memory, and GB/s is their measure. It counts
every array that goes in or comes out once, gradients included: what a fused, perfect implementation would have to move. One
that reads an array twice has less, and batch norm has to: it needs the mean before it can subtract it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np

from minidil import functional as F
from minidil import nn
from minidil.array import Array
from minidil.bench.cases import LayerCase
from minidil.bench.contestants import Function, deviations, family, work
from minidil.bench.results import Row, Subject, measure
from minidil.bench.updates import AROUND, around
from minidil.graph import no_grad
from minidil.kernels.backend import use
from minidil.tensor import tensor


def bench_layers(case: LayerCase, libraries: Sequence[str], rounds: int = 9) -> list[Row]:
    """The case in each library that has it: forward, and forward with the gradients; or one update; or one augmentation.

    ratio and ratio_mygrad as in `bench_conv`. gflops for linear, gbytes per second for everything else. error: the largest
    deviation of y and all gradients (of an update, of the parameter after three steps) from float64, relative to the largest
    value of each. Dropout has none, being random, and augmentation has none, since it only moves numbers.
    """
    subjects = [around(case, libraries)] if case.kind in AROUND else _differentiable(case, libraries)
    return [row for subject in subjects for row in measure(subject, rounds)]


def _differentiable(case: LayerCase, libraries: Sequence[str]) -> list[Subject]:
    rng = np.random.default_rng(0)
    inputs = [rng.standard_normal(shape, dtype=np.float32) for shape in _shapes(case)]
    spelled = {name: _SPELLED[name](case) for name in {"minidil", *map(family, libraries)}}
    with use("numpy"), no_grad():
        y = spelled["minidil"](*map(tensor, inputs))
    grad = np.asarray(rng.standard_normal(y.shape), np.float32)
    made = {library: work(library, spelled, inputs, grad) for library in libraries}
    works = {library: own for library, own in made.items() if own is not None}
    errors: dict[str, tuple[float, float]] = {}
    if case.kind != "dropout":
        precise = {"minidil": _minidil(case, np.float64)}
        exact = work("numpy", precise, [array.astype(np.float64) for array in inputs], grad.astype(np.float64))
        assert exact is not None  # minidil has all of these layers
        errors = deviations(works, exact)
    moved = 4 * (sum(array.size for array in inputs) + y.size)
    subjects = []
    for backward, part in enumerate(("forward", "forward + backward")):
        flops = 2 * np.prod(case.shape, dtype=float) * (1 + 2 * backward)
        amount = {"gflops": flops / 1e9} if case.kind == "linear" else {"gbytes": moved * (1 + backward) / 1e9}
        calls = {name: own.both if backward else own.forward for name, own in works.items()}
        subjects.append(
            Subject(case.name, part, calls, amount, {name: error[backward] for name, error in errors.items()})
        )
    return subjects


def _shapes(case: LayerCase) -> list[tuple[int, ...]]:
    """What goes in, and the parameters that get a gradient of their own."""
    if case.kind != "linear":
        return [case.shape]
    batch, inputs, outputs = case.shape
    return [(batch, inputs), (outputs, inputs), (outputs,)]


def _labels(case: LayerCase) -> Array:
    return np.random.default_rng(0).integers(0, case.shape[1], case.shape[0])


def _minidil(case: LayerCase, dtype: type = np.float32) -> Function:
    layers: dict[str, Callable[[], Function]] = {
        "batch-norm": lambda: nn.Sequential(nn.BatchNorm2d(case.shape[1]), nn.ReLU()).astype(dtype),
        "gelu": lambda: F.gelu,
        "max-pool": lambda: partial(F.max_pool, kernel_size=2),
        "dropout": lambda: partial(F.dropout, p=0.5),
        "cross-entropy": lambda: partial(F.cross_entropy, target=_labels(case)),
        "linear": lambda: F.linear,
    }
    return layers[case.kind]()


def _torch(case: LayerCase) -> Function:
    import torch
    from torch.nn import functional

    layers: dict[str, Callable[[], Function]] = {
        "batch-norm": lambda: torch.nn.Sequential(torch.nn.BatchNorm2d(case.shape[1]), torch.nn.ReLU()),
        "gelu": lambda: functional.gelu,
        "max-pool": lambda: partial(functional.max_pool2d, kernel_size=2),
        "dropout": lambda: partial(functional.dropout, p=0.5),
        "cross-entropy": lambda: partial(functional.cross_entropy, target=torch.as_tensor(_labels(case))),
        "linear": lambda: functional.linear,
    }
    return layers[case.kind]()


def _mygrad(case: LayerCase) -> Function | None:
    """MyGrad has no GELU and no dropout, and its windows must use up the image."""
    import mygrad
    from mygrad.nnet import activations, layers, losses

    def batch_norm() -> Function:
        scale, offset = mygrad.ones(case.shape[1], np.float32), mygrad.zeros(case.shape[1], np.float32)
        return lambda x: activations.relu(layers.batchnorm(x, gamma=scale, beta=offset, eps=1e-5))

    found: dict[str, Callable[[], Function]] = {
        "batch-norm": batch_norm,
        "max-pool": lambda: lambda x: layers.max_pool(x, (2, 2), 2),
        "cross-entropy": lambda: partial(losses.softmax_crossentropy, y_true=_labels(case)),
        "linear": lambda: lambda x, weight, bias: mygrad.matmul(x, weight.T) + bias,
    }
    odd = case.kind == "max-pool" and any(n % 2 for n in case.shape[2:])
    return found[case.kind]() if case.kind in found and not odd else None


_SPELLED: dict[str, Any] = {"minidil": _minidil, "torch": _torch, "mygrad": _mygrad}
