"""The geometry of a sliding window: where its taps fall, and how many outputs fit. Stated once, for any number of axes.

A kernel of K taps with dilation d touches the offsets 0, d, 2d, ..., (K - 1) d, so it spans

    span = d (K - 1) + 1

positions (not K d: nothing follows the last tap). On an axis of size S padded to S + before + after the window can start
at 0, stride, 2 stride, ... as long as start + span <= S + before + after, which leaves

    out = (S + before + after - span) // stride + 1

positions. Convolution, pooling, their gradients and the analysis of receptive fields all read these two formulas here.
Source: Dumoulin & Visin 2016, "A guide to convolution arithmetic for deep learning", arXiv:1603.07285, sections 2 and 5.1.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from numbers import Integral
from typing import TypeAlias, cast

import numpy as np
from numpy.typing import NDArray

from minidil.errors import OptionError, ShapeError

Ints: TypeAlias = int | Sequence[int]
Padding: TypeAlias = str | int | Sequence[int] | Sequence[tuple[int, int]]


@dataclass(frozen=True)
class Window:
    """A window of `kernel` taps sliding over an input of `size`; every field has one entry per spatial axis.

    size:     S, the input without padding
    kernel:   K, the number of taps
    stride:   the distance between two window positions
    padding:  (before, after), the number of positions added at both ends
    dilation: d, the distance between two taps
    """

    size: tuple[int, ...]
    kernel: tuple[int, ...]
    stride: tuple[int, ...]
    padding: tuple[tuple[int, int], ...]
    dilation: tuple[int, ...]

    @staticmethod
    def of(
        size: Sequence[int],
        kernel_size: Ints,
        stride: Ints = 1,
        padding: Padding = 0,
        dilation: Ints = 1,
        op: str = "window",
    ) -> Window:
        """Check the user's settings and spell them out per axis. `op` is the operation that error messages name.

        padding: an int, one int per axis, one (before, after) pair per axis, "valid" (none), "same" (the output has
            ceil(S / stride) positions; an odd surplus goes after, as in PyTorch) or "causal" (span - 1 before, none after,
            so that an output never sees an input to its right).
        Raises: OptionError for a setting that is not what it should be, ShapeError if the window overruns the padded input.
        """
        size = tuple(int(n) for n in size)
        kernel = per_axis(kernel_size, len(size), "kernel_size", op, least=1)
        strides = per_axis(stride, len(size), "stride", op, least=1)
        dilations = per_axis(dilation, len(size), "dilation", op, least=1)
        pads = _padding(padding, size, kernel, strides, dilations, op)
        window = Window(size, kernel, strides, pads, dilations)
        window._check(op)
        return window

    @cached_property
    def span(self) -> tuple[int, ...]:
        """The extent of the dilated kernel, d (K - 1) + 1."""
        return tuple(d * (k - 1) + 1 for d, k in zip(self.dilation, self.kernel, strict=True))

    @cached_property
    def padded(self) -> tuple[int, ...]:
        """The size of the padded input, S + before + after."""
        return tuple(n + before + after for n, (before, after) in zip(self.size, self.padding, strict=True))

    @cached_property
    def out(self) -> tuple[int, ...]:
        """The number of window positions, (S + before + after - span) // stride + 1."""
        return tuple((n - s) // t + 1 for n, s, t in zip(self.padded, self.span, self.stride, strict=True))

    @cached_property
    def taps(self) -> int:
        """The number of taps, prod(K). It does not depend on the dilation, and neither does the work per output."""
        return math.prod(self.kernel)

    @cached_property
    def hits(self) -> NDArray[np.int64]:
        """How many taps of each window position fall on the input and not on its padding, an array of shape O."""
        counts = np.ones((), np.int64)
        for axis in range(len(self.size)):
            start = np.arange(self.out[axis]) * self.stride[axis] - self.padding[axis][0]
            touched = start[:, None] + np.arange(self.kernel[axis]) * self.dilation[axis]
            inside = ((touched >= 0) & (touched < self.size[axis])).sum(axis=1)
            counts = counts[..., None] * inside
        return counts

    def _check(self, op: str) -> None:
        for axis, (n, (before, after)) in enumerate(zip(self.size, self.padding, strict=True)):
            k, d, span = self.kernel[axis], self.dilation[axis], self.span[axis]
            missing = span - (n + before + after)
            if missing <= 0:
                continue
            fitting = max((n + before + after - 1) // max(k - 1, 1), 0)
            remedy = f"pad {missing} more" + (f" or use dilation <= {fitting}" if fitting else "")
            raise ShapeError(
                f"{op}: the dilated kernel spans {d}*({k}-1)+1 = {span} but spatial axis {axis} of the input, of size "
                f"{self.size}, has {n} + {before} + {after} = {n + before + after} positions; {remedy}"
            )


def with_overhang(
    size: Sequence[int], kernel_size: Ints, stride: Ints, padding: Padding, dilation: Ints, op: str
) -> tuple[Window, tuple[int, ...]]:
    """The window of "ceil mode", and by how many positions it hangs over the padded end of every axis.

    A last window that fits only in part is kept, (S + before + after - span) / stride rounded up, if it begins on the input or
    on the padding before it; what it lacks counts as more padding after the input.
    """
    size = tuple(int(n) for n in size)
    kernel = per_axis(kernel_size, len(size), "kernel_size", op, least=1)
    strides = per_axis(stride, len(size), "stride", op, least=1)
    dilations = per_axis(dilation, len(size), "dilation", op, least=1)
    pads = _padding(padding, size, kernel, strides, dilations, op)
    beyond = []
    for n, k, t, (before, after), d in zip(size, kernel, strides, pads, dilations, strict=True):
        span, padded = d * (k - 1) + 1, n + before + after
        last = -((span - padded) // t)  # the number of steps to the last window, rounded up
        last -= last * t >= n + before
        beyond.append(max(last * t + span - padded, 0) if last >= 0 else 0)
    wider = tuple((before, after + extra) for (before, after), extra in zip(pads, beyond, strict=True))
    return Window.of(size, kernel, strides, wider, dilations, op), tuple(beyond)


def per_axis(value: Ints, ndim: int, name: str, op: str, least: int) -> tuple[int, ...]:
    """Spell out an int, or a sequence of one int per axis, as a tuple of `ndim` ints that are >= least."""
    values = (value,) * ndim if isinstance(value, Integral) else value
    if not isinstance(values, Sequence) or isinstance(values, str) or len(values) != ndim:
        raise OptionError(f"{op}: {name} must be an int or {ndim} ints, one per spatial axis, not {value!r}")
    for number in values:
        if not isinstance(number, Integral) or isinstance(number, bool) or number < least:
            raise OptionError(f"{op}: {name} must be made of ints >= {least}, not {value!r}")
    return tuple(int(number) for number in values)


def _padding(
    padding: Padding,
    size: tuple[int, ...],
    kernel: tuple[int, ...],
    stride: tuple[int, ...],
    dilation: tuple[int, ...],
    op: str,
) -> tuple[tuple[int, int], ...]:
    """Spell out every form of padding as one (before, after) pair per axis."""
    if isinstance(padding, str):
        return _named_padding(padding, size, kernel, stride, dilation, op)
    if isinstance(padding, Sequence) and len(padding) == len(size) and all(isinstance(p, Sequence) for p in padding):
        return tuple(_pair(pair, padding, op) for pair in padding)
    if isinstance(padding, Sequence) and len(padding) == 2 and len(size) == 1:
        raise OptionError(
            f"{op}: write padding=({tuple(padding)},) to pad one axis by {padding[0]} before and {padding[1]} after"
        )
    amounts = per_axis(cast(Ints, padding), len(size), "padding", op, least=0)  # which refuses what is neither
    return tuple((amount, amount) for amount in amounts)


def _named_padding(
    padding: str,
    size: tuple[int, ...],
    kernel: tuple[int, ...],
    stride: tuple[int, ...],
    dilation: tuple[int, ...],
    op: str,
) -> tuple[tuple[int, int], ...]:
    spans = [d * (k - 1) + 1 for d, k in zip(dilation, kernel, strict=True)]
    if padding == "valid":
        return ((0, 0),) * len(size)
    if padding == "causal":
        return tuple((span - 1, 0) for span in spans)
    if padding == "same":
        # out = ceil(S / stride) needs (out - 1) stride + span positions; what S lacks is shared out to both ends.
        lacking = [max((-(-n // t) - 1) * t + span - n, 0) for n, t, span in zip(size, stride, spans, strict=True)]
        return tuple((total // 2, total - total // 2) for total in lacking)
    raise OptionError(f'{op}: padding must be "valid", "same", "causal" or numbers, not {padding!r}')


def _pair(pair: object, padding: Padding, op: str) -> tuple[int, int]:
    if not isinstance(pair, Sequence) or len(pair) != 2:
        raise OptionError(f"{op}: padding per axis must be (before, after), not {pair!r} in {padding!r}")
    before, after = per_axis(pair, 2, "padding", op, least=0)
    return before, after
