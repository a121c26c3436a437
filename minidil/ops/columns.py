"""The two halves of a convolution as ops of their own: `unfold` copies every window into a column, `fold` adds columns up again.

Both are linear, and each is the adjoint of the other, so each is the other's gradient.
"""

from __future__ import annotations

import math
from functools import reduce
from itertools import starmap

import numpy as np

from minidil.array import Array
from minidil.errors import ShapeError
from minidil.kernels.backend import active
from minidil.kernels.contract import Kernels
from minidil.kernels.geometry import Ints, Padding, Window, per_axis
from minidil.ops.common import Vjps


def unfold(
    x: Array, *, kernel_size: Ints, dilation: Ints = 1, padding: Padding = 0, stride: Ints = 1
) -> tuple[Array, Vjps]:
    """im2col: every window of x as a column, of which conv makes one matrix product.

    Shapes: x (N, C, *S) -> (N, C prod(K), L), L = prod(O), O as for `conv`; a row is a channel and a tap, row-major.
    Raises: ShapeError if the window overruns the padded input.
    """
    k = active()
    if not 3 <= x.ndim <= 5:
        raise ShapeError(f"unfold: x must be (N, C, *S) with 1 to 3 spatial axes, not {x.shape}")
    window = Window.of(x.shape[2:], kernel_size, stride, padding, dilation, "unfold")
    channels = x.shape[1]
    # cols[c k, o] = x[c, o stride + k dilation - padding]: each entry is a copy, so G goes back to where it was copied from,
    # and is added up where windows overlap.
    return _columns(k, x, window), (lambda grad: _image(k, grad, channels, window),)


def fold(
    cols: Array, *, output_size: Ints, kernel_size: Ints, dilation: Ints = 1, padding: Padding = 0, stride: Ints = 1
) -> tuple[Array, Vjps]:
    """col2im: every entry of the columns added where `unfold` would have taken it from. Not its inverse: overlaps add up.

    Shapes: cols (N, C prod(K), L) -> (N, C, *output_size), where L windows fit into output_size, which has one int per axis
        (a single int stands for one per entry of kernel_size, or for two axes).
    Raises: ShapeError if the columns do not fit the window.
    """
    k = active()
    given = next((value for value in (output_size, kernel_size) if not isinstance(value, int)), (0, 0))
    size = per_axis(output_size, len(given), "output_size", "fold", least=1)
    window = Window.of(size, kernel_size, stride, padding, dilation, "fold")
    count = math.prod(window.out)
    if cols.ndim != 3 or cols.shape[1] % window.taps or cols.shape[2] != count:
        raise ShapeError(
            f"fold: the kernel {window.kernel} has {window.taps} taps and {count} positions on an output of {size}, so cols must "
            f"be (N, C*{window.taps}, {count}), not {cols.shape}"
        )
    # The other way round: y[s] is the sum of the entries whose place is s, so each of them gets G[s].
    return _image(k, cols, cols.shape[1] // window.taps, window), (lambda grad: _columns(k, grad, window),)


def _columns(k: Kernels, x: Array, window: Window) -> Array:
    padded = k.pad(x, ((0, 0), (0, 0), *window.padding)) if any(map(any, window.padding)) else x
    taps = [k.take(padded, _visited(tap, window)) for tap in np.ndindex(*window.kernel)]
    return k.reshape(k.stack(taps, axis=2), (x.shape[0], x.shape[1] * window.taps, math.prod(window.out)))


def _image(k: Kernels, cols: Array, channels: int, window: Window) -> Array:
    images = cols.shape[0]
    spread = k.reshape(cols, (images, channels, window.taps, *window.out))
    shape = (images, channels, *window.padded)

    def part(number: int, tap: tuple[int, ...]) -> Array:
        return k.scatter_add(k.take(spread, (slice(None), slice(None), number)), _visited(tap, window), shape)

    # Windows overlap, hence the sum; within one tap no position is met twice.
    total = reduce(k.add, starmap(part, enumerate(np.ndindex(*window.kernel))))
    inner = (slice(before, before + n) for n, (before, _) in zip(window.size, window.padding, strict=True))
    return k.take(total, (slice(None), slice(None), *inner))


def _visited(tap: tuple[int, ...], window: Window) -> tuple[slice, ...]:
    """The positions of the padded input that one tap visits while the window slides."""
    axes = zip(tap, window.dilation, window.stride, window.out, strict=True)
    return (slice(None), slice(None), *(slice(i * d, i * d + t * (out - 1) + 1, t) for i, d, t, out in axes))
