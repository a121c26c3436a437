"""Arrays of one shape as flat vectors, shared out among the threads.

`ravel(order="K")` lists the elements of an array in the order in which they lie in memory, and `empty_like` makes an array of the
same order, so the kernels see flat vectors whether an array is channels-first or channels-last.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from minidil.array import Array
from minidil.kernels.cpu import memory
from minidil.kernels.cpu.layout import writable
from minidil.kernels.threads import run_sliced

LEAST_ELEMENTS = 1 << 14  # elements: fewer are done before another thread has woken


def mapped(
    kernel: Callable[..., None], x: Array, *others: Array, constants: Sequence[float] = (), outputs: int = 1
) -> tuple[Array, ...]:
    """Run kernel(x, *others, *outs, *constants) over flat pieces of arrays of one shape; the outs have the memory order of x.

    constants: numbers, handed over in the type of x: a Python number would make float64 of the float32 that it multiplies.
    """
    outs = tuple(memory.empty_like(x) for _ in range(outputs))
    flat = [flattened(array, outs[0]) for array in (x, *others, *outs)]
    numbers = [x.dtype.type(number) for number in constants]
    if x.size < LEAST_ELEMENTS:
        kernel(*flat, *numbers)
    else:
        run_sliced(lambda start, stop: kernel(*(vector[start:stop] for vector in flat), *numbers), x.size)
    return outs


def flattened(array: Array, like: Array) -> Array:
    """The elements of an array in the memory order of `like`, which has its shape; a copy only if its own order is another."""
    if (array.shape, array.strides) != (like.shape, like.strides):
        moved = memory.empty_like(like)
        moved[...] = array
        array = moved
    return writable(array).ravel(order="K")
