"""Pooling: a window slides over every channel on its own. Strides default to the kernel size, as in PyTorch."""

from __future__ import annotations

import numpy as np

from minidil.errors import DtypeError, ShapeError
from minidil.kernels.backend import Array, Kernels, active
from minidil.kernels.geometry import Ints, Padding, Window, per_axis
from minidil.ops.common import Vjps


def max_pool(
    x: Array, *, kernel_size: Ints, stride: Ints | None = None, padding: Padding = 0, dilation: Ints = 1
) -> tuple[Array, Vjps]:
    """The largest of every window's taps; of equal ones the first, in row-major order, gets the gradient.

    Shapes: x (N, C, *S) -> y (N, C, *O), O as for `conv`. Padding counts as minus infinity.
    Raises: ShapeError if the window overruns the padded input, or some window sees nothing but padding.
    """
    kernels = active()
    window = _window("max_pool", x, kernel_size, stride, padding, dilation)
    _check_hits("max_pool", window)
    y, winner = kernels.max_pool(x, window)
    # dy/dx = 1 for the tap that won, 0 for the others
    return y, (lambda grad: kernels.max_pool_grad(grad, winner, window),)


def avg_pool(
    x: Array,
    *,
    kernel_size: Ints,
    stride: Ints | None = None,
    padding: Padding = 0,
    dilation: Ints = 1,
    count_include_pad: bool = True,
) -> tuple[Array, Vjps]:
    """The mean of every window's taps. Padding counts as zeros, or not at all with count_include_pad=False.

    Shapes: x (N, C, *S) -> y (N, C, *O), O as for `conv`.
    Raises: ShapeError if the window overruns the padded input, or some window would be the mean of no taps; DtypeError for
        integers.
    """
    kernels = active()
    _check_floating("avg_pool", x)
    window = _window("avg_pool", x, kernel_size, stride, padding, dilation)
    if count_include_pad:
        share = kernels.constant(1 / window.taps, like=x)
    else:
        _check_hits("avg_pool", window)
        share = kernels.constant(1 / window.hits, like=x)
    # y = sum over the taps / count, so dy/dx = 1 / count for each of them
    return kernels.multiply(kernels.window_sum(x, window), share), (
        lambda grad: kernels.window_spread(kernels.multiply(grad, share), window),
    )


def adaptive_avg_pool(x: Array, *, output_size: Ints) -> tuple[Array, Vjps]:
    """Means over a grid of output_size regions, as even as the input size S allows.

    Along an axis, region i of O holds the positions floor(i S/O) .. ceil((i+1) S/O) - 1.

    Shapes: x (N, C, *S) -> (N, C, *output_size).
    Raises: ShapeError if x has no spatial axis or an empty one; DtypeError for integers.
    """
    kernels = active()
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


def _window(op: str, x: Array, kernel_size: Ints, stride: Ints | None, padding: Padding, dilation: Ints) -> Window:
    if not 3 <= x.ndim <= 5:
        raise ShapeError(f"{op}: x must be (N, C, *S) with 1 to 3 spatial axes, not {x.shape}")
    return Window.of(x.shape[2:], kernel_size, kernel_size if stride is None else stride, padding, dilation, op)


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
