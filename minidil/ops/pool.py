"""Pooling: a window slides over every channel on its own. Strides default to the kernel size, as in PyTorch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from numbers import Integral

import numpy as np

from minidil.array import Array
from minidil.errors import DtypeError, OptionError, ShapeError
from minidil.kernels.backend import active
from minidil.kernels.contract import Kernels
from minidil.kernels.geometry import Ints, Padding, Window, per_axis, with_overhang
from minidil.ops.common import Vjps, without_batch


def max_pool(
    x: Array,
    *,
    kernel_size: Ints,
    stride: Ints | None = None,
    padding: Padding = 0,
    dilation: Ints = 1,
    ceil_mode: bool = False,
    observe: Callable[[Array], None] | None = None,
) -> tuple[Array, Vjps]:
    """The largest of every window's taps; of equal ones the first, in row-major order, gets the gradient.

    Shapes: x (N, C, *S) -> y (N, C, *O), O as for `conv`, or, where kernel_size has one entry per axis, (C, *S) -> (C, *O); so
        does (C, S). Padding counts as minus infinity.
    ceil_mode: a last window that fits only in part is kept, if it begins on the input or the padding before it.
    observe: is called with the place of every winner, an array of integers like y: its index in the flattened *S.
    Raises: ShapeError if the window overruns the padded input, or some window sees nothing but padding.
    """
    kernels = active()
    if _is_one_image(x, kernel_size):

        def batched(x: Array) -> tuple[Array, Vjps]:
            watch = None if observe is None else lambda at: observe(kernels.reshape(at, at.shape[1:]))
            return max_pool(
                x,
                kernel_size=kernel_size,
                stride=stride,
                padding=padding,
                dilation=dilation,
                ceil_mode=ceil_mode,
                observe=watch,
            )

        return without_batch(kernels, x, batched)
    window, _ = _window("max_pool", x, kernel_size, stride, padding, dilation, ceil_mode)
    _check_hits("max_pool", window)
    y, winner = kernels.max_pool(x, window)
    if observe is not None:
        observe(_places(kernels, winner, window))
    # dy/dx = 1 for the tap that won, 0 for the others
    return y, (lambda grad: kernels.max_pool_grad(grad, winner, window),)


def avg_pool(
    x: Array,
    *,
    kernel_size: Ints,
    stride: Ints | None = None,
    padding: Padding = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
    dilation: Ints = 1,
) -> tuple[Array, Vjps]:
    """The mean of every window's taps. Padding counts as zeros, or not at all with count_include_pad=False.

    Shapes, ceil_mode: as for `max_pool`. What hangs over the padded end in ceil mode never counts.
    divisor_override: the sum of the taps is divided by this number instead of their count.
    Raises: ShapeError if the window overruns the padded input, or some window would be the mean of no taps; DtypeError for
        integers; OptionError if divisor_override is 0.
    """
    kernels = active()
    _check_floating("avg_pool", x)
    if _is_one_image(x, kernel_size):

        def batched(x: Array) -> tuple[Array, Vjps]:
            return avg_pool(
                x,
                kernel_size=kernel_size,
                stride=stride,
                padding=padding,
                dilation=dilation,
                ceil_mode=ceil_mode,
                count_include_pad=count_include_pad,
                divisor_override=divisor_override,
            )

        return without_batch(kernels, x, batched)
    window, overhang = _window("avg_pool", x, kernel_size, stride, padding, dilation, ceil_mode)
    if divisor_override is not None:
        if not isinstance(divisor_override, Integral) or isinstance(divisor_override, bool) or not divisor_override:
            raise OptionError(f"avg_pool: divisor_override must be an int other than 0, not {divisor_override!r}")
        share = kernels.constant(1 / divisor_override, like=x)
    elif not count_include_pad:
        _check_hits("avg_pool", window)
        share = kernels.constant(1 / window.hits, like=x)
    elif any(overhang):
        # The padding counts and the overhang does not: as if the padding were part of the input.
        size = [n - beyond for n, beyond in zip(window.padded, overhang, strict=True)]
        beyond = [(0, n) for n in overhang]
        counts = Window.of(size, window.kernel, window.stride, beyond, window.dilation, "avg_pool").hits
        share = kernels.constant(1 / counts, like=x)
    else:
        share = kernels.constant(1 / window.taps, like=x)
    # y = sum over the taps / count, so dy/dx = 1 / count for each of them
    return kernels.multiply(kernels.window_sum(x, window), share), (
        lambda grad: kernels.window_spread(kernels.multiply(grad, share), window),
    )


def adaptive_avg_pool(x: Array, *, output_size: Ints) -> tuple[Array, Vjps]:
    """Means over a grid of output_size regions, as even as the input size S allows.

    Along an axis, region i of O holds the positions floor(i S/O) .. ceil((i+1) S/O) - 1.

    Shapes: x (N, C, *S) -> (N, C, *output_size), or, where output_size has one entry per axis, (C, *S) -> (C, *output_size).
    Raises: ShapeError if x has no spatial axis or an empty one; DtypeError for integers.
    """
    kernels = active()
    if _is_one_image(x, output_size):
        return without_batch(kernels, x, lambda x: adaptive_avg_pool(x, output_size=output_size))
    if x.ndim < 3 or 0 in x.shape[2:]:
        raise ShapeError(f"adaptive_avg_pool: x must be (N, C, *S) with non-empty spatial axes, not {x.shape}")
    _check_floating("adaptive_avg_pool", x)
    sizes = per_axis(output_size, x.ndim - 2, "output_size", "adaptive_avg_pool", least=1)
    # The mean over a box is the mean over its rows of the means over its columns: one averaging matrix A (O, S) per axis.
    matrices = [kernels.constant(_averaging(n, o), like=x) for n, o in zip(x.shape[2:], sizes, strict=True)]
    y = x
    for axis, matrix in enumerate(matrices, start=2):
        y = _along_axis(kernels, matrix, y, axis)

    # y = A x along an axis, so dL/dx = A^T G along it.
    def grad_x(grad: Array) -> Array:
        for axis, matrix in enumerate(matrices, start=2):
            grad = _along_axis(kernels, kernels.transpose(matrix, (1, 0)), grad, axis)
        return grad

    return y, (grad_x,)


def _is_one_image(x: Array, kernel_size: Ints) -> bool:
    """Whether x is (C, *S): where there is one entry of kernel_size per axis but the first, or no room for a batch axis."""
    return x.ndim == 2 or (isinstance(kernel_size, Sequence) and 2 <= x.ndim == len(kernel_size) + 1)


def _window(
    op: str,
    x: Array,
    kernel_size: Ints,
    stride: Ints | None,
    padding: Padding,
    dilation: Ints,
    ceil_mode: bool,
) -> tuple[Window, tuple[int, ...]]:
    """The window, and how far it hangs over the padded end in ceil mode."""
    if not 3 <= x.ndim <= 5:
        raise ShapeError(f"{op}: x must be (N, C, *S) with 1 to 3 spatial axes, not {x.shape}")
    step = kernel_size if stride is None else stride
    if ceil_mode:
        return with_overhang(x.shape[2:], kernel_size, step, padding, dilation, op)
    return Window.of(x.shape[2:], kernel_size, step, padding, dilation, op), (0,) * (x.ndim - 2)


def _places(kernels: Kernels, winner: Array, window: Window) -> Array:
    """Where in the flattened input the winning taps lie: tap number t of output o touches o stride + tap dilation - padding."""
    place = kernels.multiply(winner, 0)
    for number, tap in enumerate(np.ndindex(*window.kernel)):
        flat = np.zeros((1, 1, *(1,) * len(tap)), np.int64)
        for axis, (i, n) in enumerate(zip(tap, window.size, strict=True)):
            at = np.arange(window.out[axis]) * window.stride[axis] + i * window.dilation[axis] - window.padding[axis][0]
            flat = flat * n + at.reshape(-1, *(1,) * (len(tap) - 1 - axis))
        place = kernels.where(kernels.equal(winner, number), kernels.constant(flat, like=winner), place)
    return place


def _check_floating(op: str, x: Array) -> None:
    if x.dtype.kind != "f":
        raise DtypeError(f"{op}: x must be floating to hold a mean, not {x.dtype}; use astype('float32')")


def _check_hits(op: str, window: Window) -> None:
    if not window.hits.all():
        where = tuple(int(i) for i in np.argwhere(window.hits == 0)[0])
        raise ShapeError(
            f"{op}: output {where} sees nothing but padding (kernel {window.kernel}, padding {window.padding}, dilation "
            f"{window.dilation} on an input of {window.size}); pad less"
        )


def _averaging(size: int, out: int) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    first = np.arange(out) * size // out
    last = -(-(np.arange(out) + 1) * size // out)
    position = np.arange(size)
    member = (position >= first[:, None]) & (position < last[:, None])
    return member / (last - first)[:, None]


def _along_axis(kernels: Kernels, matrix: Array, x: Array, axis: int) -> Array:
    """matrix (O, S) times x along one axis."""
    order = (*(a for a in range(x.ndim) if a != axis), axis)
    back = tuple(order.index(a) for a in range(x.ndim))
    return kernels.transpose(kernels.matmul(kernels.transpose(x, order), kernels.transpose(matrix, (1, 0))), back)
