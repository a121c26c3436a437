"""Comparing, converting from one type to another, and what an address in one space of memory is in another."""

from __future__ import annotations

import numpy as np

from minidil.emulator.meaning import Lanes, Meaning
from minidil.emulator.ptx import TYPES

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


def compare(modifiers: list[str], kind: str) -> Meaning | None:
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


_TO_INTEGER = {"rni": np.rint, "rzi": np.trunc, "rmi": np.floor, "rpi": np.ceil}


def convert(modifiers: list[str], source: str) -> Meaning | None:
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


def address(modifiers: list[str]) -> Meaning | None:
    """cvta: an address in one space as a generic one, or back (.to)."""
    space = modifiers[-1] if modifiers else ""
    if space not in WINDOWS or modifiers[:-1] not in ([], ["to"]):
        return None
    offset = np.uint64(WINDOWS[space])
    operate = np.subtract if "to" in modifiers else np.add
    return Meaning(lambda out, x: operate(x, offset, out=out), "u64", ("u64",))
