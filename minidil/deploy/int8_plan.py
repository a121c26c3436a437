"""A plan in whole numbers: the bits of `quantized.run_reference`, by the compiled kernels."""

from __future__ import annotations

import math

import numpy as np

from minidil.array import Array
from minidil.deploy.int8_steps import KINDS
from minidil.deploy.planned import Planned
from minidil.deploy.quantized import Grid, Quantized, Step, Weighted
from minidil.deploy.stages import MEMORY, numbers_in
from minidil.kernels.cpu.integer import to_grid


class Int8Plan(Planned[Step]):
    """What a quantised network computes, for float32 inputs (N, *input_shape) with any N: float32 numbers.

    Between the first step and the last, values are uint8. Otherwise it is used like a plan of `deploy.compile`.
    """

    name, worth = "int8 plan", 1 << 25

    def __init__(self, network: Quantized) -> None:
        self.network, self.model, self.input_shape = network, network.model, network.input_shape
        self.dtype, self.between = np.dtype(np.float32), np.dtype(np.uint8)
        self.kept_apart, self.calls = network.kept_apart, sum(len(step.words) for step in network.steps)
        self._grids: dict[int, Grid | None] = {step.makes: step.grid for step in network.steps}
        self._grids[0] = network.grid
        steps = [KINDS[type(step)](step) for step in network.steps]
        reads = [step.reads for step in network.steps]
        self._arrange(network.steps, steps, reads, [_work(step) for step in network.steps], network.output)

    def _size(self, stage: Step) -> int:
        return numbers_in(stage.shape) * self._kind(stage.makes).itemsize

    def _kind(self, value: int) -> np.dtype[np.generic]:
        return self.dtype if self._grids[value] is None else self.between

    def _made(self, memory: Array, stage: Step) -> Array:
        return memory.view(self._kind(stage.makes))

    def _check(self, images: Array) -> None:
        self.network.checked(images)

    def _begun(self, x: Array) -> Array:
        """Raises: OptionError for NaN."""
        grid, positions = self.network.grid, math.prod(x.shape[2:])
        q = np.empty((len(x), positions, x.shape[1]), np.uint8)
        line = np.ascontiguousarray(x).reshape(len(x), x.shape[1], positions)
        if to_grid(line, np.float32(grid.scale), np.float32(grid.zero), np.float32(grid.high), q):
            return grid.quantise(x)  # which says what is wrong
        return np.moveaxis(q.reshape(len(x), *x.shape[2:], x.shape[1]), -1, 1)

    def _ended(self, last: Array) -> Array:
        grid = self._grids[self.output]
        return last if grid is None else grid.numbers(last)


def _work(step: Step) -> int:
    """As `stages.work`, of a step in whole numbers."""
    if isinstance(step, Weighted):
        return step.weight.size * (1 if step.window is None else math.prod(step.window.out))
    return MEMORY * numbers_in(step.shape)
