"""A network in whole numbers, held against itself: shapes, number types and ranges must fit together before anybody runs it, as
compiled code that trusts them looks at no index twice."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np

from minidil.deploy.quantized import Grid, MaxPool, Mean, Plain, Quantized, Step, Sum, Weighted
from minidil.deploy.recording import Value
from minidil.deploy.stages import check as check_call
from minidil.errors import CheckpointError
from minidil.kernels.geometry import Window


def _require(holds: bool, what: str) -> None:
    if not holds:
        raise CheckpointError(what)


def check(network: Quantized) -> None:
    """Raises: CheckpointError for the first thing that does not fit, or what the parts themselves raise."""
    _check_grid(network.grid)
    known: dict[int, tuple[tuple[int, ...], Grid | None]] = {0: (network.input_shape, network.grid)}
    for step in network.steps:
        where = f"step {step.makes}"
        _require(all(value in known for value in step.reads), f"{where} reads what is not made before it")
        _require(step.makes not in known, f"{where} makes what is there already")
        _require(all(isinstance(n, int) and n > 0 for n in step.shape), f"{where} has the shape {step.shape}")
        _require(step.sources == tuple(known[value][1] for value in step.reads), f"{where} reads from other grids")
        shapes = [known[value][0] for value in step.reads]
        if step.grid is not None:
            _check_grid(step.grid)
        _CHECKS[type(step)](step, shapes, where)
        known[step.makes] = step.shape, step.grid
    _require(network.output in known, "the result is made by no step")


def _check_grid(grid: Grid) -> None:
    fits = 1 <= grid.high <= 255 and 0 <= grid.zero <= grid.high and isinstance(grid.zero, int)
    _require(fits and grid.scale == np.float32(grid.scale) and 0 < grid.scale < math.inf, f"there is no grid {grid}")


def _check_window(window: Window, size: tuple[int, ...], where: str) -> None:
    again = Window.of(size, window.kernel, window.stride, window.padding, window.dilation, where)
    _require(again == window, f"{where} slides {window} over {size}")


def _check_weighted(step: Weighted, shapes: list[tuple[int, ...]], where: str) -> None:
    filters, (channels, *size) = len(step.weight), shapes[0]
    out: tuple[int, ...] = ()
    kernel: tuple[int, ...] = ()
    if step.window is not None:
        _check_window(step.window, tuple(size), where)
        out, kernel = step.window.out, step.window.kernel
    else:
        _require(not size and step.groups == 1, f"{where} is a linear map of {shapes[0]}")
    _require(
        step.groups >= 1 and filters % step.groups == channels % step.groups == 0, f"{where} has {step.groups} groups"
    )
    wanted = {
        "weight": (step.weight, np.int8, (filters, channels // step.groups, *kernel)),
        "weight_scale": (step.weight_scale, np.float32, (filters,)),
        "bias": (step.bias, np.int32, (filters,)),
    }
    for name, (array, dtype, shape) in wanted.items():
        _require(array.dtype == dtype and array.shape == shape, f"{where} has a {name} {array.shape} of {array.dtype}")
    _require(bool((step.weight_scale > 0).all()) and step.largest_sum() < 2**31, f"{where} has sums beyond int32")
    _require(all(shape == (filters, *out) for shape in shapes[1:]) and len(shapes) <= 2, f"{where} adds {shapes[1:]}")
    if step.grid is None:
        _require(len(shapes) == 1 and step.pool is None, f"{where} has no grid")
    else:
        _check_limits(step, where)
    if step.pool is not None:
        _check_pool(step.pool, out, where)
        out = step.pool.out
    _require(step.shape == (filters, *out), f"{where} makes {(filters, *out)}, not {step.shape}")


def _check_limits(step: Weighted | Sum, where: str) -> None:
    _require(0 <= step.low <= step.high <= step.made().high, f"{where} is limited to {step.low}..{step.high}")


def _check_pool(pool: Window, size: tuple[int, ...], where: str) -> None:
    _check_window(pool, size, where)
    _require(bool(pool.hits.all()), f"{where} pools nothing but padding")


def _check_sum(step: Sum, shapes: list[tuple[int, ...]], where: str) -> None:
    _require(step.grid is not None and None not in step.sources, f"{where} has no grid")
    _require(1 <= len(shapes) <= 2 and all(shape == step.shape for shape in shapes), f"{where} adds {shapes}")
    _check_limits(step, where)


def _check_mean(step: Mean, shapes: list[tuple[int, ...]], where: str) -> None:
    _require(step.grid is not None and None not in step.sources and len(shapes) == 1, f"{where} has no grid")
    channels, *size = shapes[0]
    _require(step.positions == math.prod(size) and math.prod(step.shape) == channels, f"{where} averages {shapes[0]}")


def _check_max_pool(step: MaxPool, shapes: list[tuple[int, ...]], where: str) -> None:
    _check_pool(step.pool, shapes[0][1:], where)
    _require(step.grid is not None and step.sources == (step.grid,), f"{where} has another grid than what it reads")
    _require(step.shape == (shapes[0][0], *step.pool.out), f"{where} makes {step.pool.out}, not {step.shape}")


def _check_plain(step: Plain, shapes: list[tuple[int, ...]], where: str) -> None:
    numbers = iter(step.reads)
    operands = tuple(Value(next(numbers)) if isinstance(each, Value) else each for each in step.call.operands)
    check_call(
        replace(step.call, operands=operands), dict(zip(step.reads, (len(shape) + 1 for shape in shapes), strict=True))
    )
    _require(not step.moves or step.sources == (step.grid,), f"{where} has another grid than what it reads")


_CHECKS: dict[type[Step], Any] = {
    Weighted: _check_weighted,
    Sum: _check_sum,
    Mean: _check_mean,
    MaxPool: _check_max_pool,
    Plain: _check_plain,
}
