"""3x3 convolution whose dilation is so large that each phase of the image has at most two rows and two columns.

A dilated convolution is an ordinary one on every phase x[p::d]. If a phase has only the two values x0 and x1, with the padding
around them, one axis of the convolution is

    y0 = w1 x0 + w2 x1
    y1 = w0 x0 + w1 x1,

and instead of four multiplications three are enough, as the two that share w1 can be had from one:

    m0 = (w0 - w1) x0,   m1 = w1 (x0 + x1),   m2 = (w2 - w1) x1,   y0 = m1 + m2,   y1 = m0 + m1.

As in winograd.py these are linear maps, m = (G w) * (B^T x) and y = A^T m, which are applied along both axes: 9 multiplications
for 4 outputs, and so 9 matrix products. The definition has 36, 20 of them with zeros of the padding.

Row h of an image is value h // d of phase h % d, so the two halves of the rows are the two values of all phases.
Source: the products are those of Karatsuba & Ofman 1962 for two numbers of two digits, transposed.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from minidil.array import Array
from minidil.kernels.cpu import im2col, memory, scale
from minidil.kernels.cpu.filters import gradient, transformed
from minidil.kernels.cpu.layout import as_channels, as_rows, compiled, writable
from minidil.kernels.geometry import Window
from minidil.kernels.threads import run_sliced

FILTER = np.array([[1, -1, 0], [0, 1, 0], [0, -1, 1]])  # G
_IMAGES = 8  # at a time: their matrices stay in the cache


def applies(window: Window, channels: int, filters: int, groups: int) -> bool:
    """Whether it can do it, and has channels enough for matrix products: 3x3, padding d, and at most 2 d rows and columns."""
    return (
        window.kernel == (3, 3)
        and window.stride == (1, 1)
        and groups == 1
        and min(channels, filters) >= 16
        and all(pair == (d, d) for pair, d in zip(window.padding, window.dilation, strict=True))
        and all(d < n <= 2 * d for n, d in zip(window.size, window.dilation, strict=True))
    )


def conv_forward(x: Array, weight: Array, window: Window, groups: int = 1, bias: Array | None = None) -> Array:
    """x (N, C, H, W), weight (F, C, 3, 3) -> (N, F, H, W)."""
    y = correlate(x, prepare(weight), window, bias)
    return im2col.conv_forward(x, weight, window, groups, bias) if y is None else y


def conv_grad_input(grad: Array, weight: Array, window: Window, groups: int = 1) -> Array:
    """dL/dx: with the taps reversed that is the same convolution of dL/dy."""
    dx = correlate(grad, prepare(weight[:, :, ::-1, ::-1].transpose(1, 0, 2, 3)), window, None)
    return im2col.conv_grad_input(grad, weight, window, groups) if dx is None else dx


def prepare(weight: Array) -> Array | None:
    """G w G^T of all filters; None if a weight is not finite."""
    taps = transformed(weight, FILTER)
    # rows 0 and 2 of G take up all weights between them
    return taps if scale.finite(taps[0], taps[2], taps[6], taps[8]) else None


def correlate(x: Array, taps: Array | None, window: Window, bias: Array | None) -> Array | None:
    """The convolution; None if a number is not finite, for which sums and differences lose which output sees it, and its sign."""
    if taps is None:
        return None
    source, (channels, filters) = _halved(x, window), taps.shape[1:]
    y = memory.empty((*source.shape[:-1], filters), x.dtype)
    offset = np.zeros(filters, x.dtype) if bias is None else writable(np.ascontiguousarray(bias))

    def work(start: int, stop: int) -> bool:
        fit = True
        for part, count in _parts(source, start, stop):
            sums, products = (memory.empty((9, count, size), x.dtype) for size in (channels, filters))
            _add_inputs(source, *part, sums, 0)
            fit = fit and scale.finite(sums[4])  # x0 + x1 along both axes
            np.matmul(sums, taps, out=products)
            _add_products(products, offset, *part, y)
        return fit

    return _whole(y, window) if all(run_sliced(work, _shared(source))) else None


def conv_grad_weight(x: Array, grad: Array, window: Window, groups: int = 1) -> Array:
    """dL/dm = A G, dL/d(G w) = (B^T x)^T dL/dm summed over the phases of all images, dL/dw = G^T of that."""
    source, upstream = _halved(x, window), _halved(grad, window)
    channels, filters = x.shape[1], grad.shape[1]

    def work(start: int, stop: int) -> tuple[Array, bool]:
        total, fit = np.zeros((9, channels, filters), x.dtype), True
        for part, count in _parts(source, start, stop):
            sums, slopes = (memory.empty((9, count, size), x.dtype) for size in (channels, filters))
            _add_inputs(source, *part, sums, 0)
            # A, along one axis, is (g1, g0 + g1, g0): B^T with its two inputs exchanged.
            _add_inputs(upstream, *part, slopes, 1)
            fit = fit and scale.finite(sums[4], slopes[4])
            total += np.matmul(sums.transpose(0, 2, 1), slopes)
        return total, fit

    totals, fits = zip(*run_sliced(work, _shared(source)), strict=True)
    return gradient(totals, FILTER) if all(fits) else im2col.conv_grad_weight(x, grad, window, groups)


def _halved(x: Array, window: Window) -> Array:
    """(N, C, H, W) -> (N, 2, d, 2, d, C): which value, of which phase, along both axes; a missing last value is 0."""
    rows, columns = window.dilation
    images = as_rows(x).reshape(len(x), *x.shape[2:], x.shape[1])
    missing = (2 * rows - x.shape[2], 2 * columns - x.shape[3])
    if any(missing):
        images = np.pad(images, ((0, 0), (0, missing[0]), (0, missing[1]), (0, 0)))
    return images.reshape(len(x), 2, rows, 2, columns, x.shape[1])


def _shared(source: Array) -> int:
    """How many images, or rows of phases if these are more, threads can share: alone with an image, BLAS would wake its own.

    These wait for each other in all nine products; beside other programs that took a second instead of a millisecond.
    """
    return max(len(source), source.shape[2])


def _parts(source: Array, start: int, stop: int) -> Iterator[tuple[tuple[int, int, int, int], int]]:
    """The images and the rows of phases of a thread's share, first and last of both, few images at a time; and their phases."""
    images, _, rows, _, columns, _ = source.shape
    by_rows = rows > images
    top, bottom = (start, stop) if by_rows else (0, rows)
    first, last = (0, images) if by_rows else (start, stop)
    for image in range(first, last, _IMAGES):
        behind = min(image + _IMAGES, last)
        yield (image, behind, top, bottom), (behind - image) * (bottom - top) * columns


def _whole(y: Array, window: Window) -> Array:
    """The inverse of `_halved`."""
    images = y.reshape(len(y), 2 * window.dilation[0], 2 * window.dilation[1], y.shape[-1])
    inner = images[:, : window.size[0], : window.size[1]]
    return as_channels(np.ascontiguousarray(inner).reshape(-1, y.shape[-1]), len(y), window.size)


@compiled
def _add_inputs(x: Array, first: int, last: int, top: int, bottom: int, out: Array, zero: int) -> None:
    """B^T x B: (N, 2, d, 2, d, C) -> (9, phases, C), with B^T (x0, x1) = (x0, x0 + x1, x1). zero: which value is called x0."""
    one, t = 1 - zero, 0
    for n in range(first, last):
        for p in range(top, bottom):
            for q in range(x.shape[4]):
                x00, x01, x10, x11 = (
                    x[n, zero, p, zero, q],
                    x[n, zero, p, one, q],
                    x[n, one, p, zero, q],
                    x[n, one, p, one, q],
                )
                for c in range(x.shape[5]):
                    above, below = x00[c] + x01[c], x10[c] + x11[c]
                    out[0, t, c], out[1, t, c], out[2, t, c] = x00[c], above, x01[c]
                    out[3, t, c], out[4, t, c], out[5, t, c] = x00[c] + x10[c], above + below, x01[c] + x11[c]
                    out[6, t, c], out[7, t, c], out[8, t, c] = x10[c], below, x11[c]
                t += 1


@compiled
def _add_products(m: Array, bias: Array, first: int, last: int, top: int, bottom: int, y: Array) -> None:
    """A^T m A: (9, phases, F) -> (N, 2, d, 2, d, F), with A^T (m0, m1, m2) = (m1 + m2, m0 + m1); plus the bias."""
    t = 0
    for n in range(first, last):
        for p in range(top, bottom):
            for q in range(y.shape[4]):
                y00, y01, y10, y11 = y[n, 0, p, 0, q], y[n, 0, p, 1, q], y[n, 1, p, 0, q], y[n, 1, p, 1, q]
                for f in range(y.shape[5]):
                    m00, m01, m02 = m[0, t, f], m[1, t, f], m[2, t, f]
                    m10, m11, m12 = m[3, t, f], m[4, t, f], m[5, t, f]
                    m20, m21, m22 = m[6, t, f], m[7, t, f], m[8, t, f]
                    y00[f] = m11 + m12 + m21 + m22 + bias[f]
                    y01[f] = m10 + m11 + m20 + m21 + bias[f]
                    y10[f] = m01 + m02 + m11 + m12 + bias[f]
                    y11[f] = m00 + m01 + m10 + m11 + bias[f]
                t += 1
