"""The linear maps of a 3x3 convolution in whole numbers, a register at a time: F(4x4, 3x3), and that of phases of two by two.

Winograd's maps of winograd.py have fractions in G alone. Its rows times (4, 6, 6, 24, 24, 1) are whole,

    G' = [1 0 0], [-1 -1 -1], [-1 1 -1], [1 2 4], [1 -2 4], [0 0 1],

and a factor of row i of G is one of m[i], which A^T undoes: with c = 24 / (4, 6, 6, 24, 24, 1) = (6, 4, 4, 1, 1, 24),

    A^T (c m') = 24 A^T m = 24 y      along one axis, and so 576 y along both.

How large the numbers get, along both axes, for |x| <= 255 and |w| <= 127: a row of |B^T| adds up to at most 10, one of |G'| to 7,

    |V| <= 10^2 * 255 = 25,500,      |U| <= 7^2 * 127 = 6,223:      both are int16.

The sums M = U V and all of A^T are taken modulo 2^32, where sums, differences and products of whole numbers stay right. So there
is 576 y modulo 2^32, however large the numbers were in between. 576 = 64 * 9, and 9 * 954,437,177 = 2 * 2^32 + 1: that number is
the inverse of 9 modulo 2^32, and multiplying by it leaves 64 y modulo 2^32. If |y| < 2^25 that is 64 y itself, an int32, and an
arithmetic shift by 6 is y. |y| <= 255 sum |w| for each filter, so

    255 sum |w| < 2^25      (sum |w| < 131,586)

is enough, and depends on the weights alone: who prepares filters looks at it (integer_winograd.py).

The maps of two_by_two.py are of 0, 1 and -1: |V| <= 4 * 255, |U| <= 4 * 127, and nothing has to be undone.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from minidil.array import Array
from minidil.kernels.cpu.integer import LONG, SHORT
from minidil.kernels.cpu.integer_registers import halved, minus, plus, times
from minidil.kernels.cpu.layout import compiled
from minidil.kernels.cpu.registers import load, save

FILTER = np.array([[1, 0, 0], [-1, -1, -1], [-1, 1, -1], [1, 2, 4], [1, -2, 4], [0, 0, 1]])  # G'
BOUND = 1 << 25  # of |y|
_NINTH = 954_437_177  # modulo 2^32


@compiled
def _bt(a0: Any, a1: Any, a2: Any, a3: Any, a4: Any, a5: Any) -> tuple[Any, Any, Any, Any, Any, Any]:
    p, q = minus(a4, times(a2, 4)), minus(a3, times(a1, 4))
    u, v = minus(a4, a2), times(minus(a3, a1), 2)
    first = plus(minus(times(a0, 4), times(a2, 5)), a4)
    last = plus(minus(times(a1, 4), times(a3, 5)), a5)
    return first, plus(p, q), minus(p, q), plus(u, v), minus(u, v), last


@compiled
def _at(m0: Any, m1: Any, m2: Any, m3: Any, m4: Any, m5: Any) -> tuple[Any, Any, Any, Any]:
    """A^T (c m)."""
    p, q = times(plus(m1, m2), 4), times(minus(m1, m2), 4)
    u, v = plus(m3, m4), minus(m3, m4)
    return (
        plus(plus(times(m0, 6), p), u),
        plus(q, times(v, 2)),
        plus(p, times(u, 4)),
        plus(plus(q, times(v, 8)), times(m5, 24)),
    )


@compiled
def four_by_four_inputs(room: Array, at: int, down: int, across: int, tiles: Array, t: int) -> None:
    """tiles[:, t] = V = B^T x B for the 6x6 numbers of the room that are `down` and `across` apart; tiles (36, T, C)."""
    _, count, channels = tiles.shape
    line, place = tiles.reshape(tiles.size), count * channels
    half = np.empty(36 * SHORT, np.int16)
    for c in range(0, channels, SHORT):
        for j in range(6):
            a0 = at + j * across + c
            a1, a2 = a0 + down, a0 + 2 * down
            a3, a4, a5 = a0 + 3 * down, a0 + 4 * down, a0 + 5 * down
            x0, x1, x2, x3, x4, x5 = (
                load(room, a0),
                load(room, a1),
                load(room, a2),
                load(room, a3),
                load(room, a4),
                load(room, a5),
            )
            v0, v1, v2, v3, v4, v5 = _bt(x0, x1, x2, x3, x4, x5)
            save(v0, half, j * SHORT)
            save(v1, half, (j + 6) * SHORT)
            save(v2, half, (j + 12) * SHORT)
            save(v3, half, (j + 18) * SHORT)
            save(v4, half, (j + 24) * SHORT)
            save(v5, half, (j + 30) * SHORT)
        for i in range(6):
            h0, to = 6 * i * SHORT, (6 * i * count + t) * channels + c
            x0, x1, x2 = load(half, h0), load(half, h0 + SHORT), load(half, h0 + 2 * SHORT)
            x3, x4, x5 = load(half, h0 + 3 * SHORT), load(half, h0 + 4 * SHORT), load(half, h0 + 5 * SHORT)
            v0, v1, v2, v3, v4, v5 = _bt(x0, x1, x2, x3, x4, x5)
            save(v0, line, to)
            save(v1, line, to + place)
            save(v2, line, to + 2 * place)
            save(v3, line, to + 3 * place)
            save(v4, line, to + 4 * place)
            save(v5, line, to + 5 * place)


@compiled
def four_by_four_outputs(products: Array, t: int, sums: Array) -> None:
    """sums (16, F) = y = A^T M A of tile t; products (36, T, F)."""
    _, count, filters = products.shape
    line, into, row = products.reshape(products.size), sums.reshape(sums.size), 6 * count * filters
    half = np.empty(24 * LONG, np.int32)
    for f in range(0, filters, LONG):
        for j in range(6):
            at = (j * count + t) * filters + f
            m0, m1, m2 = load(line, at), load(line, at + row), load(line, at + 2 * row)
            m3, m4, m5 = load(line, at + 3 * row), load(line, at + 4 * row), load(line, at + 5 * row)
            y0, y1, y2, y3 = _at(m0, m1, m2, m3, m4, m5)
            save(y0, half, j * LONG)
            save(y1, half, (j + 6) * LONG)
            save(y2, half, (j + 12) * LONG)
            save(y3, half, (j + 18) * LONG)
        for i in range(4):
            h0, to = 6 * i * LONG, 4 * i * filters + f
            m0, m1, m2 = load(half, h0), load(half, h0 + LONG), load(half, h0 + 2 * LONG)
            m3, m4, m5 = load(half, h0 + 3 * LONG), load(half, h0 + 4 * LONG), load(half, h0 + 5 * LONG)
            y0, y1, y2, y3 = _at(m0, m1, m2, m3, m4, m5)
            save(halved(times(y0, _NINTH), 6), into, to)
            save(halved(times(y1, _NINTH), 6), into, to + filters)
            save(halved(times(y2, _NINTH), 6), into, to + 2 * filters)
            save(halved(times(y3, _NINTH), 6), into, to + 3 * filters)


@compiled
def two_by_two_inputs(room: Array, at: int, down: int, across: int, tiles: Array, t: int) -> None:
    """tiles[:, t] = V of the 2x2 numbers x0 x1 above x2 x3; tiles (9, T, C)."""
    _, count, channels = tiles.shape
    line, place = tiles.reshape(tiles.size), count * channels
    for c in range(0, channels, SHORT):
        a, to = at + c, t * channels + c
        x0, x1 = load(room, a), load(room, a + across)
        x2, x3 = load(room, a + down), load(room, a + down + across)
        left, right, top, bottom = plus(x0, x2), plus(x1, x3), plus(x0, x1), plus(x2, x3)
        save(x0, line, to)
        save(top, line, to + place)
        save(x1, line, to + 2 * place)
        save(left, line, to + 3 * place)
        save(plus(left, right), line, to + 4 * place)
        save(right, line, to + 5 * place)
        save(x2, line, to + 6 * place)
        save(bottom, line, to + 7 * place)
        save(x3, line, to + 8 * place)


@compiled
def two_by_two_outputs(products: Array, t: int, sums: Array) -> None:
    """sums (4, F) = y of tile t, with y0 = m1 + m2 and y1 = m0 + m1 along each axis; products (9, T, F)."""
    _, count, filters = products.shape
    line, into, place = products.reshape(products.size), sums.reshape(sums.size), count * filters
    for f in range(0, filters, LONG):
        m = t * filters + f
        m0, m1, m2 = load(line, m), load(line, m + place), load(line, m + 2 * place)
        m3, m4, m5 = load(line, m + 3 * place), load(line, m + 4 * place), load(line, m + 5 * place)
        m6, m7, m8 = load(line, m + 6 * place), load(line, m + 7 * place), load(line, m + 8 * place)
        upper, middle, lower = plus(m1, m2), plus(m4, m5), plus(m7, m8)
        save(plus(middle, lower), into, f)
        save(plus(upper, middle), into, 2 * filters + f)
        upper, middle, lower = plus(m0, m1), plus(m3, m4), plus(m6, m7)
        save(plus(middle, lower), into, filters + f)
        save(plus(upper, middle), into, 3 * filters + f)
