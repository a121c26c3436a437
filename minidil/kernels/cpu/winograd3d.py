"""Winograd for volumes: a convolution with a K x 3 x 3 kernel is K ordinary ones per slice, which share their transforms.

With x[d] the slices of the input along the depth and w[k] those of the kernel,

    y[o] = sum over k of conv2d(x[o + k dilation - before], w[k]).

The maps of winograd.py are linear, so the sum can be taken before the last of them, M[o] = sum_k V[o + k dilation - before] U[k].
Each slice is transformed once, and as the slices that tap k meets lie one behind the other, one product serves them all. The
gradients follow as they do there.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from minidil.array import Array
from minidil.kernels.cpu import im2col, memory, scale, winograd
from minidil.kernels.cpu.filters import gradient, transformed
from minidil.kernels.cpu.layout import as_channels, as_rows, writable
from minidil.kernels.cpu.winograd import ALL, FILTER, Tiles, watched
from minidil.kernels.cpu.winograd_tiles import input_tiles, output_tiles, slope_tiles
from minidil.kernels.geometry import Window
from minidil.kernels.threads import run_sliced


def pays(window: Window, channels: int, filters: int, groups: int) -> bool:
    """Whether it can do it and is the faster way: stride 1, ungrouped, and slices for which Winograd pays."""
    if len(window.size) != 3 or window.stride[0] != 1:
        return False
    return winograd.pays(_of_slices(window), channels, filters, groups)


def conv_forward(x: Array, weight: Array, window: Window, groups: int = 1, bias: Array | None = None) -> Array:
    """x (N, C, D, H, W), weight (F, C, K, 3, 3) -> (N, F, *O)."""
    offset = np.zeros(weight.shape[0], x.dtype) if bias is None else writable(bias)
    tiles = winograd.tiling(_of_slices(window))
    y = _correlate(x, weight, tiles, window.dilation[0], window.padding[0][0], window.out, offset)
    return im2col.conv_forward(x, weight, window, groups, bias) if y is None else y


def conv_grad_input(grad: Array, weight: Array, window: Window, groups: int = 1) -> Array:
    """dL/dx: with the taps reversed along all three axes that is a convolution of dL/dy."""
    turned = weight[:, :, ::-1, ::-1, ::-1].transpose(1, 0, 2, 3, 4)
    depth, height, width = (
        d * (k - 1) - before for d, k, (before, _) in zip(window.dilation, window.kernel, window.padding, strict=True)
    )
    tiles = Tiles.over(window.size[1:], window.dilation[1:], (height, width))
    dx = _correlate(grad, turned, tiles, window.dilation[0], depth, window.size, np.zeros(weight.shape[1], grad.dtype))
    return im2col.conv_grad_input(grad, weight, window, groups) if dx is None else dx


def conv_grad_weight(x: Array, grad: Array, window: Window, groups: int = 1) -> Array:
    """dL/dU[k] = sum of V^T dL/dM over the slices that tap k meets; then as in winograd.py."""
    tiles = winograd.tiling(_of_slices(window))
    source, upstream = _slices(x), _slices(grad)
    (depth, channels), (out, filters), taps = (x.shape[2], x.shape[1]), (grad.shape[2], grad.shape[1]), window.kernel[0]
    per_slice = tiles.rows * tiles.per_row
    places = watched(tiles, window.size[1:])
    seen, seen_slopes = (np.zeros((len(x) * slices * tiles.rows, 3), np.int64) for slices in (depth, out))

    def work(start: int, stop: int) -> Array:
        inputs = memory.empty((36, depth * per_slice, channels), x.dtype)
        slopes = memory.empty((36, out * per_slice, filters), x.dtype)
        total = memory.zeros((taps, 36, channels, filters), x.dtype)
        for n in range(start, stop):
            input_tiles(source, inputs, n * depth * tiles.rows, (n + 1) * depth * tiles.rows, *tiles)
            slope_tiles(upstream, slopes, n * out * tiles.rows, (n + 1) * out * tiles.rows, tiles.dilation, tiles.grid)
            for place in places:
                scale.scan(inputs[place], seen, n * depth * tiles.rows, (n + 1) * depth * tiles.rows, tiles.per_row)
            scale.scan(slopes[ALL], seen_slopes, n * out * tiles.rows, (n + 1) * out * tiles.rows, tiles.per_row)
            for k, met, used in _meetings(taps, depth, out, window.dilation[0], window.padding[0][0], per_slice):
                total[k] += np.matmul(inputs[:, met].transpose(0, 2, 1), slopes[:, used])
        return total

    parts = run_sliced(work, len(x))
    if not scale.fits(x.dtype, len(x), seen, seen_slopes):
        return im2col.conv_grad_weight(x, grad, window, groups)
    return np.stack([gradient([part[k] for part in parts], FILTER) for k in range(taps)], axis=2)


def _correlate(
    x: Array, weight: Array, tiles: Tiles, dilation: int, before: int, size: tuple[int, ...], bias: Array
) -> Array | None:
    filters, channels, taps = weight.shape[:3]
    matrices = [transformed(weight[:, :, k], FILTER) for k in range(taps)]
    if not scale.finite(*(matrix[ALL] for matrix in matrices)):
        return None
    source, depth, (out, *spatial) = _slices(x), x.shape[2], size
    places, seen = watched(tiles, x.shape[3:]), np.zeros((len(x) * depth * tiles.rows, 3), np.int64)
    y = memory.empty((len(x) * out, *spatial, filters), x.dtype)
    per_slice = tiles.rows * tiles.per_row

    def work(start: int, stop: int) -> None:
        inputs = memory.empty((36, depth * per_slice, channels), x.dtype)
        products = memory.empty((36, out * per_slice, filters), x.dtype)
        for n in range(start, stop):
            input_tiles(source, inputs, n * depth * tiles.rows, (n + 1) * depth * tiles.rows, *tiles)
            for place in places:
                scale.scan(inputs[place], seen, n * depth * tiles.rows, (n + 1) * depth * tiles.rows, tiles.per_row)
            products.fill(0)
            for k, met, used in _meetings(taps, depth, out, dilation, before, per_slice):
                products[:, used] += np.matmul(inputs[:, met], matrices[k])
            output_tiles(
                products, y, bias, n * out * tiles.rows, (n + 1) * out * tiles.rows, tiles.dilation, tiles.grid
            )

    run_sliced(work, len(x))
    if not scale.fits(x.dtype, len(x), seen):
        return None
    return as_channels(y.reshape(-1, filters), len(x), size)


def _meetings(
    taps: int, depth: int, out: int, dilation: int, before: int, per_slice: int
) -> Iterator[tuple[int, slice, slice]]:
    """For every tap k that meets anything: (k, the tiles of the slices that it meets, those of the outputs that it is for)."""
    for k in range(taps):
        shift = k * dilation - before
        first, last = max(0, -shift), min(out, depth - shift)
        if first < last:
            yield (
                k,
                slice((first + shift) * per_slice, (last + shift) * per_slice),
                slice(first * per_slice, last * per_slice),
            )


def _of_slices(window: Window) -> Window:
    """The window of one slice."""
    return Window(window.size[1:], window.kernel[1:], window.stride[1:], window.padding[1:], window.dilation[1:])


def _slices(x: Array) -> Array:
    """(N, C, D, H, W) -> (N D, H, W, C), contiguous."""
    return as_rows(x).reshape(x.shape[0] * x.shape[2], x.shape[3], x.shape[4], x.shape[1])
