"""Between the logical shape (N, C, *S) and what the kernels work on: a matrix with a row per position, a column per channel."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from minidil.array import Array
from minidil.kernels.cpu import memory
from minidil.kernels.cpu.jit import njit
from minidil.kernels.geometry import Window

Triple = tuple[int, int, int]


def compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compile on the first call for each number type, keep the result on disk, release the interpreter lock while running.

    error_model: as in NumPy, x / 0 is infinite. To raise an error instead, a loop with a division would have to go one by one.
    """
    kernel: Callable[..., Any] = njit(function, nogil=True, cache=True, fastmath={"contract"}, error_model="numpy")
    return kernel


def compiled_sum(function: Callable[..., Any]) -> Callable[..., Any]:
    """The same for a loop that adds up: it may keep several partial sums, as many as a vector holds, and add them at the end."""
    flags = {"contract", "reassoc"}
    kernel: Callable[..., Any] = njit(function, nogil=True, cache=True, fastmath=flags, error_model="numpy")
    return kernel


def compiled_exactly(function: Callable[..., Any]) -> Callable[..., Any]:
    """The same, but a product that is added to something is rounded first, as in NumPy.

    fastmath: said, since what is left out is inherited from the compiled function that calls this one.
    """
    kernel: Callable[..., Any] = njit(function, nogil=True, cache=True, fastmath=False, error_model="numpy")
    return kernel


def walk(window: Window, start: int, stop: int, step: int) -> Iterator[tuple[int, int, Array]]:
    """Yield (first, last, places) for the output positions start..stop of a batch, `step` of them at a time.

    places (last - first, taps) says where each tap of each position falls: a row of the channels-last input seen as a matrix
    (positions of all images, channels), or -1 on the padding. The kernels read their geometry from it, in any number of
    dimensions. It is overwritten by the next step.
    """
    table = np.empty((min(step, stop - start), window.taps), np.int64)
    geometry = _geometry(window)
    for first in range(start, stop, step):
        last = min(first + step, stop)
        _find_places(table[: last - first], first, *geometry)
        yield first, last, table[: last - first]


def tap_places(window: Window) -> Array:
    """The same for all output positions of one image: (prod(O), taps)."""
    table = np.empty((math.prod(window.out), window.taps), np.int64)
    _find_places(table, 0, *_geometry(window))
    return table


def _geometry(window: Window) -> tuple[Triple, ...]:
    return (
        _three(window.size),
        _three(window.kernel),
        _three(window.stride),
        _three([before for before, _ in window.padding], missing=0),
        _three(window.dilation),
        _three(window.out),
    )


def as_rows(x: Array, axis: int = 1) -> Array:
    """(N, C, *S) -> (N prod(S), C), or another axis than C as the last, contiguous, to be read; a copy only if needed."""
    moved = np.moveaxis(x, axis, -1)
    if not moved.flags.c_contiguous:
        copy = memory.empty(moved.shape, moved.dtype)
        copy[...] = moved
        moved = copy
    return writable(moved).reshape(math.prod(moved.shape[:-1]), moved.shape[-1])


def as_channels(rows: Array, images: int, spatial: Sequence[int]) -> Array:
    """(N prod(S), C) -> a view (N, C, *S)."""
    return np.moveaxis(rows.reshape(images, *spatial, rows.shape[-1]), -1, 1)


def writable(x: Array) -> Array:
    """x for a kernel that reads it, and is compiled for arrays that may be written: a view where that can be, else a copy."""
    if x.flags.writeable:
        return x
    view = x.view()
    try:
        view.flags.writeable = True
    except ValueError:  # the memory itself is read-only
        return x.copy(order="K")
    return view


def _three(values: Sequence[int], missing: int = 1) -> Triple:
    first, second, third = (missing,) * (3 - len(values)) + tuple(values)
    return first, second, third


@compiled
def _find_places(
    places: Array,
    first: int,
    size: Triple,
    kernel: Triple,
    stride: Triple,
    before: Triple,
    dilation: Triple,
    out: Triple,
) -> None:
    """Fill in where the taps, in row-major order, of the output positions first, first + 1, ... fall.

    A position is counted up from the one before it: the divisions that find it would take longer than the rest.
    """
    ow, rest = first % out[2], first // out[2]
    oh, rest = rest % out[1], rest // out[1]
    od, image = rest % out[0], rest // out[0]
    for r in range(len(places)):
        d0 = od * stride[0] - before[0]
        h0 = oh * stride[1] - before[1]
        w0 = ow * stride[2] - before[2]
        all_inside = (
            d0 >= 0
            and h0 >= 0
            and w0 >= 0
            and d0 + (kernel[0] - 1) * dilation[0] < size[0]
            and h0 + (kernel[1] - 1) * dilation[1] < size[1]
            and w0 + (kernel[2] - 1) * dilation[2] < size[2]
        )
        tap = 0
        for i in range(kernel[0]):
            d = d0 + i * dilation[0]
            for j in range(kernel[1]):
                h = h0 + j * dilation[1]
                for k in range(kernel[2]):
                    w = w0 + k * dilation[2]
                    inside = all_inside or (0 <= d < size[0] and 0 <= h < size[1] and 0 <= w < size[2])
                    places[r, tap] = ((image * size[0] + d) * size[1] + h) * size[2] + w if inside else -1
                    tap += 1
        ow += 1
        if ow == out[2]:
            ow = 0
            oh += 1
        if oh == out[1]:
            oh = 0
            od += 1
        if od == out[0]:
            od = 0
            image += 1
