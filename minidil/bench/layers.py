"""The layers around the convolutions, each in the words of each library.

Most of them do little with each number that they read, so they are as fast as the memory, and GB/s is their measure. It counts
every array that goes in or comes out once, gradients included: what a fused, perfect implementation would have to move. One
that reads an array twice has less, and batch norm has to: it needs the mean before it can subtract it.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from minidil.bench import spelled
from minidil.bench.cases import LayerCase
from minidil.bench.contestants import deviations, family, work
from minidil.bench.results import Row, Subject, measure
from minidil.bench.updates import AROUND, around
from minidil.graph import no_grad
from minidil.kernels.backend import use
from minidil.tensor import tensor


def bench_layers(case: LayerCase, libraries: Sequence[str], rounds: int = 9) -> list[Row]:
    """The case in each library that has it: forward, and forward with the gradients; or one update; or one augmentation.

    ratio and ratio_mygrad as in `bench_conv`. gflops for matrix products, gbytes per second for everything else. error: the
    largest deviation of y and all gradients (of an update, of the parameter after three steps) from float64, relative to the
    largest value of each. Dropout has none, being random, and augmentation has none, since it only moves numbers.
    """
    return [row for subject in subjects(case, libraries) for row in measure(subject, rounds)]


def subjects(case: LayerCase, libraries: Sequence[str]) -> list[Subject]:
    """What there is to measure of the case."""
    return [around(case, libraries)] if case.kind in AROUND else _differentiable(case, libraries)


def _differentiable(case: LayerCase, libraries: Sequence[str]) -> list[Subject]:
    rng = np.random.default_rng(0)
    inputs = [rng.standard_normal(shape, dtype=np.float32) for shape in spelled.shapes(case)]
    functions = {name: spelled.SPELLED[name](case) for name in {"minidil", *map(family, libraries)}}
    with use("numpy"), no_grad():
        y = functions["minidil"](*map(tensor, inputs))
    grad = np.asarray(rng.standard_normal(y.shape), np.float32)
    made = {library: work(library, functions, inputs, grad) for library in libraries}
    works = {library: own for library, own in made.items() if own is not None}
    errors: dict[str, tuple[float, float]] = {}
    if case.kind != "dropout":
        precise = {"minidil": spelled.minidil(case, np.float64)}
        exact = work("numpy", precise, [array.astype(np.float64) for array in inputs], grad.astype(np.float64))
        assert exact is not None  # minidil has all of these layers
        errors = deviations(works, exact)
    moved, flops = 4 * (sum(array.size for array in inputs) + y.size), spelled.flops(case)
    found = []
    for backward, part in enumerate(("forward", "forward + backward")):
        amount = {"gflops": flops * (1 + 2 * backward) / 1e9} if flops else {"gbytes": moved * (1 + backward) / 1e9}
        calls = {name: own.both if backward else own.forward for name, own in works.items()}
        found.append(Subject(case.name, part, calls, amount, {name: error[backward] for name, error in errors.items()}))
    return found
