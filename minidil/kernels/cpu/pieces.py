"""Kernels larger than 3x3 as sums of 3x3 ones, each by Winograd's algorithm.

A convolution is linear in its kernel. Along an axis of K taps, with zeros for those that are missing behind the last, tap
k = 3 i + j is tap j of piece i:

    y[o] = sum_k w[k] x[o + d k - p] = sum_i sum_j w[3 i + j] x[o + d j - (p - 3 d i)],

and so a piece is a convolution with three taps, of the same dilation d, whose padding p is 3 d i less. That can be negative: such
a piece does not see the beginning of the image. F(4x4, 3x3) needs 36/16 = 2.25 products an output for a piece. 5x5 taps are four
pieces: 9 products where the definition has 25, as many as F(2x2, 5x5) needs, which would transform back every 4 outputs instead
of every 16. 7x7 are nine: 20.25 of 49.

The errors of the pieces add up; winograd.py bounds each. Where a missing tap meets a number that is not finite, 0 times that
number would be added: such inputs go another way.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import product

import numpy as np

from minidil.array import Array
from minidil.kernels.cpu import direct, scale, winograd
from minidil.kernels.cpu.layout import as_channels, as_rows
from minidil.kernels.cpu.winograd_plan import tiling
from minidil.kernels.geometry import Window
from minidil.kernels.threads import run_sliced

_CHANNELS = 64  # of a group; with fewer, the transforms cost more than the products saved


def pays(window: Window, channels: int, filters: int, groups: int) -> bool:
    """Whether it is the faster way. It must save half of the products: the transforms cost about as much as the other half."""
    larger = len(window.kernel) == 2 and set(window.stride) == {1} and max(window.kernel) > 3
    if not larger or min(channels, filters) < _CHANNELS * groups:
        return False
    tiles, count = tiling(window), math.prod(_pieces_along(window))
    return 2 * 36 * count * tiles.rows * tiles.per_row <= window.taps * math.prod(window.out)


def conv_forward(x: Array, weight: Array, window: Window, groups: int = 1, bias: Array | None = None) -> Array:
    """x (N, C, H, W), weight (F, C/groups, K, K') -> (N, F, *O)."""
    rows = as_rows(x)
    if not scale.finite(rows):
        return direct.conv_forward(x, weight, window, groups, bias)
    x = as_channels(rows, len(x), window.size)
    parts = (
        winograd.conv_forward(x, piece, part, groups, None if number else bias)
        for number, (piece, part) in enumerate(_pieces(weight, window))
    )
    return _total(parts)


def conv_grad_input(grad: Array, weight: Array, window: Window, groups: int = 1, forward: bool = False) -> Array:
    """dL/dx; forward: as the forward pass of a transposed convolution."""
    rows = as_rows(grad)
    if not scale.finite(rows):
        return direct.conv_grad_input(grad, weight, window, groups)
    grad = as_channels(rows, len(grad), window.out)
    return _total(
        winograd.conv_grad_input(grad, piece, part, groups, forward) for piece, part in _pieces(weight, window)
    )


def conv_grad_weight(x: Array, grad: Array, window: Window, groups: int = 1) -> Array:
    """dL/dw, three taps by three; of those that are missing it is left out."""
    x, grad = (as_channels(as_rows(each), len(each), each.shape[2:]) for each in (x, grad))
    shape = (grad.shape[1], x.shape[1] // groups, *window.kernel)
    found = np.empty(shape, x.dtype)
    for part, place in _parts(window):
        into = found[..., place[0], place[1]]
        into[...] = winograd.conv_grad_weight(x, grad, part, groups)[..., : into.shape[2], : into.shape[3]]
    return found


def _pieces_along(window: Window) -> tuple[int, ...]:
    return tuple(math.ceil(taps / 3) for taps in window.kernel)


def _parts(window: Window) -> Iterator[tuple[Window, tuple[slice, slice]]]:
    """Of each piece the window, and which taps it has."""
    for place in product(*map(range, _pieces_along(window))):
        padding = []
        for i, d, (before, _), size, out in zip(
            place, window.dilation, window.padding, window.size, window.out, strict=True
        ):
            first = before - 3 * d * i
            padding.append((first, out + 2 * d - size - first))  # as much behind as gives as many outputs
        rows, columns = (slice(3 * i, 3 * i + 3) for i in place)
        yield replace(window, kernel=(3, 3), padding=tuple(padding)), (rows, columns)


def _pieces(weight: Array, window: Window) -> Iterator[tuple[Array, Window]]:
    for part, place in _parts(window):
        taps = weight[..., place[0], place[1]]
        missing: Sequence[tuple[int, int]] = [(0, 0), (0, 0), (0, 3 - taps.shape[2]), (0, 3 - taps.shape[3])]
        yield np.pad(taps, missing), part


def _total(parts: Iterator[Array]) -> Array:
    """The sum, in the memory of the first part."""
    total = next(parts)
    for part in parts:

        def add(start: int, stop: int, part: Array = part) -> None:
            total[start:stop] += part[start:stop]

        run_sliced(add, len(total))
    return total
