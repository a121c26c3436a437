"""Tensors made from nothing: constants, ranges and random numbers. float32 unless dtype says otherwise."""

from __future__ import annotations

from numbers import Integral
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from minidil.calls.words import understood
from minidil.errors import CallError
from minidil.random import default_rng
from minidil.tensor import Tensor, tensor


@understood
def zeros(*shape: Any, dtype: DTypeLike = np.float32, requires_grad: bool = False) -> Tensor:
    """A tensor of zeros; shape as ints or one tuple."""
    return Tensor(np.zeros(_shape(shape), dtype), requires_grad)


@understood
def ones(*shape: Any, dtype: DTypeLike = np.float32, requires_grad: bool = False) -> Tensor:
    """A tensor of ones; shape as ints or one tuple."""
    return Tensor(np.ones(_shape(shape), dtype), requires_grad)


@understood
def full(shape: Any, value: float, dtype: DTypeLike | None = None, requires_grad: bool = False) -> Tensor:
    """A tensor of one value, of the type that `tensor` gives it (float32 for 1.0, int64 for 1); shape as an int or a tuple."""
    return Tensor(np.full(shape, value, dtype or tensor(value).dtype), requires_grad)


@understood
def zeros_like(x: Tensor, dtype: DTypeLike | None = None, requires_grad: bool = False) -> Tensor:
    """Zeros of the shape and type of x, or of another type."""
    return zeros(x.shape, dtype=dtype or x.dtype, requires_grad=requires_grad)


@understood
def ones_like(x: Tensor, dtype: DTypeLike | None = None, requires_grad: bool = False) -> Tensor:
    """Ones of the shape and type of x, or of another type."""
    return ones(x.shape, dtype=dtype or x.dtype, requires_grad=requires_grad)


@understood
def full_like(x: Tensor, value: float, dtype: DTypeLike | None = None, requires_grad: bool = False) -> Tensor:
    """One value in the shape and type of x, or of another type."""
    return full(x.shape, value, dtype or x.dtype, requires_grad)


@understood
def arange(start: float = 0, stop: float | None = None, step: float = 1, dtype: DTypeLike | None = None) -> Tensor:
    """start, start + step, ... below stop; with one number, 0, 1, ... below it. int64 for ints, else float32."""
    for name, value in {"start": start, "stop": 0 if stop is None else stop, "step": step}.items():
        if not isinstance(value, int | float | np.number) or (name == "step" and not value):
            raise CallError(f"arange: {name} must be a number{' other than 0' * (name == 'step')}, not {value!r}")
    values = np.arange(start, stop, step) if stop is not None else np.arange(start)
    return Tensor(values.astype(dtype or (np.float32 if values.dtype.kind == "f" else np.int64)))


@understood
def linspace(start: float, stop: float, steps: int, dtype: DTypeLike = np.float32) -> Tensor:
    """`steps` numbers at equal distances from start to stop, both included."""
    return Tensor(np.linspace(start, stop, _count("linspace: steps", steps)).astype(dtype))


@understood
def eye(n: int, m: int | None = None, dtype: DTypeLike = np.float32) -> Tensor:
    """The (n, m) matrix with ones on its diagonal; m is n by default."""
    rows = _count("eye: n", n)
    return Tensor(np.eye(rows, rows if m is None else _count("eye: m", m), dtype=dtype))


@understood
def rand(*shape: Any, requires_grad: bool = False, rng: np.random.Generator | None = None) -> Tensor:
    """float32 numbers drawn uniformly from [0, 1); rng: by default the generator that `minidil.seed` sets."""
    return Tensor((rng or default_rng()).random(_shape(shape), dtype=np.float32), requires_grad)


@understood
def randn(*shape: Any, requires_grad: bool = False, rng: np.random.Generator | None = None) -> Tensor:
    """float32 numbers drawn from the normal distribution with mean 0 and variance 1."""
    return Tensor((rng or default_rng()).standard_normal(_shape(shape), dtype=np.float32), requires_grad)


@understood
def randint(low: int, high: int, shape: Any, rng: np.random.Generator | None = None) -> Tensor:
    """int64 numbers drawn uniformly from low..high - 1."""
    if not (isinstance(low, Integral) and isinstance(high, Integral) and low < high):
        raise CallError(
            f"randint: numbers are drawn from low to high - 1, ints with low < high, not {low!r} and {high!r}"
        )
    return Tensor((rng or default_rng()).integers(low, high, shape))


@understood
def randperm(n: int, rng: np.random.Generator | None = None) -> Tensor:
    """0..n - 1 in random order, int64."""
    return Tensor((rng or default_rng()).permutation(_count("randperm: n", n)))


def _count(name: str, value: Any) -> int:
    if not isinstance(value, Integral) or value < 0:
        raise CallError(f"{name} must be an int >= 0, not {value!r}")
    return int(value)


def _shape(sizes: tuple[Any, ...]) -> tuple[int, ...]:
    shape = tuple(sizes[0]) if len(sizes) == 1 and isinstance(sizes[0], tuple | list) else sizes
    if not all(isinstance(n, int | np.integer) and n >= 0 for n in shape):
        raise CallError(f"a shape is made of ints >= 0, as in zeros(2, 3) or zeros((2, 3)), not {shape!r}")
    return tuple(int(n) for n in shape)
