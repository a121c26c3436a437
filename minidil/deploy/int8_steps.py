"""The steps of a network in whole numbers, made ready to run: weights transformed and packed once, values channels-last.

quantized.py says what each of them computes; the bits are the same.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from minidil.array import Array
from minidil.deploy import quantized
from minidil.deploy.steps import MaxPool as LargestOf
from minidil.deploy.steps import Plain, Step, pooled
from minidil.kernels.cpu import integer_direct, integer_winograd, two_by_two, winograd_plan
from minidil.kernels.cpu.integer import Residual, add_lines, channel_sums
from minidil.kernels.cpu.layout import tap_places
from minidil.kernels.cpu.phases import three
from minidil.kernels.geometry import Window
from minidil.kernels.reference.integer import Requantise
from minidil.kernels.threads import run_sliced


class Weighted:
    """A convolution or a linear map with what follows it; way: how it is done.

    Without a grid its results are float32 numbers.
    """

    in_place = False

    def __init__(self, step: quantized.Weighted) -> None:
        source, made = step.source(), step.grid
        weight, window = step.weight, step.window
        if window is None:
            weight, window = weight[..., None], Window.of((1,), 1)
        filters, channels = len(weight), weight.shape[1] * step.groups
        self.zero, self.shape = source.zero, (*window.out, filters)
        self.ending = Requantise(step.bias, step.multiplier, 0 if made is None else made.zero, step.low, step.high)
        self.residual = (step.source(1).zero, float(step.residual_multiplier)) if len(step.reads) > 1 else None
        self.places = None if step.pool is None else tap_places(step.pool)
        self.planes: integer_winograd.Prepared | None = None
        saves = step.groups == 1 and made is not None and winograd_plan.pays(window, channels, filters, 1)
        if made is not None and two_by_two.applies(window, channels, filters, step.groups):
            self.way, self.planes = "two by two", integer_winograd.prepare_two_by_two(weight, window)
        elif saves and len(window.size) == 2 and integer_winograd.is_exact(weight):
            self.way, self.planes = "winograd", integer_winograd.prepare_four_by_four(weight, window)
        else:
            self.way = "direct"
            self.prepared = integer_direct.prepare(weight, window, step.groups)

    def run(self, sources: Sequence[Array], out: Array) -> None:
        x, residual = sources[0], sources[1] if len(sources) > 1 else None
        if self.places is None:
            self._convolve(x, out, residual)
            return
        tiles = 0 if self.planes is None else len(self.planes.corners)
        pooled(self._convolve, x, residual, self.shape, self.places, out, tiles)

    def _convolve(self, x: Array, y: Array, residual: Array | None) -> None:
        added = None if residual is None or self.residual is None else Residual(residual, *self.residual)
        if self.planes is not None:
            integer_winograd.convolve(x, self.zero, self.planes, self.ending, y, added)
            return
        source = x.reshape(len(x), *three(x.shape[1:-1] or (1,)), x.shape[-1])
        results = y.reshape(len(y), -1, y.shape[-1])
        integer_direct.convolve(source, self.zero, self.prepared, self.ending, results, added)


class Sum:
    """a + b, or a alone, on a grid of its own, limited to a range."""

    in_place, way = True, "loop"

    def __init__(self, step: quantized.Sum) -> None:
        self.operands = [(step.source(n).zero, factor) for n, factor in enumerate(step.multipliers)]
        self.limits = tuple(map(np.float32, (step.made().zero, step.low, step.high)))

    def run(self, sources: Sequence[Array], out: Array) -> None:
        operands = [
            part
            for x, (zero, factor) in zip(sources, self.operands, strict=True)
            for part in (x.reshape(-1), np.float32(zero), factor)
        ]
        if len(sources) == 1:
            operands += [np.empty(0, np.uint8), np.float32(0), np.float32(0)]
        line = out.reshape(-1)
        run_sliced(lambda start, stop: add_lines(*operands, line, *self.limits, start, stop), len(line))


class Mean:
    """The mean of every channel over all positions."""

    in_place, way = False, "loop"

    def __init__(self, step: quantized.Mean) -> None:
        self.step = step

    def run(self, sources: Sequence[Array], out: Array) -> None:
        x, made = sources[0], self.step.made()
        sums = np.empty((len(x), x.shape[-1]), np.int32)
        channel_sums(x.reshape(len(x), -1, x.shape[-1]), sums)
        sums -= self.step.source().zero * self.step.positions
        out.reshape(sums.shape)[...] = made.limited(sums.astype(np.float32) * self.step.multiplier, 0, made.high)


class MaxPool(LargestOf):
    """The largest of every window, as with other numbers."""

    def __init__(self, step: quantized.MaxPool) -> None:
        self.places = tap_places(step.pool)


class Called(Plain):
    """A call as it is, of values in their logical shape."""

    def __init__(self, step: quantized.Plain) -> None:
        self.step = step

    def call(self, sources: Sequence[Array]) -> Array:
        return self.step.run(sources)


KINDS: dict[type[quantized.Step], Callable[..., Step | Plain]] = {
    quantized.Weighted: Weighted,
    quantized.Sum: Sum,
    quantized.Mean: Mean,
    quantized.MaxPool: MaxPool,
    quantized.Plain: Called,
}
