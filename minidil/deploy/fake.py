"""A network in float32 that computes what it will in whole numbers, rounding as they do, so that it can be trained for that.

Batch norm is folded before anything is rounded, with the statistics that it has, and is no layer any more: what is trained are
the weights and biases of the convolutions that remain. Weights are rounded to the grid that their largest asks for at the time;
the ranges of values stay as they were watched. Gradients pass straight through what rounds (`minidil.ops.rounding`).
Source: Jacob et al. 2018, arXiv:1712.05877, section 3, where statistics and ranges still move for a while.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

import minidil.functional as F
from minidil.calls.lift import lift
from minidil.deploy.fuse import Fused
from minidil.deploy.int8_plan import Int8Plan
from minidil.deploy.quantized import Grid, Quantized, per_channel
from minidil.deploy.quantized_steps import grids_of, operands, quantised, shares_grid, weight_scale
from minidil.deploy.recording import Recording, Value
from minidil.deploy.stages import OPS, Stage
from minidil.kernels.cpu.finish import PLAIN
from minidil.nn import Module, ModuleList, Parameter
from minidil.ops import rounding
from minidil.tensor import Tensor

fake_quantize = lift(rounding.fake_quantize)
_OPS = {name: lift(op) for name, op in OPS.items()}
_BIAS = 2**31 - 1


class FakeStep(Module):
    """A stage with its weights and its result on grids.

    Parameters: weight and bias of a convolution, a linear map, or a scale and shift of channels; None for other stages.
    """

    weight: Parameter | None
    bias: Parameter | None

    def __init__(self, stage: Stage, source: Grid | None, grid: Grid | None, weight_bits: int) -> None:
        super().__init__()
        self.stage, self.source, self.grid, self.most = stage, source, grid, 2 ** (weight_bits - 1) - 1
        self.weight = self.bias = None
        if stage.weight is not None:
            self.weight = Parameter(np.array(stage.weight, np.float32))
            bias = np.zeros(stage.shape[0]) if stage.bias is None else stage.bias
            self.bias = Parameter(np.array(bias, np.float32))

    def forward(self, *values: Tensor, rounding: bool = True) -> Tensor:
        y = self._ended(self._mapped(values, rounding), values)
        return on_grid(y, self.grid) if rounding and self.grid and not shares_grid(self.stage) else y

    def trained(self) -> Stage:
        """The stage with the weights of now."""
        if self.weight is None or self.bias is None:
            return self.stage
        return replace(self.stage, weight=np.array(self.weight.numpy()), bias=np.array(self.bias.numpy()))

    def _mapped(self, values: tuple[Tensor, ...], rounding: bool) -> Tensor:
        stage, x = self.stage, values[0]
        if self.weight is None or self.bias is None:
            if stage.kind in ("add", "max_pool"):
                return x
            left = iter(values)
            given = (next(left) if isinstance(each, Value) else each for each in stage.call.operands)
            made: Tensor = _OPS[stage.call.op](*given, **stage.call.options)
            return made
        weight, bias = self._rounded(self.weight, self.bias) if rounding else (self.weight, self.bias)
        if stage.kind == "linear":
            return F.linear(x, weight, bias)
        if stage.window is None:
            shape = len(bias), *(1,) * (x.ndim - 2)
            return x * weight.reshape(shape) + bias.reshape(shape)
        window = stage.window
        return F.conv(x, weight, bias, window.stride, window.padding, window.dilation, stage.groups)

    def _rounded(self, weight: Parameter, bias: Parameter) -> tuple[Tensor, Tensor]:
        assert self.source is not None  # for the type checker: what has weights reads whole numbers
        scale = weight_scale(weight.numpy(), bias.numpy(), self.source.scale, self.most)
        units = per_channel(scale, weight.ndim + 1)
        rounded: Tensor = fake_quantize(weight, scale=units, low=-self.most, high=self.most)
        return rounded, fake_quantize(bias, scale=scale * np.float32(self.source.scale), low=-_BIAS, high=_BIAS)

    def _ended(self, y: Tensor, values: tuple[Tensor, ...]) -> Tensor:
        """What follows the map: the other addend, the range, max-pooling."""
        stage = self.stage
        if (stage.kind == "add" or stage.residual is not None) and len(values) > 1:
            y = y + values[1]
        if stage.ending != PLAIN:
            low, high = (None if np.isinf(end) else end for end in stage.ending)
            y = F.clip(y, low, high)
        if stage.pool is not None:
            pool = stage.pool
            y = F.max_pool(y, pool.kernel, pool.stride, pool.padding, pool.dilation)
        return y


class FakeQuantized(Module):
    """Made by `deploy.fake_quantized`; trained as any model, by `train.fit`; then `quantized()` is the network in whole numbers.

    It computes what that does, but for what rounding in float32 moves across the edge between two numbers of a grid. In training
    mode it computes the same as in evaluation mode: nothing is dropped out, and no statistics move.
    rounding: False computes with the weights and values as they are: the control that is trained the same way.
    """

    def __init__(
        self,
        recording: Recording,
        fused: Fused,
        ranges: Mapping[int, tuple[float, float]],
        weight_bits: int,
        bits: int,
    ) -> None:
        super().__init__()
        self.recording, self.fused, self.weight_bits, self.bits, self.rounding = (
            recording,
            fused,
            weight_bits,
            bits,
            True,
        )
        self.grids = grids_of(fused, ranges, bits)
        self.steps = ModuleList(
            FakeStep(stage, self.grids[stage.reads[0]], self.grids[stage.makes], weight_bits) for stage in fused.stages
        )
        self.network()  # what it refuses, it refuses before anything is trained

    def forward(self, x: Tensor) -> Tensor:
        values = {0: on_grid(x, self.grids[0]) if self.rounding else x}
        for stage, step in zip(self.fused.stages, self.steps, strict=True):
            values[stage.makes] = step(*(values[value] for value in operands(stage)), rounding=self.rounding)
        return values[self.fused.output]

    def network(self) -> Quantized:
        """The network in whole numbers, with the weights of now."""
        stages = [step.trained() for step in self.steps if isinstance(step, FakeStep)]
        return quantised(self.recording, self.fused._replace(stages=stages), self.grids, self.weight_bits, self.bits)

    def quantized(self) -> Int8Plan:
        """The plan of that network."""
        return Int8Plan(self.network())


def on_grid(x: Tensor, grid: Grid | None) -> Tensor:
    """x with each number moved to the nearest on the grid."""
    if grid is None:
        return x
    rounded: Tensor = fake_quantize(x, scale=grid.scale, low=-grid.zero, high=grid.high - grid.zero)
    return rounded
