"""Run the benchmarks; every result is a list of plain rows, ready for a table and for JSON."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from minidil.bench.cases import ConvCase
from minidil.bench.contestants import Convolution, convolution, training_step
from minidil.bench.timing import Timing, interleave
from minidil.kernels.backend import use

Array = NDArray[Any]
Row = dict[str, Any]


def bench_conv(case: ConvCase, libraries: Sequence[str], rounds: int = 9) -> list[Row]:
    """Forward, and forward with both gradients, in each library; two rows per library.

    ratio: the time beside the best of PyTorch's two memory orders, None without PyTorch. gflops counts the operations of the
    definition, so an algorithm that needs fewer can exceed the peak. error: the largest deviation of y, dL/dx and dL/dweight
    from float64, relative to the largest value of each.
    """
    rng = np.random.default_rng(0)
    x = rng.standard_normal((case.batch, case.channels, *case.size), dtype=np.float32)
    fan_in = case.channels // case.groups * case.window.taps
    weight = rng.standard_normal((case.filters, case.channels // case.groups, *case.window.kernel), dtype=np.float32)
    weight /= np.float32(np.sqrt(fan_in))
    grad = rng.standard_normal((case.batch, case.filters, *case.window.out), dtype=np.float32)
    made = {library: convolution(library, case, x, weight, grad) for library in libraries}
    running: dict[str, Convolution] = {library: work for library, work in made.items() if work is not None}
    errors = _errors(running, case, x, weight, grad)
    rows = []
    for part, factor in (("forward", 1), ("forward + backward", 3)):
        calls = {name: work.forward if factor == 1 else work.both for name, work in running.items()}
        for row in _rows(interleave(calls, rounds)):
            seconds = row["seconds"]
            rows.append(
                {"case": case.name, "part": part, **row}
                | {"gflops": factor * case.flops / seconds / 1e9, "error": errors[row["library"]][factor == 3]}
            )
    return rows


def bench_step(
    libraries: Sequence[str],
    batch: int = 128,
    rounds: int = 9,
    dilations: tuple[tuple[int, ...], ...] = ((1, 2), (1, 2), (1, 2)),
) -> list[Row]:
    """One training step of vgg_small on images of 32x32 in each library."""
    steps = {name: training_step(name, batch, dilations) for name in libraries if name != "mygrad"}
    return [
        {"case": f"vgg_small, batch {batch}", "part": "training step", **row}
        for row in _rows(interleave(steps, rounds))
    ]


def _rows(timings: dict[str, Timing]) -> list[Row]:
    rivals = [timing.wall for name, timing in timings.items() if name.startswith("torch")]
    return [
        {
            "library": name,
            "seconds": timing.wall,
            "cpu_seconds": timing.cpu,
            "best_seconds": timing.best,
            "ratio": timing.wall / min(rivals) if rivals else None,
        }
        for name, timing in timings.items()
    ]


def _errors(
    running: dict[str, Convolution], case: ConvCase, x: Array, weight: Array, grad: Array
) -> dict[str, tuple[float, float]]:
    """For each library the error of y, and the largest of the errors of y and both gradients."""
    few = min(case.batch, 2)  # images: in float64 on the reference backend a whole batch would take long
    small = ConvCase(**{**vars(case), "batch": few})
    with use("numpy"):
        exact = convolution("numpy", small, *(a.astype(np.float64) for a in (x[:few], weight, grad[:few])))
        assert exact is not None  # the reference does every case
        wanted = exact.both()
    errors = {}
    for name in running:
        work = convolution(name, small, x[:few], weight, grad[:few])
        assert work is not None  # it is running the same case with a larger batch
        found = [_relative(a, b) for a, b in zip(work.both(), wanted, strict=True)]
        errors[name] = (found[0], max(found))
    return errors


def _relative(found: Array, wanted: Array) -> float:
    return float(np.abs(found - wanted).max() / np.abs(wanted).max())
