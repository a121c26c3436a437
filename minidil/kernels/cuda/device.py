"""What all kernels share: how a thread finds its work, how a kernel is launched, the types the arithmetic is done in, and sums
over the threads of a warp and of a block.

A kernel sees an array as one row of numbers in row-major order, whatever its shape; sizes and strides come as arguments. Three
rules hold throughout:

- Indices are uint32. Numba would test signed ones for being negative, and 64-bit ones take several instructions for each
  operation on a machine whose registers have 32 bits. An array therefore has fewer than 2^32 elements, and is asked for
  x[uint32(...)], since Numba widens sums and products of 32-bit numbers to 64 bits unless told otherwise.
- A number in a kernel is `float32(0.5)` and not `0.5`: a Python float is a float64, with which most GPUs compute 32 to 64
  times more slowly.
- No two threads write the same element, and sums are taken in a fixed order. The same input gives the same bits.

A shuffle hands a register from lane to lane of a warp without memory and without a barrier. In a sum over 32 lanes, lane i first
adds what lane i + 16 has, then what lane i + 8 has by now, then 4, 2 and 1: after five steps lane 0 holds the sum. With `xor`
instead, lane i takes from lane i XOR 16, 8, 4, 2, 1, and every lane holds it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

from minidil.kernels.cuda.array import DeviceArray
from minidil.kernels.cuda.launch import Kernel, launch
from minidil.kernels.cuda.seam import cuda, float32, uint32

Array: TypeAlias = Any  # a DeviceArray on the host; in a kernel, a row of numbers
Sizes: TypeAlias = tuple[int, ...]
Triple: TypeAlias = tuple[int, int, int]

THREADS = 256  # of a block whose threads do not work together: 8 warps, of which a GPU holds several blocks at once
WARP = 32
WARPS = THREADS // WARP
ALL_LANES = 0xFFFFFFFF  # the mask of a shuffle in which the whole warp takes part
AXES = 5  # of the kernels that find their elements by strides

_TYPES = {"f": "float32[::1]", "i": "int32[::1]", "b": "boolean[::1]", "u": "uint32", "n": "int32", "r": "float32"}
_TYPES["g"] = "UniTuple(int32, 21)"


def types(code: str) -> str:
    """A signature, a letter for each argument: f, i, b are arrays of float32, int32, bool; u, n, r the numbers uint32, int32 and
    float32; a digit is a tuple of so many int32, and g the geometry of a window (see `window`).
    """
    return ", ".join(f"UniTuple(int32, {letter})" if letter.isdigit() else _TYPES[letter] for letter in code)


def inline(function: Callable[..., Any]) -> Callable[..., Any]:
    """A piece of kernels, pasted in where it is called: it costs no call, and its instructions keep its file and its lines."""
    piece: Callable[..., Any] = cuda.jit(device=True, forceinline=True, lineinfo=True)(function)
    return piece


@inline
def thread_index() -> int:
    """The number of this thread in a grid of one dimension."""
    return uint32(uint32(cuda.blockIdx.x) * uint32(cuda.blockDim.x) + uint32(cuda.threadIdx.x))


@inline
def place(i: int, shape: Sizes, steps: Sizes) -> int:
    """Where element number i of an array of this shape, with 5 axes, stands in one with these strides."""
    at = uint32(i % uint32(shape[4])) * steps[4]
    rest = uint32(i // uint32(shape[4]))
    at += uint32(rest % uint32(shape[3])) * steps[3]
    rest = uint32(rest // uint32(shape[3]))
    at += uint32(rest % uint32(shape[2])) * steps[2]
    rest = uint32(rest // uint32(shape[2]))
    at += uint32(rest % uint32(shape[1])) * steps[1]
    return uint32(at + uint32(rest // uint32(shape[1])) * steps[0])


def over_warp(combine: Callable[..., Any]) -> Callable[..., Any]:
    """The piece of a kernel that combines a number of every lane, and leaves the result in lane 0."""

    @inline
    def combined(value: Any) -> Any:
        value = combine(value, cuda.shfl_down_sync(ALL_LANES, value, 16))
        value = combine(value, cuda.shfl_down_sync(ALL_LANES, value, 8))
        value = combine(value, cuda.shfl_down_sync(ALL_LANES, value, 4))
        value = combine(value, cuda.shfl_down_sync(ALL_LANES, value, 2))
        return combine(value, cuda.shfl_down_sync(ALL_LANES, value, 1))

    return combined


@inline
def warp_sum(value: float) -> float:
    """The sum over the warp, in every lane."""
    value += cuda.shfl_xor_sync(ALL_LANES, value, 16)
    value += cuda.shfl_xor_sync(ALL_LANES, value, 8)
    value += cuda.shfl_xor_sync(ALL_LANES, value, 4)
    value += cuda.shfl_xor_sync(ALL_LANES, value, 2)
    return value + cuda.shfl_xor_sync(ALL_LANES, value, 1)


@inline
def warp_max(value: float) -> float:
    """The largest number of the warp, in every lane; NaN is not looked at."""
    value = max(value, cuda.shfl_xor_sync(ALL_LANES, value, 16))
    value = max(value, cuda.shfl_xor_sync(ALL_LANES, value, 8))
    value = max(value, cuda.shfl_xor_sync(ALL_LANES, value, 4))
    value = max(value, cuda.shfl_xor_sync(ALL_LANES, value, 2))
    return max(value, cuda.shfl_xor_sync(ALL_LANES, value, 1))


@inline
def block_sum(value: float, partial: Array) -> float:
    """The sum over a block of 256 threads, in thread 0. partial: shared memory of 8 floats that nothing else uses.

    Each warp adds up its lanes and leaves the sum in shared memory; after the barrier the first warp adds up those.
    """
    thread = uint32(cuda.threadIdx.x)
    value = warp_sum(value)
    if thread % uint32(WARP) == uint32(0):
        partial[thread // uint32(WARP)] = value
    cuda.syncthreads()
    value = float32(0)
    if thread < uint32(WARPS):
        value = partial[thread]
    return warp_sum(value)


def run(kernel: Kernel, blocks: int | Sizes, threads: int | tuple[int, ...], *arguments: Any) -> None:
    """Launch a kernel on a grid of blocks, with every array as a row; an empty grid runs nothing."""
    rows = (x.reshaped((x.size,)) if isinstance(x, DeviceArray) and x.ndim != 1 else x for x in arguments)
    launch(kernel, blocks, threads, *rows)


def run_each(kernel: Kernel, count: int, *arguments: Any) -> None:
    """Launch a kernel with a thread for each of `count` elements."""
    run(kernel, ceil_div(count, THREADS), THREADS, *arguments)


def ceil_div(count: int, size: int) -> int:
    """How many parts of this size it takes for `count` things."""
    return -(-count // size)


def row_major(shape: Sequence[int]) -> Sizes:
    """The strides, in elements, of a contiguous array."""
    return tuple(math.prod(shape[axis + 1 :]) for axis in range(len(shape)))


def left_filled(values: Sequence[int], count: int, fill: int) -> Sizes:
    """Sizes or strides of `count` axes, the missing ones in front."""
    return (fill,) * (count - len(values)) + tuple(values)


def merged(shape: Sequence[int], *strides: Sequence[int]) -> tuple[Sizes, tuple[Sizes, ...]]:
    """The same elements in the same order, over as few axes as possible: axes of size 1 go, and neighbours become one.

    Two neighbouring axes are one in an operand if a step along the first is as long as all steps along the second. Adding two
    arrays of the same shape, for instance, is work on a single axis, whatever that shape is.
    """
    sizes: list[int] = []
    steps: tuple[list[int], ...] = tuple([] for _ in strides)
    for axis, n in enumerate(shape):
        if n == 1:
            continue
        ahead = [given[axis] for given in strides]
        if sizes and all(own[-1] == n * step for own, step in zip(steps, ahead, strict=True)):
            sizes[-1] *= n
            for own, step in zip(steps, ahead, strict=True):
                own[-1] = step
        else:
            sizes.append(n)
            for own, step in zip(steps, ahead, strict=True):
                own.append(step)
    return tuple(sizes), tuple(map(tuple, steps))
