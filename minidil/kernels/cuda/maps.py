"""From what a map does to numbers, such as a + b, to a function of arrays and its kernels; one thread computes one element.

Threads with neighbouring numbers read and write neighbouring addresses, so the 32 floats of a warp travel in four transactions of
32 bytes.

Operands that broadcast are read with strides, 0 along the axes on which they repeat. After axes have been merged, operands of
one shape, and an array with a number, are left with a single axis: y[i] = f(a[i step_a], b[i step_b]). What is left with more
takes a kernel that finds the coordinates of i by division.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache, wraps
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import DTypeLike

from minidil.kernels.cuda.array import empty, to_device
from minidil.kernels.cuda.copy import broadcast_strides, broadcast_to
from minidil.kernels.cuda.device import (
    AXES,
    Array,
    Sizes,
    inline,
    left_filled,
    merged,
    place,
    run_each,
    thread_index,
    types,
)
from minidil.kernels.cuda.launch import Kernel, kernel
from minidil.kernels.cuda.seam import uint32
from minidil.kernels.cuda.target import target

Map: TypeAlias = Callable[..., Any]


def unary(function: Map) -> Map:
    """The function of one array that maps every element. Integers are mapped as float32, except by negative and absolute."""
    f = inline(function)
    exact = function.__name__ in ("negative", "absolute")

    def each(x: Array, y: Array) -> None:
        i = thread_index()
        if i < y.size:
            y[i] = f(x[i])

    mapped = _named(each, function, "", ["ff", "ii"] if exact else ["ff"])

    @wraps(function)
    def apply(x: Array) -> Array:
        if not (exact and x.dtype == np.int32):
            x = astype(x, np.float32)
        y = empty(x.shape, x.dtype)
        run_each(mapped, y.size, x, y)
        return y

    return apply


def binary(function: Map) -> Map:
    """The function of two operands, arrays or numbers, that broadcast."""
    return _two_operands(function, {"f": np.float32, "i": np.int32}, ["fff", "iii"])


def of_floats(function: Map) -> Map:
    """The same, computed in float32 also for integers."""
    return _two_operands(function, {"f": np.float32}, ["fff"])


def comparison(function: Map) -> Map:
    """The same, with a result of bools."""
    return _two_operands(function, {"f": np.float32, "i": np.int32, "b": np.bool_}, ["ffb", "iib", "bbb"])


def ternary(function: Map) -> Map:
    """The function of a condition and two operands that broadcast."""
    f = inline(function)

    def each(c: Array, a: Array, b: Array, y: Array, step_c: int, step_a: int, step_b: int) -> None:
        i = thread_index()
        if i < y.size:
            y[i] = f(c[uint32(i * step_c)], a[uint32(i * step_a)], b[uint32(i * step_b)])

    def broadcast(
        c: Array, a: Array, b: Array, y: Array, shape: Sizes, steps_c: Sizes, steps_a: Sizes, steps_b: Sizes
    ) -> None:
        i = thread_index()
        if i < y.size:
            y[i] = f(c[place(i, shape, steps_c)], a[place(i, shape, steps_a)], b[place(i, shape, steps_b)])

    kernels = _pair(each, broadcast, function, ["bfff", "biii", "bbbb"])

    @wraps(function)
    def apply(condition: Array, a: Array, b: Array) -> Array:
        dtype = _common(a, b)
        return _mapped(kernels, dtype, to_device(condition), _array(a, dtype), _array(b, dtype))

    return apply


def _two_operands(function: Map, types_by_kind: dict[str, Any], codes: list[str]) -> Map:
    f = inline(function)
    result = np.bool_ if codes[0].endswith("b") else None

    def each(a: Array, b: Array, y: Array, step_a: int, step_b: int) -> None:
        i = thread_index()
        if i < y.size:
            y[i] = f(a[uint32(i * step_a)], b[uint32(i * step_b)])

    def broadcast(a: Array, b: Array, y: Array, shape: Sizes, steps_a: Sizes, steps_b: Sizes) -> None:
        i = thread_index()
        if i < y.size:
            y[i] = f(a[place(i, shape, steps_a)], b[place(i, shape, steps_b)])

    kernels = _pair(each, broadcast, function, codes)

    @wraps(function)
    def apply(a: Array | float, b: Array | float) -> Array:
        common = _common(a, b)
        computed = np.dtype(types_by_kind.get(common.kind, next(reversed(types_by_kind.values()))))
        y = _mapped(kernels, computed if result is None else result, _array(a, computed), _array(b, computed))
        return astype(y, common) if result is None and common.kind == "b" else y

    return apply


def _named(function: Map, model: Map, suffix: str, codes: list[str]) -> Kernel:
    """The kernel, under the name of the map that it computes."""
    function.__name__ = function.__qualname__ = model.__name__ + suffix
    made: Kernel = kernel(*map(types, codes))(function)
    return made


def _pair(each: Map, broadcast: Map, model: Map, codes: list[str]) -> tuple[Kernel, Kernel]:
    """The two kernels of a map: for a single axis, with a step for each operand, and for several, with a tuple of them."""
    operands = len(codes[0]) - 1
    single = _named(each, model, "", [code + "u" * operands for code in codes])
    return single, _named(broadcast, model, "_broadcast", [code + "5" * (operands + 1) for code in codes])


def _mapped(kernels: tuple[Kernel, Kernel], dtype: DTypeLike, *operands: Array) -> Array:
    """Launch the kernel for a single axis, or the one for several."""
    each, broadcast = kernels
    shape = np.broadcast_shapes(*(x.shape for x in operands))
    y = empty(shape, dtype)
    sizes, steps = merged(shape, *(broadcast_strides(x.shape, shape) for x in operands))
    if len(sizes) > AXES:  # more than the kernel knows: repeated in memory, the operands have one
        operands, sizes, steps = tuple(broadcast_to(x, shape) for x in operands), (y.size,), ((1,),) * len(operands)
    if len(sizes) <= 1:
        run_each(each, y.size, *operands, y, *(np.uint32(step[0] if step else 0) for step in steps))
    else:
        strides = (left_filled(step, AXES, 0) for step in steps)
        run_each(broadcast, y.size, *operands, y, left_filled(sizes, AXES, 1), *strides)
    return y


def _common(*operands: Array | float) -> np.dtype[Any]:
    """The number type in which operands meet. Numbers adapt to arrays; what NumPy would compute in 64 bits has 32 here."""
    dtype = np.result_type(*(x if isinstance(x, int | float) else x.dtype for x in operands))
    return np.dtype({"f": np.float32, "b": np.bool_}.get(dtype.kind, np.int32))


def _array(x: Array | float, dtype: np.dtype[Any]) -> Array:
    return number(x, dtype) if isinstance(x, int | float) else astype(x, dtype)


@lru_cache(maxsize=256)
def _number(value: float, dtype: np.dtype[Any], where: str) -> Array:
    return to_device(np.asarray(value, dtype))


def number(value: float, dtype: DTypeLike) -> Array:
    """A number as an array without axes; formulas use few different ones, so they stay on the device."""
    return _number(value, np.dtype(dtype), target())


def constant(values: Any, like: Array) -> Array:
    """Host values as an array of the number type of `like`."""
    return to_device(np.asarray(values, like.dtype))


@kernel(*map(types, ("fi", "fb", "if", "ib", "bf", "bi")))
def convert(x: Array, y: Array) -> None:
    i = thread_index()
    if i < y.size:
        y[i] = x[i]  # the assignment converts


def astype(x: Array, dtype: DTypeLike) -> Array:
    """x as another number type of the device. Floats lose their fraction on the way to integers."""
    if x.dtype == np.dtype(dtype):
        return x  # which nobody writes into
    y = empty(x.shape, dtype)
    run_each(convert, y.size, x, y)
    return y
