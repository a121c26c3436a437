"""The linear maps of Winograd F(4x4, 3x3) in compiled loops, one row of tiles after another; winograd.py says what they are for.

A row of tiles is all tiles of one image that start in the same row of pixels. Each map acts first along the height and then along
the width; what lies between, `half`, stays in the cache. Two things let the compiler use its widest vectors:

- The innermost loop runs over the channels, from 0, and they are the last axis of every array. (For an index that could be
  negative, compiled code must look where it wraps around, element by element.)
- Every constant is a number of the arrays' own type. In compiled code the product of a Python int and a float32 is a float64.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from minidil.array import Array
from minidil.kernels.cpu.layout import compiled

Pair = tuple[int, int]


@compiled
def input_tiles(x: Array, tiles: Array, first: int, last: int, dilation: Pair, before: Pair, grid: Pair) -> None:
    """tiles = V = B^T x B for the rows of tiles first..last.

    x (N, H, W, C), tiles (36, T, C) with T at least the number of these tiles; first, last count the rows of tiles of the
    whole batch. dilation, before and grid: see `winograd.Tiles`.
    """
    _, height, width, channels = x.shape
    per_row = dilation[1] * grid[1]
    # Columns of padding to the left and right, and those that only the last tiles reach, are never written and stay 0.
    half = np.zeros((6, 4 * per_row + 2 * dilation[1], channels), x.dtype)
    border = np.empty((1, 6, width, channels), x.dtype)
    for r in range(first, last):
        image, top = _place(r, dilation[0], grid[0])
        top -= before[0]
        if top >= 0 and top + 5 * dilation[0] < height:
            _bt_along_height(x, image, top, dilation[0], before[1], half)
        else:
            _copy_rows(x, image, top, dilation[0], border)
            _bt_along_height(border, 0, 0, 1, before[1], half)
        _bt_along_width(half, tiles, (r - first) * per_row, dilation[1], grid[1])


@compiled
def slope_tiles(grad: Array, tiles: Array, first: int, last: int, dilation: Pair, grid: Pair) -> None:
    """tiles = dL/dM = A G A^T for the rows of tiles first..last; grad (N, H, W, F), tiles (36, T, F)."""
    _, height, width, filters = grad.shape
    per_row = dilation[1] * grid[1]
    half = np.zeros((6, 4 * per_row, filters), grad.dtype)
    border = np.empty((1, 4, width, filters), grad.dtype)
    for r in range(first, last):
        image, top = _place(r, dilation[0], grid[0])
        if top + 3 * dilation[0] < height:
            _a_along_height(grad, image, top, dilation[0], half)
        else:
            _copy_rows(grad, image, top, dilation[0], border)
            _a_along_height(border, 0, 0, 1, half)
        _a_along_width(half, tiles, (r - first) * per_row, dilation[1], grid[1])


@compiled
def output_tiles(products: Array, y: Array, bias: Array, first: int, last: int, dilation: Pair, grid: Pair) -> None:
    """y = A^T M A + bias for the rows of tiles first..last, without the outputs that hang over the edge.

    products (36, T, F), y (N, H, W, F), bias (F,).
    """
    _, height, _, filters = y.shape
    per_row = dilation[1] * grid[1]
    half = np.empty((4, 6, per_row, filters), y.dtype)
    for r in range(first, last):
        image, top = _place(r, dilation[0], grid[0])
        _at_along_height(products, (r - first) * per_row, half)
        for i in range(4):
            if top + i * dilation[0] < height:
                _at_along_width(half[i], y[image, top + i * dilation[0]], bias, dilation[1], grid[1])


@compiled
def _place(r: int, dilation: int, rows: int) -> tuple[int, int]:
    """The image of row of tiles r, and the row of pixels where its outputs start."""
    row, rest = r % rows, r // rows
    phase, image = rest % dilation, rest // dilation
    return image, phase + 4 * row * dilation


@compiled
def _copy_rows(x: Array, image: int, top: int, step: int, out: Array) -> None:
    """Rows top, top + step, ... of an image, with zeros for those that lie outside."""
    for i in range(out.shape[1]):
        row = top + i * step
        if 0 <= row < x.shape[1]:
            out[0, i] = x[image, row]
        else:
            out[0, i] = 0


# --- the three maps of a vector: y = B^T a, A a and A^T a


@compiled
def _bt(number: Any, a0: Any, a1: Any, a2: Any, a3: Any, a4: Any, a5: Any) -> tuple[Any, Any, Any, Any, Any, Any]:
    two, four, five = number(2), number(4), number(5)
    p, q = a4 - four * a2, a3 - four * a1
    u, v = a4 - a2, two * (a3 - a1)
    return four * a0 - five * a2 + a4, p + q, p - q, u + v, u - v, four * a1 - five * a3 + a5


@compiled
def _a(number: Any, a0: Any, a1: Any, a2: Any, a3: Any) -> tuple[Any, Any, Any, Any, Any, Any]:
    two, four, eight = number(2), number(4), number(8)
    even, odd = a0 + a2, a1 + a3
    even4, odd8 = a0 + four * a2, two * a1 + eight * a3
    return a0, even + odd, even - odd, even4 + odd8, even4 - odd8, a3


@compiled
def _at(number: Any, a0: Any, a1: Any, a2: Any, a3: Any, a4: Any, a5: Any) -> tuple[Any, Any, Any, Any]:
    two, four, eight = number(2), number(4), number(8)
    p, q, u, v = a1 + a2, a1 - a2, a3 + a4, a3 - a4
    return a0 + p + u, q + two * v, p + four * u, q + eight * v + a5


# --- along the height


@compiled
def _bt_along_height(x: Array, image: int, top: int, step: int, before: int, half: Array) -> None:
    """half[:, before + w] = B^T of column w of the rows top, top + step, ..., as far as half reaches."""
    number, channels = x.dtype.type, x.shape[3]
    r1, r2, r3, r4, r5 = top + step, top + 2 * step, top + 3 * step, top + 4 * step, top + 5 * step
    for w in range(max(0, -before), min(x.shape[2], half.shape[1] - before)):
        at = before + w
        for c in range(channels):
            h0, h1, h2, h3, h4, h5 = _bt(
                number,
                x[image, top, w, c],
                x[image, r1, w, c],
                x[image, r2, w, c],
                x[image, r3, w, c],
                x[image, r4, w, c],
                x[image, r5, w, c],
            )
            half[0, at, c], half[1, at, c], half[2, at, c] = h0, h1, h2
            half[3, at, c], half[4, at, c], half[5, at, c] = h3, h4, h5


@compiled
def _a_along_height(grad: Array, image: int, top: int, step: int, half: Array) -> None:
    """half[:, w] = A of column w of the rows top, top + step, ..."""
    number, filters = grad.dtype.type, grad.shape[3]
    r1, r2, r3 = top + step, top + 2 * step, top + 3 * step
    for w in range(min(grad.shape[2], half.shape[1])):
        for f in range(filters):
            h0, h1, h2, h3, h4, h5 = _a(
                number, grad[image, top, w, f], grad[image, r1, w, f], grad[image, r2, w, f], grad[image, r3, w, f]
            )
            half[0, w, f], half[1, w, f], half[2, w, f] = h0, h1, h2
            half[3, w, f], half[4, w, f], half[5, w, f] = h3, h4, h5


@compiled
def _at_along_height(products: Array, start: int, half: Array) -> None:
    """half[:, j, tile] = A^T of column j of the products of the tiles from `start` on."""
    number = products.dtype.type
    _, _, count, filters = half.shape
    for j in range(6):
        for tile in range(count):
            t = start + tile
            for f in range(filters):
                h0, h1, h2, h3 = _at(
                    number,
                    products[j, t, f],
                    products[6 + j, t, f],
                    products[12 + j, t, f],
                    products[18 + j, t, f],
                    products[24 + j, t, f],
                    products[30 + j, t, f],
                )
                half[0, j, tile, f], half[1, j, tile, f] = h0, h1
                half[2, j, tile, f], half[3, j, tile, f] = h2, h3


# --- along the width, where the tiles of a column phase follow each other


@compiled
def _bt_along_width(half: Array, tiles: Array, start: int, dilation: int, columns: int) -> None:
    """tiles[6 i : 6 i + 6, start + tile] = B^T of the columns of row i of half that the tile takes, `dilation` apart."""
    number, channels = half.dtype.type, half.shape[2]
    for i in range(6):
        for tile in range(dilation * columns):
            t = start + tile
            w0 = tile // columns + 4 * (tile % columns) * dilation
            w1, w2, w3 = w0 + dilation, w0 + 2 * dilation, w0 + 3 * dilation
            w4, w5 = w0 + 4 * dilation, w0 + 5 * dilation
            for c in range(channels):
                v0, v1, v2, v3, v4, v5 = _bt(
                    number,
                    half[i, w0, c],
                    half[i, w1, c],
                    half[i, w2, c],
                    half[i, w3, c],
                    half[i, w4, c],
                    half[i, w5, c],
                )
                tiles[6 * i, t, c], tiles[6 * i + 1, t, c], tiles[6 * i + 2, t, c] = v0, v1, v2
                tiles[6 * i + 3, t, c], tiles[6 * i + 4, t, c], tiles[6 * i + 5, t, c] = v3, v4, v5


@compiled
def _a_along_width(half: Array, tiles: Array, start: int, dilation: int, columns: int) -> None:
    """The same with A, of four columns."""
    number, filters = half.dtype.type, half.shape[2]
    for i in range(6):
        for tile in range(dilation * columns):
            t = start + tile
            w0 = tile // columns + 4 * (tile % columns) * dilation
            w1, w2, w3 = w0 + dilation, w0 + 2 * dilation, w0 + 3 * dilation
            for f in range(filters):
                s0, s1, s2, s3, s4, s5 = _a(number, half[i, w0, f], half[i, w1, f], half[i, w2, f], half[i, w3, f])
                tiles[6 * i, t, f], tiles[6 * i + 1, t, f], tiles[6 * i + 2, t, f] = s0, s1, s2
                tiles[6 * i + 3, t, f], tiles[6 * i + 4, t, f], tiles[6 * i + 5, t, f] = s3, s4, s5


@compiled
def _at_along_width(half: Array, y: Array, bias: Array, dilation: int, columns: int) -> None:
    """One row of outputs y (W, F) = A^T along the second half (6, tiles, F) + bias."""
    number = half.dtype.type
    width, filters = y.shape
    for tile in range(dilation * columns):
        w0 = tile // columns + 4 * (tile % columns) * dilation
        w1, w2, w3 = w0 + dilation, w0 + 2 * dilation, w0 + 3 * dilation
        if w3 < width:
            for f in range(filters):
                y0, y1, y2, y3 = _at(
                    number,
                    half[0, tile, f],
                    half[1, tile, f],
                    half[2, tile, f],
                    half[3, tile, f],
                    half[4, tile, f],
                    half[5, tile, f],
                )
                y[w0, f], y[w1, f], y[w2, f], y[w3, f] = y0 + bias[f], y1 + bias[f], y2 + bias[f], y3 + bias[f]
        elif w0 < width:
            for f in range(filters):
                y0, y1, y2, _ = _at(
                    number,
                    half[0, tile, f],
                    half[1, tile, f],
                    half[2, tile, f],
                    half[3, tile, f],
                    half[4, tile, f],
                    half[5, tile, f],
                )
                y[w0, f] = y0 + bias[f]
                if w1 < width:
                    y[w1, f] = y1 + bias[f]
                if w2 < width:
                    y[w2, f] = y2 + bias[f]
