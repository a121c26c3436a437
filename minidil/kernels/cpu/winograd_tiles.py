"""The linear maps of Winograd F(4x4, 3x3) in compiled loops, one row of tiles after another; winograd.py says what they are for.

A row of tiles is all tiles of one image that start in the same row of pixels. Each map acts first along the height and then along
the width; what lies between, `half`, stays in the cache. Three things let the compiler use its widest vectors:

- The innermost loop runs over the channels, from 0, and they are the last axis of every array. (For an index that could be
  negative, compiled code must look where it wraps around, element by element.)
- Along the height all columns are treated alike, so that a row of pixels, with its channels, is one long line.
- Every constant is a number of the arrays' own type. In compiled code the product of a Python int and a float32 is a float64.

On the way they note how large the numbers are (scale.py). Along the height the loop waits for its six results to be stored, and
looking at what it has loaded takes no time of its own.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from minidil.array import Array
from minidil.kernels.cpu.layout import compiled
from minidil.kernels.cpu.scale import note_largest, note_typical

Pair = tuple[int, int]

# G of the paper; B^T and A^T are written out in the loops below, where most of their entries are 0 or 1.
FILTER = np.array(
    [
        [1 / 4, 0, 0],
        [-1 / 6, -1 / 6, -1 / 6],
        [-1 / 6, 1 / 6, -1 / 6],
        [1 / 24, 1 / 12, 1 / 6],
        [1 / 24, -1 / 12, 1 / 6],
        [0, 0, 1],
    ]
)
# The place of V, U and dL/dM that takes up all inner numbers of a tile, or all weights: row 1 of B^T, G and A along both axes.
MIXED = 7


@compiled
def input_tiles(
    x: Array, tiles: Array, noted: Array, first: int, last: int, dilation: Pair, before: Pair, grid: Pair
) -> None:
    """tiles = V = B^T x B for the rows of tiles first..last.

    x (N, H, W, C), tiles (36, T, C) with T at least the number of these tiles; first, last count the rows of tiles of the
    whole batch. dilation, before and grid: see `winograd_plan.Tiles`. noted: see scale.py.
    """
    images, height, width, channels = x.shape
    per_row = dilation[1] * grid[1]
    # Columns of padding to the left and right, and those that only the last tiles reach, are never written and stay 0.
    half = np.zeros((6, 4 * per_row + 2 * dilation[1], channels), x.dtype)
    start, stop = max(0, -before[1]), min(width, half.shape[1] - before[1])
    lines = x.reshape(images * height, width * channels)
    border = np.empty((6, width * channels), x.dtype)
    for r in range(first, last):
        image, top = _place(r, dilation[0], grid[0])
        top -= before[0]
        if top >= 0 and top + 5 * dilation[0] < height:
            source, at, step = lines, image * height + top, dilation[0]
        else:
            _copy_rows(lines, image * height, height, top, dilation[0], border)
            source, at, step = border, 0, 1
        _bt_along_height(source, at, step, start * channels, stop * channels, before[1] * channels, half, noted, r)
        # Of six rows the loop has looked at the inner four; the next tile, or the one before it, has the others among its own.
        if r % grid[0] == 0:
            note_largest(source[at, start * channels : stop * channels], noted, r)
        if r % grid[0] == grid[0] - 1:
            note_largest(source[at + 5 * step, start * channels : stop * channels], noted, r)
        _bt_along_width(half, tiles, (r - first) * per_row, dilation[1], grid[1])
        note_typical(tiles[MIXED, (r - first) * per_row : (r - first + 1) * per_row], noted, r)


@compiled
def slope_tiles(grad: Array, tiles: Array, noted: Array, first: int, last: int, dilation: Pair, grid: Pair) -> None:
    """tiles = dL/dM = A G A^T for the rows of tiles first..last; grad (N, H, W, F), tiles (36, T, F)."""
    images, height, width, filters = grad.shape
    per_row = dilation[1] * grid[1]
    half = np.zeros((6, 4 * per_row, filters), grad.dtype)
    lines = grad.reshape(images * height, width * filters)
    border = np.empty((4, width * filters), grad.dtype)
    for r in range(first, last):
        image, top = _place(r, dilation[0], grid[0])
        if top + 3 * dilation[0] < height:
            _a_along_height(lines, image * height + top, dilation[0], half, noted, r)
        else:
            _copy_rows(lines, image * height, height, top, dilation[0], border)
            _a_along_height(border, 0, 1, half, noted, r)
        _a_along_width(half, tiles, (r - first) * per_row, dilation[1], grid[1])
        note_typical(tiles[MIXED, (r - first) * per_row : (r - first + 1) * per_row], noted, r)


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
def _copy_rows(lines: Array, first: int, height: int, top: int, step: int, out: Array) -> None:
    """Rows top, top + step, ... of the image whose lines begin at `first`, with zeros for those that lie outside."""
    for i in range(len(out)):
        row = top + i * step
        if 0 <= row < height:
            out[i] = lines[first + row]
        else:
            out[i] = 0


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
def _bt_along_height(
    lines: Array, at: int, step: int, first: int, last: int, before: int, half: Array, noted: Array, r: int
) -> None:
    """half[:, before + i] = B^T of entry i, first <= i < last, of the lines at, at + step, ...; half as six lines."""
    number, kind, into, count = lines.dtype.type, noted.dtype.type, before + first, max(0, last - first)
    a0, a1 = lines[at, first:last], lines[at + step, first:last]
    a2, a3 = lines[at + 2 * step, first:last], lines[at + 3 * step, first:last]
    a4, a5 = lines[at + 4 * step, first:last], lines[at + 5 * step, first:last]
    flat = half.reshape(6, half.shape[1] * half.shape[2])
    h0, h1, h2 = flat[0, into : into + count], flat[1, into : into + count], flat[2, into : into + count]
    h3, h4, h5 = flat[3, into : into + count], flat[4, into : into + count], flat[5, into : into + count]
    b1, b2, b3, b4 = a1.view(noted.dtype), a2.view(noted.dtype), a3.view(noted.dtype), a4.view(noted.dtype)
    top, unsigned = kind(0), kind(np.iinfo(noted.dtype).max)
    for i in range(count):
        h0[i], h1[i], h2[i], h3[i], h4[i], h5[i] = _bt(number, a0[i], a1[i], a2[i], a3[i], a4[i], a5[i])
        inner = max(max(b1[i] & unsigned, b2[i] & unsigned), max(b3[i] & unsigned, b4[i] & unsigned))
        top = max(top, kind(inner))
    noted[r, 0] = max(noted[r, 0], top)


@compiled
def _a_along_height(lines: Array, at: int, step: int, half: Array, noted: Array, r: int) -> None:
    """half = A of the lines at, at + step, ..., as far as half reaches; half as six lines."""
    number, kind = lines.dtype.type, noted.dtype.type
    flat = half.reshape(6, half.shape[1] * half.shape[2])
    count = min(lines.shape[1], flat.shape[1])
    a0, a1 = lines[at, :count], lines[at + step, :count]
    a2, a3 = lines[at + 2 * step, :count], lines[at + 3 * step, :count]
    h0, h1, h2, h3, h4, h5 = flat[0], flat[1], flat[2], flat[3], flat[4], flat[5]
    b0, b1, b2, b3 = a0.view(noted.dtype), a1.view(noted.dtype), a2.view(noted.dtype), a3.view(noted.dtype)
    top, unsigned = kind(0), kind(np.iinfo(noted.dtype).max)
    for i in range(count):
        h0[i], h1[i], h2[i], h3[i], h4[i], h5[i] = _a(number, a0[i], a1[i], a2[i], a3[i])
        largest = max(max(b0[i] & unsigned, b1[i] & unsigned), max(b2[i] & unsigned, b3[i] & unsigned))
        top = max(top, kind(largest))
    noted[r, 0] = max(noted[r, 0], top)


@compiled
def _at_along_height(products: Array, start: int, half: Array) -> None:
    """half[:, j] = A^T of column j of the products of the tiles from `start` on, each as one line."""
    number = products.dtype.type
    _, _, tiles, filters = half.shape
    lines = products.reshape(36, products.shape[1] * filters)
    flat = half.reshape(4, 6, tiles * filters)
    first, last = start * filters, (start + tiles) * filters
    for j in range(6):
        m0, m1, m2 = lines[j, first:last], lines[6 + j, first:last], lines[12 + j, first:last]
        m3, m4, m5 = lines[18 + j, first:last], lines[24 + j, first:last], lines[30 + j, first:last]
        h0, h1, h2, h3 = flat[0, j], flat[1, j], flat[2, j], flat[3, j]
        for i in range(tiles * filters):
            h0[i], h1[i], h2[i], h3[i] = _at(number, m0[i], m1[i], m2[i], m3[i], m4[i], m5[i])


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
