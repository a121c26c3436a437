"""Stages made ready to run: weights in the number type of the model, folded, transformed and packed once.

Every value lies with its channels last, (N, *S, C), in memory that the plan has set aside for it; a step fills `out` from the
values that it reads. Only a `Plain` step, a call as it is, brings memory of its own.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from typing import Any, Protocol

import numpy as np

from minidil.array import Array
from minidil.deploy.recording import Value
from minidil.deploy.stages import OPS, Stage
from minidil.kernels.cpu import conv, depthwise, direct, im2col, memory, two_by_two, winograd_panels, winograd_plan
from minidil.kernels.cpu.finish import PLAIN, Finish, finish, numbers_of, scaled_rows
from minidil.kernels.cpu.layout import as_channels, tap_places
from minidil.kernels.cpu.phases import three
from minidil.kernels.cpu.pool import largest_into
from minidil.kernels.threads import alone, run_sliced

_CACHE_BYTES = 1 << 19  # of results that wait for pooling
_FEW = 1 << 20  # numbers, which are pooled before another thread is awake
_TILES = 128  # of Winograd, at least, before they are pooled: filters are fetched once for so many


class Step(Protocol):
    """in_place: whether `out` may be the memory of the first value that it reads."""

    way: str
    in_place: bool

    def run(self, sources: Sequence[Array], out: Array) -> None:
        """Fill `out` from the values, all (N, *S, C) and contiguous."""


class Convolution:
    """Any convolution with what follows it; way: how it is done."""

    in_place = False

    def __init__(self, stage: Stage, dtype: np.dtype[Any]) -> None:
        assert stage.weight is not None  # these are for the type checker: a convolution has both
        assert stage.window is not None
        self.window, self.groups, self.ending = stage.window, stage.groups, stage.ending
        self.weight = np.ascontiguousarray(stage.weight, dtype)
        filters, channels = len(self.weight), self.weight.shape[1] * stage.groups
        self.bias = np.zeros(filters, dtype) if stage.bias is None else stage.bias.astype(dtype)
        self.pool = stage.pool
        self.places = None if stage.pool is None else tap_places(stage.pool)
        self.panels = None
        volume, saves = len(self.window.size) == 3, winograd_plan.pays(self.window, channels, filters, self.groups)
        few = filters < 8 * self.groups and (filters == 3 * self.groups or max(self.window.stride) > 1)
        special = depthwise.applies(channels, filters, self.groups) or few or (saves and volume)
        if two_by_two.applies(self.window, channels, filters, self.groups):
            self.way, self.taps = "two by two", two_by_two.prepare(self.weight)
        elif special:
            self.way = "library"
        elif saves and (panels := winograd_panels.prepare(self.weight, self.groups)):
            self.way, self.panels = "winograd", panels
            self.tiles = winograd_plan.forward_plan(self.window)
        else:
            self.way = "direct"
            self.prepared = direct.prepare_forward(self.weight, self.window, self.groups, self.bias)

    def run(self, sources: Sequence[Array], out: Array) -> None:
        x, residual = sources[0], sources[1] if len(sources) > 1 else None
        if self.pool is None or self.places is None:
            self._convolve(x, out, residual)
            return
        tiles = 0 if self.panels is None else self.tiles.tiles.rows * self.tiles.tiles.per_row
        pooled(self._convolve, x, residual, (*self.window.out, len(self.bias)), self.places, out, tiles)

    def _convolve(self, x: Array, y: Array, residual: Array | None) -> None:
        if self.panels is not None:
            unfit = winograd_panels.convolve(x, self.panels, self.tiles, self.bias, y, self.ending, residual)
            for image in unfit:
                part = slice(image, image + 1)
                prepared = direct.prepare_forward(self.weight, self.window, self.groups, self.bias)
                _direct(x[part], prepared, y[part], self.ending, None if residual is None else residual[part])
        elif self.way == "direct":
            _direct(x, self.prepared, y, self.ending, residual)
        else:
            logical = as_channels(x.reshape(-1, x.shape[-1]), len(x), self.window.size)
            y[...] = np.moveaxis(self._library(logical), 1, -1)
            end(y, self.ending, residual)

    def _library(self, x: Array) -> Array:
        """As the model does it, but for filters that are transformed already."""
        if self.way == "two by two":
            made = two_by_two.correlate(x, self.taps, self.window, self.bias)
            return im2col.conv_forward(x, self.weight, self.window, self.groups, self.bias) if made is None else made
        return conv.conv_forward(x, self.weight, self.window, self.groups, self.bias)


class Transposed:
    """A transposed convolution, phase by phase, with what follows it; way: how it is done."""

    in_place = False

    def __init__(self, stage: Stage, dtype: np.dtype[Any]) -> None:
        assert stage.weight is not None  # these are for the type checker: it has them all
        assert stage.window is not None
        assert stage.bias is not None
        self.window, self.groups, self.ending, self.beyond = stage.window, stage.groups, stage.ending, stage.beyond
        self.weight, self.bias = np.ascontiguousarray(stage.weight, dtype), stage.bias.astype(dtype)
        self.way = "direct" if np.isfinite(self.weight).all() else "library"
        self.prepared = direct.prepare_backward(self.weight, self.window, self.groups, self.bias)
        self.whole = direct.reached(self.prepared) == math.prod(self.window.size) and not any(self.beyond)

    def run(self, sources: Sequence[Array], out: Array) -> None:
        x, residual = sources[0], sources[1] if len(sources) > 1 else None
        if self.way == "direct" and self.whole:
            _direct(x, self.prepared, out, self.ending, residual)
            return
        out[...] = self.bias  # of what no tap reaches that is all
        inner = out[(slice(None), *map(slice, self.window.size))]
        if self.way == "direct":
            made = np.ascontiguousarray(inner)
            _direct(x, self.prepared, made, PLAIN, None)
            inner[...] = made
        else:
            logical = as_channels(x.reshape(-1, x.shape[-1]), len(x), self.window.out)
            made = conv.conv_grad_input(logical, self.weight, self.window, self.groups, forward=True)
            inner += np.moveaxis(made, 1, -1)
        end(out, self.ending, residual)


class Linear:
    """y = x W^T + b for x (N, K), limited to a range. Threads share the columns."""

    in_place, way = False, "blas"

    def __init__(self, stage: Stage, dtype: np.dtype[Any]) -> None:
        assert stage.weight is not None  # for the type checker: a linear map has one
        self.matrix = np.ascontiguousarray(stage.weight.T, dtype)
        self.bias = None if stage.bias is None else stage.bias.astype(dtype)
        self.ending = stage.ending

    def run(self, sources: Sequence[Array], out: Array) -> None:
        def work(start: int, stop: int) -> None:
            np.matmul(sources[0], self.matrix[:, start:stop], out=out[:, start:stop])
            if self.bias is not None:
                out[:, start:stop] += self.bias[start:stop]

        run_sliced(work, out.shape[1])
        end(out, self.ending, None)


class Affine:
    """y = scale x + shift for each channel, limited to a range: a batch norm that could not be folded."""

    in_place, way = True, "loop"

    def __init__(self, stage: Stage, dtype: np.dtype[Any]) -> None:
        assert stage.weight is not None  # these are for the type checker: scale and shift
        assert stage.bias is not None
        self.scale, self.shift, self.ending = stage.weight.astype(dtype), stage.bias.astype(dtype), stage.ending

    def run(self, sources: Sequence[Array], out: Array) -> None:
        x, y = (array.reshape(-1, len(self.scale)) for array in (sources[0], out))
        low, high, _ = numbers_of(self.ending, None, out)
        run_sliced(lambda a, b: scaled_rows(x[a:b], self.scale, self.shift, y[a:b], low, high), len(x))


class Sum:
    """y = a + b, or a alone, limited to a range."""

    in_place, way = True, "loop"

    def __init__(self, stage: Stage, dtype: np.dtype[Any]) -> None:
        self.ending = stage.ending

    def run(self, sources: Sequence[Array], out: Array) -> None:
        if out.ctypes.data != sources[0].ctypes.data:
            out[...] = sources[0]
        end(out, self.ending, sources[1] if len(sources) > 1 else None)


class MaxPool:
    """The largest of every window."""

    in_place, way = False, "loop"

    def __init__(self, stage: Stage, dtype: np.dtype[Any]) -> None:
        assert stage.pool is not None  # for the type checker: pooling has one
        self.places = tap_places(stage.pool)

    def run(self, sources: Sequence[Array], out: Array) -> None:
        x = sources[0]
        largest_into(x.reshape(len(x), -1, x.shape[-1]), self.places, out.reshape(len(x), -1, x.shape[-1]))


class Concatenation:
    """Channels behind each other."""

    in_place, way = False, "copy"

    def __init__(self, stage: Stage, dtype: np.dtype[Any]) -> None:
        pass

    def run(self, sources: Sequence[Array], out: Array) -> None:
        first = 0
        for x in sources:
            out[..., first : first + x.shape[-1]] = x
            first += x.shape[-1]


class Plain:
    """A call as it is, of values and constants in their logical shape."""

    in_place, way = False, "library"

    def __init__(self, stage: Stage, dtype: np.dtype[Any]) -> None:
        self.op, self.operands, self.options = OPS[stage.call.op], stage.call.operands, stage.call.options

    def call(self, sources: Sequence[Array]) -> Array:
        """The result; sources are those of the values among its operands, (N, C, *S)."""
        left = iter(sources)
        y, _ = self.op(*(next(left) if isinstance(each, Value) else each for each in self.operands), **self.options)
        return np.asarray(y)


KINDS: dict[str, Callable[[Stage, np.dtype[Any]], Step | Plain]] = {
    "conv": Convolution,
    "conv_transpose": Transposed,
    "linear": Linear,
    "affine": Affine,
    "add": Sum,
    "max_pool": MaxPool,
    "concatenate": Concatenation,
    "call": Plain,
}


def pooled(
    convolve: Callable[[Array, Array, Array | None], None],
    x: Array,
    residual: Array | None,
    shape: tuple[int, ...],
    places: Array,
    out: Array,
    tiles: int = 0,
) -> None:
    """Fill `out` with the largest of what convolve(x, y, residual) makes of so many images that y (n, *shape) stays in the cache.

    places: `tap_places` of the window. tiles: of Winograd in an image.
    """
    step = max(1, _CACHE_BYTES // (math.prod(shape) * out.itemsize), _TILES // tiles if tiles else 1)
    room = memory.empty((min(step, len(x)), *shape), out.dtype)
    for first in range(0, len(x), step):
        last = min(first + step, len(x))
        made = room[: last - first]
        convolve(x[first:last], made, None if residual is None else residual[first:last])
        rows, into = made.reshape(len(made), -1, shape[-1]), out[first:last]
        with alone() if made.size < _FEW else nullcontext():
            largest_into(rows, places, into.reshape(len(into), -1, shape[-1]))


def end(y: Array, ending: Finish, residual: Array | None) -> None:
    """Add the residual, if any, to all of the contiguous y, and limit it."""
    if ending != PLAIN or residual is not None:
        low, high, added = numbers_of(ending, residual, y)
        line = y.reshape(-1)
        run_sliced(lambda start, stop: finish(line, start, stop - start, added, low, high), len(line))


def _direct(
    x: Array,
    prepared: direct.Prepared,
    y: Array,
    ending: Finish,
    residual: Array | None,
) -> None:
    """By direct.py, x (N, *S, C) and y (N, *O, F)."""
    source = x.reshape(len(x), *three(x.shape[1:-1]), x.shape[-1])
    direct.convolve(source, prepared, y.reshape(len(y), -1, y.shape[-1]), ending, residual)
