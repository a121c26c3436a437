"""Arithmetic of floats.

A fused multiply-add of float32 or float16 is computed in float64, where the product is exact, and rounded once more; one of
float64 is put together from exact sums and products, so that it is rounded once. The `.approx` instructions are computed to
full precision: those of a GPU may differ in the last bits.
"""

from __future__ import annotations

import numpy as np

from minidil.emulator.meaning import Compute, Lanes, Table, copy, into, select
from minidil.emulator.ptx import TYPES


def _fma(out: Lanes, x: Lanes, y: Lanes, z: Lanes) -> None:
    if out.dtype.itemsize == 8:
        out[...] = _fma_of_doubles(*(np.asarray(value, np.float64) for value in (x, y, z)))
    else:
        _fma_in_float64(out, x, y, z)


def _fma_in_float64(out: Lanes, x: Lanes, y: Lanes, z: Lanes) -> None:
    exact = x.astype(np.float64)
    exact = exact * y  # a scalar may be among them, so not in place
    exact = exact + z
    out[...] = exact


def _fma_of_doubles(x: Lanes, y: Lanes, z: Lanes) -> Lanes:
    """x y + z, rounded once.

    The product is x y = high + low exactly, by splitting each factor into halves of 26 bits. All of high + low + z is then in the
    largest part and a rest, and the rest is rounded to odd: its last bit then keeps the direction in which the sum is rounded.
    Sources: Dekker 1971; Boldo & Melquiond, "Emulation of FMA and correctly rounded sums", IEEE TC 2008.
    """
    high = x * y
    (a, b), (c, d) = _halves(x), _halves(y)
    low = b * d - (((high - a * c) - b * c) - a * d)
    small, lost = _two_sum(z, low)
    large, rest = _two_sum(high, small)
    tail, below = _two_sum(lost, rest)
    even = (tail.view(np.int64) & 1) == 0
    tail = np.where((below != 0) & even, np.nextafter(tail, np.copysign(np.inf, below)), tail)
    once, twice = large + tail, high + z
    return np.where(np.isfinite(once) & np.isfinite(low) & ~((once == 0) & (twice == 0)), once, twice)


def _halves(x: Lanes) -> tuple[Lanes, Lanes]:
    scaled = x * 134217729.0  # 2^27 + 1
    upper = scaled - (scaled - x)
    return upper, x - upper


def _two_sum(x: Lanes, y: Lanes) -> tuple[Lanes, Lanes]:
    """The rounded sum, and what rounding has lost: together exactly x + y (Knuth)."""
    total = np.asarray(x + y)
    part = total - x
    return total, np.asarray((x - (total - part)) + (y - part))


def rounded(compute: Compute, modifiers: list[str], kind: str) -> Compute:
    """The same computation with the modifiers for rounding (.rz .rm .rp), saturation to 0..1 and flushing to zero."""
    direction = next((name for name in ("rz", "rm", "rp") if name in modifiers), None)
    if direction:
        compute = _directed(_fma_in_float64 if compute is _fma else compute, direction)
    if not {"sat", "ftz"} & set(modifiers):
        return compute
    smallest = np.finfo(TYPES[kind]).tiny

    def finished(out: Lanes, *sources: Lanes) -> None:
        compute(out, *sources)
        if "ftz" in modifiers:
            np.copyto(out, np.copysign(out.dtype.type(0), out), where=np.abs(out) < smallest)
        if "sat" in modifiers:
            np.clip(np.where(np.isnan(out), 0, out), 0, 1, out=out)

    return finished


def _directed(compute: Compute, direction: str) -> Compute:
    """Rounded towards zero, down or up: the neighbour of the nearest float32 if that lies on the wrong side."""

    def directed(out: Lanes, *sources: Lanes) -> None:
        exact = np.empty(out.shape, np.float64)
        compute(exact, *(np.asarray(x, np.float64) for x in sources))
        near = exact.astype(np.float32)
        wrong = {"rm": near > exact, "rp": near < exact, "rz": np.abs(near) > np.abs(exact)}[direction]
        towards = np.float32({"rm": -np.inf, "rp": np.inf, "rz": 0.0}[direction])
        out[...] = np.where(wrong, np.nextafter(near, towards), near)

    return directed


def _reciprocal(out: Lanes, x: Lanes) -> None:
    np.divide(out.dtype.type(1), x, out=out)


def _reciprocal_root(out: Lanes, x: Lanes) -> None:
    np.divide(out.dtype.type(1), np.sqrt(x), out=out)


_ROUND = frozenset({"rn", "rz", "rm", "rp", "ftz", "sat"})
_APPROX = frozenset({"approx", "ftz", "rn", "full"})
FLOATS: Table = {
    "add": (into(np.add), ("=", "="), _ROUND),
    "sub": (into(np.subtract), ("=", "="), _ROUND),
    "mul": (into(np.multiply), ("=", "="), _ROUND),
    "fma": (_fma, ("=", "=", "="), _ROUND),
    "mad": (_fma, ("=", "=", "="), _ROUND),
    "div": (into(np.divide), ("=", "="), _APPROX),
    "min": (into(np.fmin), ("=", "="), frozenset({"ftz"})),
    "max": (into(np.fmax), ("=", "="), frozenset({"ftz"})),
    "neg": (into(np.negative), ("=",), frozenset({"ftz"})),
    "abs": (into(np.abs), ("=",), frozenset({"ftz"})),
    "sqrt": (into(np.sqrt), ("=",), _APPROX),
    "rsqrt": (_reciprocal_root, ("=",), _APPROX),
    "rcp": (_reciprocal, ("=",), _APPROX),
    "ex2": (into(np.exp2), ("=",), _APPROX),
    "lg2": (into(np.log2), ("=",), _APPROX),
    "sin": (into(np.sin), ("=",), _APPROX),
    "cos": (into(np.cos), ("=",), _APPROX),
    "tanh": (into(np.tanh), ("=",), _APPROX),
    "copysign": (lambda out, sign, size: np.copysign(size, sign, out=out), ("=", "="), frozenset()),
    "mov": (copy, ("=",), frozenset()),
    "selp": (select, ("=", "=", "pred"), frozenset()),
}
