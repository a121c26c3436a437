"""Sums over the threads of a warp, by shuffles, and of a block, through shared memory.

A shuffle hands a register from lane to lane without memory and without a barrier. In a sum over 32 lanes, lane i first adds what
lane i + 16 has, then what lane i + 8 has by now, then 4, 2 and 1: after five steps lane 0 holds the sum. With `xor` instead,
lane i takes from lane i XOR 16, 8, 4, 2, 1, and every lane holds it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from minidil.kernels.cuda.grid import ALL_LANES, THREADS, WARP, Array, inline
from minidil.kernels.cuda.seam import cuda, float32, uint32

WARPS = THREADS // WARP


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
