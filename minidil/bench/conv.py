"""Convolutions with their gradients."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from minidil import functional as F
from minidil.array import Array
from minidil.bench.cases import ConvCase
from minidil.bench.contestants import Function, Work, deviations, family, work
from minidil.bench.results import Row, Subject, measure


def bench_conv(case: ConvCase, libraries: Sequence[str], rounds: int = 9) -> list[Row]:
    """Forward, and forward with both gradients, in each library; two rows per library.

    ratio: the time beside the best of PyTorch's two memory orders; ratio_mygrad: beside MyGrad; None without them. gflops
    counts the operations of the definition, so an algorithm that needs fewer can exceed the peak. error: the largest deviation
    of y, dL/dx and dL/dweight from float64, relative to the largest value of each.
    """
    return [row for subject in subjects(case, libraries) for row in measure(subject, rounds)]


def subjects(case: ConvCase, libraries: Sequence[str]) -> list[Subject]:
    """What there is to measure of the case: both parts."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((case.batch, case.channels, *case.size), dtype=np.float32)
    fan_in = case.channels // case.groups * case.window.taps
    weight = rng.standard_normal((case.filters, case.channels // case.groups, *case.window.kernel), dtype=np.float32)
    weight /= np.float32(np.sqrt(fan_in))
    grad = rng.standard_normal((case.batch, case.filters, *case.window.out), dtype=np.float32)
    running = _works(libraries, case, x, weight, grad)
    few = min(case.batch, 2)  # images: in float64 on the reference backend a whole batch would take long
    small = replace(case, batch=few), x[:few], weight, grad[:few]
    exact = _works(["numpy"], small[0], *(array.astype(np.float64) for array in small[1:]))["numpy"]
    errors = deviations(_works(libraries, *small), exact)
    return [
        Subject(
            case.name,
            part,
            calls={name: own.forward if factor == 1 else own.both for name, own in running.items()},
            amounts={"gflops": factor * case.flops / 1e9},
            errors={name: error[factor == 3] for name, error in errors.items()},
        )
        for part, factor in (("forward", 1), ("forward + backward", 3))
    ]


def convolution(library: str, case: ConvCase, x: Array, weight: Array, grad: Array) -> Work | None:
    """The case in one library, or None where the library cannot do it."""
    own = family(library)
    return work(library, {own: _SPELLED[own](case)}, (x, weight), grad)


def _works(libraries: Sequence[str], case: ConvCase, x: Array, weight: Array, grad: Array) -> dict[str, Work]:
    made = {library: convolution(library, case, x, weight, grad) for library in libraries}
    return {library: own for library, own in made.items() if own is not None}


def _options(case: ConvCase) -> dict[str, Any]:
    return {"stride": case.stride, "padding": case.padding, "dilation": case.dilation}


def _minidil(case: ConvCase) -> Function:
    return partial(F.conv, groups=case.groups, **_options(case))


def _torch(case: ConvCase) -> Function:
    from torch.nn import functional

    convolve = {1: functional.conv1d, 2: functional.conv2d, 3: functional.conv3d}[len(case.size)]
    return partial(convolve, groups=case.groups, **_options(case))


def _mygrad(case: ConvCase) -> Function | None:
    """MyGrad knows no groups, and refuses a stride that leaves positions over and an input that K d overruns."""
    from mygrad.nnet.layers import conv_nd

    window = case.window
    rest = [(n - span) % case.stride for n, span in zip(window.padded, window.span, strict=True)]
    too_small = min(window.padded) < case.kernel * case.dilation
    return None if case.groups > 1 or any(rest) or too_small else partial(conv_nd, **_options(case))


_SPELLED: dict[str, Any] = {"minidil": _minidil, "torch": _torch, "mygrad": _mygrad}
