"""A network in whole numbers: its steps, and what each of them computes, in NumPy. Faster code must give the same bits.

A value lies on a grid: q = 0, 1, ..., high stands for the number scale (q - zero). Weights are symmetric about 0, w = s[f] w_q
for filter f with w_q in -127..127. With x on a grid of scale s_x and the bias in units of s_x s[f], a convolution is:

    y[f] = sum w x + b[f] = s_x s[f] acc[f],      acc = sum w_q (x_q - x_zero) + b_q = sum w_q x_q + offset,
    offset[f] = b_q[f] - x_zero sum w_q[f],       where padding holds x_zero, which stands for 0.

    y_q = clip(rint(float32(acc) multiplier[f]) + y_zero, low, high),      multiplier[f] = s_x s[f] / s_y in float32.

ReLU is low = y_zero. The largest of a window may be taken of q, as larger numbers have larger q. A residual r, on a grid of
its own, adds float32(r_q - r_zero) (s_r / s_y) before rounding. Halves are rounded to even, as in IEEE 754 and in ONNX.
Source: Jacob et al. 2018, arXiv:1712.05877, section 2; they multiply by an integer and shift, where here is a product in float32.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from minidil.array import Array
from minidil.deploy.recording import Call, Value
from minidil.errors import DtypeError, OptionError, ShapeError
from minidil.kernels.geometry import Window
from minidil.kernels.reference.conv import conv_forward, patches


@dataclass(frozen=True)
class Grid:
    """The numbers scale (q - zero), q = 0..high. scale is a float32 number, zero one of the q, so that 0 is on every grid."""

    scale: float
    zero: int
    high: int

    @staticmethod
    def over(low: float, high: float, bits: int) -> Grid:
        """The grid of 2^bits numbers from low to high, made to include 0; scale 1 if there is nothing but 0."""
        low, high, most = min(low, 0.0), max(high, 0.0), 2**bits - 1
        scale = np.float32((high - low) / most)
        if scale < np.finfo(np.float32).tiny:
            return Grid(1.0, 0, most)
        return Grid(float(scale), min(round(-low / float(scale)), most), most)

    def quantise(self, x: Array) -> Array:
        """The nearest q, uint8; what lies outside gets the first or the last. Raises: OptionError for NaN."""
        if np.isnan(x).any():
            raise OptionError("int8: a value is NaN, for which there is no whole number; look where it comes from")
        return self.limited(x / np.float32(self.scale), 0, self.high)

    def limited(self, y: Array, low: int, high: int) -> Array:
        """rint(y) + zero in low..high, uint8, of float32 numbers in units of the scale."""
        return np.clip(np.rint(y) + np.float32(self.zero), low, high).astype(np.uint8)

    def numbers(self, q: Array) -> Array:
        """What the q stand for, float32."""
        return self.centred(q) * np.float32(self.scale)

    def centred(self, q: Array) -> Array:
        """q - zero, float32."""
        return q.astype(np.float32) - np.float32(self.zero)


@dataclass(frozen=True, eq=False, kw_only=True)
class Step(ABC):
    """One pass over the memory.

    reads, makes: numbers of values, the network's input being 0; a residual is read last. shape: of the result for one image.
    sources, grid: the grids of what it reads and makes; None for float32 numbers as they are.
    words, layers: the calls that it stands for, and the names of their layers.
    """

    reads: tuple[int, ...]
    makes: int
    shape: tuple[int, ...]
    sources: tuple[Grid | None, ...]
    grid: Grid | None
    words: tuple[str, ...]
    layers: tuple[str, ...]

    @abstractmethod
    def run(self, values: Sequence[Array]) -> Array:
        """The result of what it reads, all (N, C, *S)."""

    def source(self, place: int = 0) -> Grid:
        """The grid of an operand that must have one."""
        grid = self.sources[place]
        assert grid is not None  # for the type checker: only weighted steps make numbers, and only calls read them
        return grid

    def made(self) -> Grid:
        """The grid of a result that must have one."""
        assert self.grid is not None  # for the type checker, as above
        return self.grid


@dataclass(frozen=True, eq=False, kw_only=True)
class Weighted(Step):
    """A convolution, or a linear map where there is no window; then a residual, if two values are read; a range; max-pooling.

    weight (F, C/groups, *K) or (F, K), int8; weight_scale (F,), float32; bias (F,), int32.
    low, high: the range of its results, in q. Without a grid it has neither residual, range nor pool.
    """

    weight: Array
    weight_scale: Array
    bias: Array
    window: Window | None
    groups: int
    low: int
    high: int
    pool: Window | None

    @cached_property
    def offset(self) -> Array:
        """(F,), int32: the bias less what x_zero adds to every sum."""
        sums = self.weight.astype(np.int64).sum(axis=tuple(range(1, self.weight.ndim)))
        offset: Array = (self.bias - self.source().zero * sums).astype(np.int32)
        return offset

    @cached_property
    def multiplier(self) -> Array:
        """(F,), float32: a unit of the sums, in units of the result."""
        unit = 1.0 if self.grid is None else self.grid.scale
        multiplier: Array = (self.weight_scale.astype(np.float64) * (self.source().scale / unit)).astype(np.float32)
        return multiplier

    def largest_sum(self) -> int:
        """No sum of it, whole or in part, goes beyond this."""
        weights = np.abs(self.weight.astype(np.int64)).sum(axis=tuple(range(1, self.weight.ndim)))
        return int((weights * self.source().high + np.abs(self.bias) + weights * self.source().zero).max(initial=0))

    @cached_property
    def residual_multiplier(self) -> np.float32:
        """A unit of the residual, in units of the result."""
        return np.float32(self.source(1).scale / self.made().scale)

    def run(self, values: Sequence[Array]) -> Array:
        # Whole numbers below 2^53 are exact in float64, whose products BLAS does.
        x, weight = self.source().centred(values[0]).astype(np.float64), self.weight.astype(np.float64)
        bias = self.bias.astype(np.float64)
        acc = x @ weight.T + bias if self.window is None else conv_forward(x, weight, self.window, self.groups, bias)
        y = acc.astype(np.float32) * per_channel(self.multiplier, acc.ndim)
        if self.grid is None:
            return y
        if len(values) > 1:
            y += self.source(1).centred(values[1]) * self.residual_multiplier
        q = self.grid.limited(y, self.low, self.high)
        return q if self.pool is None else largest(q, self.pool)


@dataclass(frozen=True, eq=False, kw_only=True)
class Sum(Step):
    """a + b, or a alone, limited to low..high."""

    low: int
    high: int

    @cached_property
    def multipliers(self) -> tuple[np.float32, ...]:
        """A unit of each operand, in units of the result."""
        return tuple(np.float32(self.source(n).scale / self.made().scale) for n in range(len(self.reads)))

    def run(self, values: Sequence[Array]) -> Array:
        y = self.source().centred(values[0]) * self.multipliers[0]
        if len(values) > 1:
            y += self.source(1).centred(values[1]) * self.multipliers[1]
        return self.made().limited(y, self.low, self.high)


@dataclass(frozen=True, eq=False, kw_only=True)
class Mean(Step):
    """The mean of every channel over all spatial axes: the sum of q - zero, exact, then as in a convolution.

    positions: how many there are.
    """

    positions: int

    @cached_property
    def multiplier(self) -> np.float32:
        """A unit of the sums, in units of the result."""
        return np.float32(self.source().scale / (self.made().scale * self.positions))

    def run(self, values: Sequence[Array]) -> Array:
        x = values[0].astype(np.int64)
        sums = x.sum(axis=tuple(range(2, x.ndim))) - self.source().zero * self.positions
        q = self.made().limited(sums.astype(np.float32) * self.multiplier, 0, self.made().high)
        return q.reshape(len(q), *self.shape)


@dataclass(frozen=True, eq=False, kw_only=True)
class MaxPool(Step):
    """The largest of every window, on the grid of what it reads."""

    pool: Window

    def run(self, values: Sequence[Array]) -> Array:
        return largest(values[0], self.pool)


@dataclass(frozen=True, eq=False, kw_only=True)
class Plain(Step):
    """A call as it is, in float32: what has a grid is turned into numbers before, and the result is put on its grid.

    moves: it puts numbers in other places and changes none, so that q do as well.
    """

    call: Call
    moves: bool

    def run(self, values: Sequence[Array]) -> Array:
        from minidil.deploy.stages import OPS  # here, as it brings Numba, which nothing else needs

        if not self.moves:
            pairs = zip(self.sources, values, strict=True)
            values = [each if grid is None else grid.numbers(each) for grid, each in pairs]
        left = iter(values)
        operands = (next(left) if isinstance(each, Value) else each for each in self.call.operands)
        y = np.asarray(OPS[self.call.op](*operands, **self.call.options)[0])
        if y.shape[1:] != self.shape:
            raise ShapeError(
                f"int8: {self.call.op} in {self.call.where} makes {y.shape[1:]} of an image, not {self.shape}"
            )
        return y if self.moves or self.grid is None else self.grid.quantise(y)


@dataclass(frozen=True, eq=False)
class Quantized:
    """Steps in order, from inputs (N, *input_shape), which lie on the first grid, to the value that is the result.

    weight_bits, bits: of weights and of values. kept_apart: what is not done in one step with others, and why.
    """

    model: str
    input_shape: tuple[int, ...]
    grid: Grid
    steps: tuple[Step, ...]
    output: int
    weight_bits: int
    bits: int
    kept_apart: tuple[str, ...]

    def checked(self, x: Array) -> Array:
        """x itself. Raises: ShapeError, DtypeError if it is not (N, *input_shape) of float32."""
        if not x.ndim or x.shape[1:] != self.input_shape:
            expected = f"(N, {', '.join(map(str, self.input_shape))})"
            raise ShapeError(
                f"int8 plan of {self.model}: x must be {expected}, not {x.shape}; quantize the model again for another shape"
            )
        if x.dtype != np.float32:
            raise DtypeError(f"int8 plan of {self.model}: x must be float32, not {x.dtype}; use astype('float32')")
        return x

    @property
    def nbytes(self) -> int:
        """The bytes of all weights, with their scales and biases."""
        weighted = (step for step in self.steps if isinstance(step, Weighted))
        return sum(each.nbytes for step in weighted for each in (step.weight, step.weight_scale, step.bias))

    def grid_of(self, value: int) -> Grid | None:
        """The grid of a value; None for float32 numbers as they are."""
        return self.grid if value == 0 else next(step.grid for step in self.steps if step.makes == value)


def run_reference(network: Quantized, x: Array) -> Array:
    """What the network computes for x (N, *input_shape) of float32: float32 numbers.

    Raises: ShapeError, DtypeError for another x; OptionError if there is a NaN in it, or one is made by a call in float32.
    """
    values = {0: network.grid.quantise(network.checked(x))}
    for step in network.steps:
        values[step.makes] = step.run([values[value] for value in step.reads])
    grid, y = network.grid_of(network.output), values[network.output]
    return y if grid is None else grid.numbers(y)


def largest(q: Array, window: Window) -> Array:
    """The largest of every window of q (N, C, *S), uint8; padding is 0, which is never above anything."""
    return patches(q, window).max(axis=tuple(range(2, 2 + len(window.kernel))))


def per_channel(x: Array, ndim: int) -> Array:
    """x (F,), to meet arrays (N, F, ...) of so many axes."""
    return x.reshape(-1, *(1,) * (ndim - 2))
