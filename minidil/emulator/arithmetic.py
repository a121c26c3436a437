"""What the arithmetic instructions mean.

`meaning(("add", "f32"))` gives the types that the operands are read and written with, and `compute(out, *sources)`, which
writes the result of every lane. Only what is written in these files is executed; anything else is an error.
"""

from __future__ import annotations

from minidil.emulator.convert import address, compare, convert
from minidil.emulator.floats import FLOATS, rounded
from minidil.emulator.integers import INTEGERS, PREDICATES, funnel_shift, multiply, shift_amount
from minidil.emulator.meaning import Meaning
from minidil.emulator.ptx import TYPES


def meaning(op: tuple[str, ...]) -> Meaning | None:
    """The meaning of an operation such as ("add", "f32"); None if it is not known."""
    head, *modifiers, kind = op
    if kind not in TYPES:
        return None
    if head == "cvt":
        return convert(modifiers, kind)
    if head == "setp":
        return compare(modifiers, kind)
    if head == "cvta":
        return address(modifiers) if kind in ("u64", "u32") else None
    if head in ("mul", "mad") and TYPES[kind].kind in "iu":
        return multiply(head, modifiers, kind)
    if (head, modifiers) == ("bfind", ["shiftamt"]):
        return Meaning(shift_amount, "u32", (kind,))
    if head == "shf":
        funnel = funnel_shift(modifiers) if kind == "b32" else None
        return funnel and Meaning(funnel, kind, (kind, kind, "u32"))
    return _plain(head, modifiers, kind)


def _plain(head: str, modifiers: list[str], kind: str) -> Meaning | None:
    floating = TYPES[kind].kind == "f"
    table = FLOATS if floating else PREDICATES if kind == "pred" else INTEGERS
    if head not in table:
        return None
    compute, arguments, allowed = table[head]
    if not set(modifiers) <= allowed:
        return None
    if floating:
        compute = rounded(compute, modifiers, kind)
    sources = tuple(kind if argument == "=" else argument for argument in arguments)
    return Meaning(compute, "u32" if head in ("popc", "clz", "bfind") else kind, sources)
