"""What the arithmetic instructions mean: each is a NumPy function over lanes, one lane per thread.

`meaning("add", "f32")` gives the types that the operands are read and written with, and `compute(out, *sources)`, which
writes the result of every lane. Only what is written here is executed; anything else is an error.

Float32 fused multiply-add is computed in float64, where the product is exact, and rounded once more. The `.approx`
instructions are computed to full precision: a GPU's may differ in the last bits.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from minidil.kernels.cuda.emulator.ptx import TYPES

Lanes: TypeAlias = NDArray[Any]
Compute: TypeAlias = Callable[..., Any]


class Meaning(NamedTuple):
    """compute(out, *sources), with the type that out is written with and those that the sources are read with."""

    compute: Compute
    out: str
    sources: tuple[str, ...]


def meaning(op: tuple[str, ...]) -> Meaning | None:
    """The meaning of an operation such as ("add", "f32"); None if it is not known."""
    head, *modifiers, kind = op
    if kind not in TYPES:
        return None
    if head == "cvt":
        return _convert(modifiers, kind)
    if head == "setp":
        return _compare(modifiers, kind)
    if head == "cvta":
        return _address(modifiers) if kind in ("u64", "u32") else None
    if head in ("mul", "mad") and TYPES[kind].kind in "iu":
        return _multiply(head, modifiers, kind)
    if head == "shf":
        funnel = _funnel(modifiers) if kind == "b32" else None
        return funnel and Meaning(funnel, kind, (kind, kind, "u32"))
    return _plain(head, modifiers, kind)


def _plain(head: str, modifiers: list[str], kind: str) -> Meaning | None:
    floating = TYPES[kind].kind == "f"
    table = _FLOAT if floating else _PREDICATE if kind == "pred" else _INTEGER
    if head not in table:
        return None
    compute, arguments, allowed = table[head]
    if not set(modifiers) <= allowed:
        return None
    if floating:
        compute = _rounded(compute, modifiers, kind)
    sources = tuple(kind if argument == "=" else argument for argument in arguments)
    return Meaning(compute, kind, sources)


# --- floating point


def _fma(out: Lanes, x: Lanes, y: Lanes, z: Lanes) -> None:
    exact = x.astype(np.float64)
    exact = exact * y  # a scalar may be among them, so not in place
    exact = exact + z
    out[...] = exact


def _rounded(compute: Compute, modifiers: list[str], kind: str) -> Compute:
    """The same computation with the modifiers for rounding (.rz .rm .rp), saturation to 0..1 and flushing to zero."""
    direction = next((name for name in ("rz", "rm", "rp") if name in modifiers), None)
    if direction:
        compute = _directed(compute, direction)
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


def _into(function: Any) -> Compute:
    """A NumPy function as compute(out, *sources)."""
    return lambda out, *sources: function(*sources, out=out)


def _copy(out: Lanes, x: Lanes) -> None:
    out[...] = x


def _select(out: Lanes, x: Lanes, y: Lanes, chosen: Lanes) -> None:
    out[...] = np.where(chosen, x, y)


_ROUND = frozenset({"rn", "rz", "rm", "rp", "ftz", "sat"})
_APPROX = frozenset({"approx", "ftz", "rn", "full"})
# The operation: (compute, its sources ("=" for the type of the instruction itself), the modifiers it may have)
_FLOAT: dict[str, tuple[Compute, tuple[str, ...], frozenset[str]]] = {
    "add": (_into(np.add), ("=", "="), _ROUND),
    "sub": (_into(np.subtract), ("=", "="), _ROUND),
    "mul": (_into(np.multiply), ("=", "="), _ROUND),
    "fma": (_fma, ("=", "=", "="), _ROUND),
    "mad": (_fma, ("=", "=", "="), _ROUND),
    "div": (_into(np.divide), ("=", "="), _APPROX),
    "min": (_into(np.fmin), ("=", "="), frozenset({"ftz"})),
    "max": (_into(np.fmax), ("=", "="), frozenset({"ftz"})),
    "neg": (_into(np.negative), ("=",), frozenset({"ftz"})),
    "abs": (_into(np.abs), ("=",), frozenset({"ftz"})),
    "sqrt": (_into(np.sqrt), ("=",), _APPROX),
    "rsqrt": (_reciprocal_root, ("=",), _APPROX),
    "rcp": (_reciprocal, ("=",), _APPROX),
    "ex2": (_into(np.exp2), ("=",), _APPROX),
    "lg2": (_into(np.log2), ("=",), _APPROX),
    "sin": (_into(np.sin), ("=",), _APPROX),
    "cos": (_into(np.cos), ("=",), _APPROX),
    "tanh": (_into(np.tanh), ("=",), _APPROX),
    "copysign": (lambda out, sign, size: np.copysign(size, sign, out=out), ("=", "="), frozenset()),
    "mov": (_copy, ("=",), frozenset()),
    "selp": (_select, ("=", "=", "pred"), frozenset()),
}


# --- integers and bits


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


def _multiply(head: str, modifiers: list[str], kind: str) -> Meaning | None:
    """mul and mad: the low half of the product, the high half, or (wide) all of it in the type of twice the width."""
    if len(modifiers) != 1 or modifiers[0] not in ("lo", "hi", "wide") or (modifiers[0] == "wide" and kind[1:] == "64"):
        return None
    part, add = modifiers[0], head == "mad"
    out = f"{kind[0]}{2 * int(kind[1:])}" if part == "wide" else kind

    def compute(result: Lanes, x: Lanes, y: Lanes, *z: Lanes) -> None:
        product = _high(x, y) if part == "hi" else np.multiply(x, y, dtype=result.dtype)
        np.add(product, z[0], out=result) if add else _copy(result, product)

    return Meaning(compute, out, (kind, kind, out) if add else (kind, kind))


def _high(x: Lanes, y: Lanes) -> Lanes:
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


def _funnel(modifiers: list[str]) -> Compute | None:
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
    out[...] = 32 - np.frexp(np.asarray(x, np.float64))[1].clip(0, 32)


_INTEGER: dict[str, tuple[Compute, tuple[str, ...], frozenset[str]]] = {
    "add": (_into(np.add), ("=", "="), frozenset()),
    "sub": (_into(np.subtract), ("=", "="), frozenset()),
    "div": (_divide, ("=", "="), frozenset()),
    "rem": (_remainder, ("=", "="), frozenset()),
    "min": (_into(np.minimum), ("=", "="), frozenset()),
    "max": (_into(np.maximum), ("=", "="), frozenset()),
    "neg": (lambda out, x: np.subtract(out.dtype.type(0), x, out=out), ("=",), frozenset()),
    "abs": (_into(np.abs), ("=",), frozenset()),
    "and": (_into(np.bitwise_and), ("=", "="), frozenset()),
    "or": (_into(np.bitwise_or), ("=", "="), frozenset()),
    "xor": (_into(np.bitwise_xor), ("=", "="), frozenset()),
    "not": (_into(np.invert), ("=",), frozenset()),
    "shl": (_shift_left, ("=", "u32"), frozenset()),
    "shr": (_shift_right, ("=", "u32"), frozenset()),
    "lop3": (_lookup, ("=", "=", "=", "u32"), frozenset()),
    "bfi": (_insert, ("=", "=", "u32", "u32"), frozenset()),
    "bfe": (_extract, ("=", "u32", "u32"), frozenset()),
    "prmt": (_permute, ("=", "=", "u32"), frozenset()),
    "popc": (lambda out, x: _copy(out, np.bitwise_count(x)), ("=",), frozenset()),
    "clz": (_count_zeros, ("=",), frozenset()),
    "mov": (_copy, ("=",), frozenset()),
    "selp": (_select, ("=", "=", "pred"), frozenset()),
}
_PREDICATE: dict[str, tuple[Compute, tuple[str, ...], frozenset[str]]] = {
    "and": (_into(np.logical_and), ("=", "="), frozenset()),
    "or": (_into(np.logical_or), ("=", "="), frozenset()),
    "xor": (_into(np.logical_xor), ("=", "="), frozenset()),
    "not": (_into(np.logical_not), ("=",), frozenset()),
    "mov": (_copy, ("=",), frozenset()),
}


# --- comparing

_COMPARISONS = {
    "eq": np.equal,
    "ne": np.not_equal,
    "lt": np.less,
    "le": np.less_equal,
    "gt": np.greater,
    "ge": np.greater_equal,
    "lo": np.less,
    "ls": np.less_equal,
    "hi": np.greater,
    "hs": np.greater_equal,
}
_COMBINATIONS = {"and": np.logical_and, "or": np.logical_or, "xor": np.logical_xor}


def _compare(modifiers: list[str], kind: str) -> Meaning | None:
    """setp: a comparison, for floats ordered (false if one is NaN) or with a u for unordered (true then), and combined."""
    modifiers = [modifier for modifier in modifiers if modifier != "ftz"]
    name, *rest = modifiers or [""]
    floating = TYPES[kind].kind == "f"
    unordered = floating and name.endswith("u") and name[:-1] in _COMPARISONS
    base = name[:-1] if unordered else name
    if (
        (base not in _COMPARISONS and base not in ("nan", "num"))
        or len(rest) > 1
        or not set(rest) <= set(_COMBINATIONS)
    ):
        return None

    def compute(out: Lanes, x: Lanes, y: Lanes, *other: Lanes) -> None:
        missing = np.isnan(x) | np.isnan(y) if floating else False
        if base in ("nan", "num"):
            result = missing if base == "nan" else ~np.asarray(missing)
        else:
            result = _COMPARISONS[base](x, y)
            if unordered:
                result = result | missing
            elif floating and base == "ne":
                result = result & ~np.asarray(missing)
        out[...] = _COMBINATIONS[rest[0]](result, other[0]) if rest else result

    return Meaning(compute, "pred", (kind, kind, "pred") if rest else (kind, kind))


# --- converting

_TO_INTEGER = {"rni": np.rint, "rzi": np.trunc, "rmi": np.floor, "rpi": np.ceil}


def _convert(modifiers: list[str], source: str) -> Meaning | None:
    """cvt.(modifiers).to.from: integers are cut or extended, floats rounded; a float beyond an integer's range is clamped."""
    *modifiers, target = modifiers or [""]
    allowed = {"rn", "sat", "ftz", *_TO_INTEGER}
    if target not in TYPES or not set(modifiers) <= allowed or "b" in (target[0], source[0]):
        return None
    rounding = next((_TO_INTEGER[name] for name in modifiers if name in _TO_INTEGER), None)
    to_float, from_float = target[0] == "f", source[0] == "f"
    if from_float and not to_float and rounding is None:
        return None

    def compute(out: Lanes, x: Lanes) -> None:
        value = np.asarray(x)
        if from_float and rounding:
            value = rounding(value)
        if from_float and not to_float:
            limits = np.iinfo(TYPES[target])
            low, high = float(limits.min), float(limits.max)  # high may be one beyond the largest integer
            wide = np.where(np.isnan(value), 0, value.astype(np.float64))
            whole = np.clip(wide, low, np.nextafter(high, 0)).astype(TYPES[target])
            out[...] = np.where(wide >= high, limits.max, whole)
            return
        if "sat" in modifiers and to_float:
            value = np.clip(np.where(np.isnan(value), 0, value), 0, 1)
        elif "sat" in modifiers:
            limits = np.iinfo(TYPES[target])
            value = np.clip(
                value, max(limits.min, np.iinfo(value.dtype).min), min(limits.max, np.iinfo(value.dtype).max)
            )
        out[...] = value.astype(TYPES[target])

    return Meaning(compute, target, (source,))


# Where a thread's own memories appear among generic addresses, far from the device's.
WINDOWS = {"global": 0, "const": 0, "param": 0, "shared": 1 << 32, "local": 1 << 36}


def _address(modifiers: list[str]) -> Meaning | None:
    """cvta: an address in one space as a generic one, or back (.to)."""
    space = modifiers[-1] if modifiers else ""
    if space not in WINDOWS or modifiers[:-1] not in ([], ["to"]):
        return None
    offset = np.uint64(WINDOWS[space])
    operate = np.subtract if "to" in modifiers else np.add
    return Meaning(lambda out, x: operate(x, offset, out=out), "u64", ("u64",))
