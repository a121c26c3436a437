"""Arithmetic of integers, bits and predicates. Integers wrap around."""

from __future__ import annotations

import numpy as np

from minidil.emulator.meaning import Compute, Lanes, Meaning, Table, copy, into, select


def _shift_left(out: Lanes, x: Lanes, amount: Lanes) -> None:
    width = 8 * out.dtype.itemsize  # a shift by more than the width is clamped, not taken modulo it
    if np.ndim(amount) == 0 and amount < width:
        np.left_shift(x, out.dtype.type(amount), out=out)
        return
    out[...] = np.where(amount < width, x << np.minimum(amount, width - 1).astype(out.dtype), out.dtype.type(0))


def _shift_right(out: Lanes, x: Lanes, amount: Lanes) -> None:
    width = 8 * out.dtype.itemsize
    if np.ndim(amount) == 0 and amount < width:
        np.right_shift(x, out.dtype.type(amount), out=out)
        return
    fill = np.asarray(x >> out.dtype.type(width - 1)) if out.dtype.kind == "i" else out.dtype.type(0)
    out[...] = np.where(amount < width, x >> np.minimum(amount, width - 1).astype(out.dtype), fill)


def _divide(out: Lanes, x: Lanes, y: Lanes) -> None:
    """Truncated; by zero gives all ones, as on a GPU."""
    divisor = np.where(y == 0, out.dtype.type(1), y)
    # np.fmod is the remainder with the sign of x, so x - fmod(x, y) divides without a rest
    quotient = (x - np.fmod(x, divisor)) // divisor
    out[...] = np.where(y == 0, ~out.dtype.type(0), quotient)


def _remainder(out: Lanes, x: Lanes, y: Lanes) -> None:
    out[...] = np.where(y == 0, x, np.fmod(x, np.where(y == 0, out.dtype.type(1), y)))


def multiply(head: str, modifiers: list[str], kind: str) -> Meaning | None:
    """mul and mad: the low half of the product, the high half, or (wide) all of it in the type of twice the width."""
    if len(modifiers) != 1 or modifiers[0] not in ("lo", "hi", "wide") or (modifiers[0] == "wide" and kind[1:] == "64"):
        return None
    part, add = modifiers[0], head == "mad"
    out = f"{kind[0]}{2 * int(kind[1:])}" if part == "wide" else kind

    def compute(result: Lanes, x: Lanes, y: Lanes, *z: Lanes) -> None:
        product = high_half(x, y) if part == "hi" else np.multiply(x, y, dtype=result.dtype)
        np.add(product, z[0], out=result) if add else copy(result, product)

    return Meaning(compute, out, (kind, kind, out) if add else (kind, kind))


def high_half(x: Lanes, y: Lanes) -> Lanes:
    """The high half of the product of two integers of the same type."""
    dtype = np.result_type(x, y)
    if dtype.itemsize < 8:
        wide = np.dtype(f"{dtype.kind}8")
        return (np.asarray(x, wide) * np.asarray(y, wide) >> 8 * dtype.itemsize).astype(dtype)
    # x = x1 2^32 + x0: the carry of the middle products x1 y0 + x0 y1 + (x0 y0 >> 32) goes into x1 y1
    a, b, low = np.asarray(x).view(np.uint64), np.asarray(y).view(np.uint64), np.uint64(0xFFFFFFFF)
    s = np.uint64(32)
    middle = (a >> s) * (b & low) + ((a & low) * (b & low) >> s)
    middle_low = (middle & low) + (a & low) * (b >> s)
    high = (a >> s) * (b >> s) + (middle >> s) + (middle_low >> s)
    if dtype.kind == "u":
        return high
    # a two's complement number is its unsigned value minus 2^64 where it is negative
    signed = high.view(np.int64) - np.where(x < 0, y, 0) - np.where(y < 0, x, 0)
    return np.asarray(signed)


def _lookup(out: Lanes, a: Lanes, b: Lanes, c: Lanes, table: Lanes) -> None:
    """lop3: bit i of the result is entry 4 a_i + 2 b_i + c_i of an eight-bit table."""
    result = np.zeros_like(out)
    for entry in range(8):
        term = (a if entry & 4 else ~a) & (b if entry & 2 else ~b) & (c if entry & 1 else ~c)
        result |= np.where(np.asarray(table) >> np.uint32(entry) & np.uint32(1), term, out.dtype.type(0))
    out[...] = result


def _insert(out: Lanes, a: Lanes, b: Lanes, first: Lanes, length: Lanes) -> None:
    """bfi: b with its bits first, first + 1, ... replaced by the `length` lowest of a; what lies beyond the word is dropped."""
    bits = out.dtype.itemsize * 8
    whole = np.minimum(np.asarray(length) & np.uint32(255), bits).astype(np.uint64)
    start = np.minimum(np.asarray(first) & np.uint32(255), bits).astype(np.uint64)
    field = np.where(whole == 64, np.uint64(2**64 - 1), (np.uint64(1) << whole % np.uint64(64)) - np.uint64(1))
    moved = np.where(start == 64, np.uint64(0), field << start % np.uint64(64)).astype(out.dtype)
    value = np.where(start == 64, np.uint64(0), np.asarray(a).astype(np.uint64) << start % np.uint64(64))
    out[...] = (b & ~moved) | (value.astype(out.dtype) & moved)


def _extract(out: Lanes, a: Lanes, first: Lanes, length: Lanes) -> None:
    """bfe: the `length` bits of a from bit `first` on as a number; a signed one repeats its highest bit."""
    bits = out.dtype.itemsize * 8
    count, start = (np.asarray(x).astype(np.int64) & 255 for x in (length, first))
    count = np.minimum(count, np.maximum(bits - start, 0))
    # Shifted to the top and back, which drops what is above and then what is below the field.
    word = np.asarray(a).astype(np.uint64) << np.clip(64 - start - count, 0, 63).astype(np.uint64)
    down = np.clip(64 - count, 0, 63)
    found = word.view(np.int64) >> down if out.dtype.kind == "i" else word >> down.astype(np.uint64)
    out[...] = np.where(count == 0, 0, found.astype(out.dtype))


def _permute(out: Lanes, a: Lanes, b: Lanes, selector: Lanes) -> None:
    """prmt: each byte of the result is the byte of a (0 to 3) or b (4 to 7) that four bits of the selector name, or its sign."""
    both = np.asarray(a).astype(np.uint64) | np.asarray(b).astype(np.uint64) << np.uint64(32)
    result = np.zeros(out.shape, np.uint64)
    for place in range(4):
        chosen = np.asarray(selector).astype(np.uint64) >> np.uint64(4 * place)
        byte = both >> (chosen & np.uint64(7)) * np.uint64(8) & np.uint64(255)
        sign = np.where(byte & np.uint64(128), np.uint64(255), np.uint64(0))
        result |= np.where(chosen & np.uint64(8), sign, byte) << np.uint64(8 * place)
    out[...] = result.astype(out.dtype)


def funnel_shift(modifiers: list[str]) -> Compute | None:
    """shf: two words side by side, (b, a), are shifted, and the high (.l) or the low (.r) one of the result is kept."""
    if len(modifiers) != 2 or modifiers[0] not in ("l", "r") or modifiers[1] not in ("wrap", "clamp"):
        return None
    left, wrap = modifiers[0] == "l", modifiers[1] == "wrap"

    def compute(out: Lanes, a: Lanes, b: Lanes, amount: Lanes) -> None:
        both = np.asarray(b).astype(np.uint64) << np.uint64(32) | np.asarray(a).astype(np.uint64)
        by = (np.asarray(amount) & np.uint32(31) if wrap else np.minimum(amount, np.uint32(32))).astype(np.uint64)
        out[...] = (both << by >> np.uint64(32) if left else both >> by).astype(out.dtype)

    return compute


def _count_zeros(out: Lanes, x: Lanes) -> None:
    wide = np.asarray(x).astype(np.uint64)
    # Of each half by itself, since float64 holds 53 bits and would round up what is longer.
    high, low = (
        np.frexp((half).astype(np.float64))[1] for half in (wide >> np.uint64(32), wide & np.uint64(0xFFFFFFFF))
    )
    out[...] = 8 * np.asarray(x).dtype.itemsize - np.where(high > 0, high + 32, low)


def _reverse(out: Lanes, x: Lanes) -> None:
    value = np.asarray(x)
    bits = 8 * value.dtype.itemsize
    result = np.zeros_like(out)
    for place in range(bits):
        bit = value >> value.dtype.type(place) & value.dtype.type(1)
        result |= (bit << value.dtype.type(bits - 1 - place)).astype(out.dtype)
    out[...] = result


def _highest(out: Lanes, x: Lanes) -> None:
    """bfind: the place of the highest bit that differs from the sign, all ones if there is none."""
    value = np.asarray(x)
    plain = np.where(value < 0, ~value, value).view(f"u{value.dtype.itemsize}")
    zeros = np.empty(plain.shape, np.int64)
    _count_zeros(zeros, plain)
    out[...] = (8 * value.dtype.itemsize - 1 - zeros).astype(np.int64).astype(np.uint32)


def shift_amount(out: Lanes, x: Lanes) -> None:
    """bfind.shiftamt: by how much to shift left until the highest bit that differs from the sign is on top."""
    _highest(out, x)
    np.copyto(out, np.uint32(8 * np.asarray(x).dtype.itemsize - 1) - out, where=out != np.uint32(0xFFFFFFFF))


INTEGERS: Table = {
    "add": (into(np.add), ("=", "="), frozenset()),
    "sub": (into(np.subtract), ("=", "="), frozenset()),
    "div": (_divide, ("=", "="), frozenset()),
    "rem": (_remainder, ("=", "="), frozenset()),
    "min": (into(np.minimum), ("=", "="), frozenset()),
    "max": (into(np.maximum), ("=", "="), frozenset()),
    "neg": (lambda out, x: np.subtract(out.dtype.type(0), x, out=out), ("=",), frozenset()),
    "abs": (into(np.abs), ("=",), frozenset()),
    "and": (into(np.bitwise_and), ("=", "="), frozenset()),
    "or": (into(np.bitwise_or), ("=", "="), frozenset()),
    "xor": (into(np.bitwise_xor), ("=", "="), frozenset()),
    "not": (into(np.invert), ("=",), frozenset()),
    "shl": (_shift_left, ("=", "u32"), frozenset()),
    "shr": (_shift_right, ("=", "u32"), frozenset()),
    "lop3": (_lookup, ("=", "=", "=", "u32"), frozenset()),
    "bfi": (_insert, ("=", "=", "u32", "u32"), frozenset()),
    "bfe": (_extract, ("=", "u32", "u32"), frozenset()),
    "prmt": (_permute, ("=", "=", "u32"), frozenset()),
    "popc": (lambda out, x: copy(out, np.bitwise_count(x)), ("=",), frozenset()),
    "clz": (_count_zeros, ("=",), frozenset()),
    "brev": (_reverse, ("=",), frozenset()),
    "bfind": (_highest, ("=",), frozenset()),
    "mov": (copy, ("=",), frozenset()),
    "selp": (select, ("=", "=", "pred"), frozenset()),
}
PREDICATES: Table = {
    "and": (into(np.logical_and), ("=", "="), frozenset()),
    "or": (into(np.logical_or), ("=", "="), frozenset()),
    "xor": (into(np.logical_xor), ("=", "="), frozenset()),
    "not": (into(np.logical_not), ("=",), frozenset()),
    "mov": (copy, ("=",), frozenset()),
}
