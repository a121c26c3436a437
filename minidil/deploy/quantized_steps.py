"""From the stages of a plan and the ranges of their values to steps in whole numbers."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from minidil.array import Array
from minidil.deploy.fuse import Fused
from minidil.deploy.quantized import Grid, MaxPool, Mean, Plain, Quantized, Step, Sum, Weighted, per_channel
from minidil.deploy.recording import Recording
from minidil.deploy.stages import Stage
from minidil.errors import OptionError
from minidil.kernels.cpu.finish import Finish
from minidil.kernels.geometry import Window
from minidil.ops.common import axes_of

MOVES = ("reshape", "flatten", "transpose", "squeeze", "unsqueeze", "getitem", "expand")
"""Calls that put numbers in other places and change none."""

_ROOM = 2.0**23  # a bias in units of s_x s stays below, so that float32 holds it to the unit


class Whole(NamedTuple):
    """Weights in whole numbers: weight, the scale of each filter, and the bias in units of x's scale times that."""

    weight: Array
    scale: Array
    bias: Array


def grids_of(fused: Fused, ranges: Mapping[int, tuple[float, float]], bits: int) -> dict[int, Grid | None]:
    """The grid of every value, of 2^bits numbers over its range; None for those that stay float32."""
    grids: dict[int, Grid | None] = {0: Grid.over(*ranges[0], bits)}
    for stage in fused.stages:
        if shares_grid(stage):
            grids[stage.makes] = grids[stage.reads[0]]
        else:
            made = None if stays_float(fused, stage.makes) else Grid.over(*ranges[stage.makes], bits)
            grids[stage.makes] = made
    return grids


def quantised(
    recording: Recording, fused: Fused, grids: Mapping[int, Grid | None], weight_bits: int, bits: int
) -> Quantized:
    """The network whose values lie on these grids.

    Raises: OptionError, with the layer's name, for a step that has none in whole numbers, or weights that are not finite.
    """
    first, steps = grids[0], []
    assert first is not None  # for the type checker: the input has one
    for stage in fused.stages:
        reads = operands(stage)
        facts = {
            "reads": reads,
            "makes": stage.makes,
            "shape": stage.shape,
            "sources": tuple(grids[value] for value in reads),
            "grid": grids[stage.makes],
            "words": tuple(stage.words),
            "layers": tuple(stage.layers),
        }
        steps.append(_step(stage, facts, recording, fused, weight_bits))
    apart = tuple(fused.kept_apart)
    return Quantized(recording.model, recording.shape, first, tuple(steps), fused.output, weight_bits, bits, apart)


def operands(stage: Stage) -> tuple[int, ...]:
    """The values that a stage reads, the residual last."""
    return (*stage.reads, *(() if stage.residual is None else (stage.residual,)))


def shares_grid(stage: Stage) -> bool:
    """Whether what it makes lies on the grid of what it reads."""
    return stage.kind == "max_pool" or (stage.kind == "call" and stage.call.op in MOVES)


def stays_float(fused: Fused, value: int) -> bool:
    """Whether a value is left as float32 numbers: those of the result, and what nothing but calls in float32 read."""
    maker = next((stage for stage in fused.stages if stage.makes == value), None)
    if maker is None or not (maker.kind in ("call", "concatenate") or _is_map_alone(maker)):
        return False
    if maker.kind == "call" and maker.call.op in MOVES and not stays_float(fused, maker.reads[0]):
        return False
    return only_floats_read(fused, value)


def only_floats_read(fused: Fused, value: int) -> bool:
    """Whether nothing but calls in float32 read a value, be it after others have moved it."""
    readers = [stage for stage in fused.stages if value in operands(stage)]
    return all(
        stage.kind in ("call", "concatenate") and (stage.call.op not in MOVES or only_floats_read(fused, stage.makes))
        for stage in readers
    )


def weight_scale(weight: Array, bias: Array, x_scale: float, most: int) -> Array:
    """The scale of each filter's weights (F, ...), float32: the largest gets the number `most`.

    A filter with a bias that is huge beside its weights, as one without weights, gets a scale that leaves the bias exact.
    """
    largest = np.abs(weight.astype(np.float64)).reshape(len(weight), -1).max(axis=1, initial=0)
    scale = np.maximum(largest / most, np.abs(bias.astype(np.float64)) / (x_scale * _ROOM)).astype(np.float32)
    scale[scale < np.finfo(np.float32).tiny] = 1
    return scale


def whole_weights(weight: Array, bias: Array | None, x_scale: float, bits: int) -> Whole:
    """Weights on grids symmetric about 0, a scale for each filter."""
    most = 2 ** (bits - 1) - 1
    bias = np.zeros(len(weight), np.float32) if bias is None else bias.astype(np.float32)
    weight = weight.astype(np.float32)
    scale = weight_scale(weight, bias, x_scale, most)
    whole = np.clip(np.rint(weight / per_channel(scale, weight.ndim + 1)), -most, most).astype(np.int8)
    return Whole(whole, scale, np.rint(bias / (np.float32(x_scale) * scale)).astype(np.int32))


def _is_map_alone(stage: Stage) -> bool:
    return stage.kind in ("conv", "linear") and stage.is_bare


def _step(stage: Stage, facts: dict[str, Any], recording: Recording, fused: Fused, weight_bits: int) -> Step:
    kind, made = stage.kind, facts["grid"]
    if kind in ("conv", "linear", "affine"):
        return _weighted(stage, facts, weight_bits)
    if kind == "add":
        low, high = limits(made, stage.ending)
        return Sum(**facts, low=low, high=high)
    if kind == "max_pool":
        return MaxPool(**facts, pool=_reached(stage))
    if kind == "conv_transpose":
        raise OptionError(f"quantize: conv_transpose in {stage.call.where} has no step in whole numbers")
    size = next((each.shape for each in fused.stages if each.makes == stage.reads[0]), recording.shape)
    if stage.call.op == "mean" and _over_positions(stage, len(size) + 1) and None not in (made, *facts["sources"]):
        return Mean(**facts, positions=math.prod(size[1:]))
    return Plain(**facts, call=stage.call, moves=shares_grid(stage))


def _weighted(stage: Stage, facts: dict[str, Any], bits: int) -> Weighted:
    weight, window, groups = stage.weight, stage.window, stage.groups
    assert weight is not None  # for the type checker: these kinds have weights
    check_weights(stage)
    size = stage.shape[1:]
    if stage.kind == "affine" and not size:
        weight = np.diag(weight)
    elif stage.kind == "affine":  # a convolution of one tap, each channel by itself
        weight, groups = weight.reshape(-1, 1, *(1,) * len(size)), len(weight)
        window = Window.of(size, (1,) * len(size), op="quantize")
    whole = whole_weights(weight, stage.bias, facts["sources"][0].scale, bits)
    low, high = (0, 0) if facts["grid"] is None else limits(facts["grid"], stage.ending)
    step = Weighted(
        **facts,
        weight=whole.weight,
        weight_scale=whole.scale,
        bias=whole.bias,
        window=window,
        groups=groups,
        low=low,
        high=high,
        pool=None if stage.pool is None else _reached(stage),
    )
    most = step.largest_sum()
    if most >= 2**31:
        where = f"{stage.call.op} in {stage.call.where}"
        raise OptionError(f"quantize: {where} may sum up to {most:,}, and int32 ends at 2^31 - 1; use fewer bits")
    return step


def check_weights(stage: Stage) -> None:
    """Raises: OptionError, with the layer's name, for weights that are not finite."""
    if not all(np.isfinite(each).all() for each in (stage.weight, stage.bias) if each is not None):
        raise OptionError(f"quantize: {stage.call.op} in {stage.call.where} has weights that are not finite")


def limits(grid: Grid, ending: Finish) -> tuple[int, int]:
    """The q that a range of numbers becomes."""
    low, high = (round(min(max(end / grid.scale, -grid.high), grid.high)) + grid.zero for end in ending)
    return max(low, 0), max(min(high, grid.high), 0)


def _reached(stage: Stage) -> Window:
    """The window of pooling. Raises: OptionError if one lies on padding alone, where nothing is the largest."""
    assert stage.pool is not None  # for the type checker: the stage has one
    if not stage.pool.hits.all():
        raise OptionError(f"quantize: max_pool in layer {stage.layers[-1]!r} has windows on nothing but padding")
    return stage.pool


def _over_positions(stage: Stage, ndim: int) -> bool:
    return axes_of("mean", stage.call.options.get("axis"), ndim) == tuple(range(2, ndim)) and ndim > 2
