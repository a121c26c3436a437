"""Arithmetic in pieces: add.cc leaves a carry that addc takes up, so that numbers wider than a register can be computed with."""

from __future__ import annotations

import numpy as np

from minidil.emulator.integers import high_half
from minidil.emulator.machine import Machine, Mask
from minidil.emulator.meaning import Lanes
from minidil.emulator.operands import Operands
from minidil.emulator.ptx import Instruction
from minidil.emulator.steps import Run, computing

HEADS = ("add", "addc", "sub", "subc", "mad", "madc")


def carrying(operands: Operands, instruction: Instruction) -> Run | None:
    """add, sub and mad with .cc, which sets the carry (or borrow), or with a c, which adds it. None if it does neither."""
    head, *modifiers, kind = instruction.op
    sets, takes = "cc" in modifiers, head.endswith("c")
    if head not in HEADS or not (sets or takes) or kind not in ("u32", "s32", "b32", "u64", "s64", "b64"):
        return None
    part = next((name for name in modifiers if name in ("lo", "hi")), "")
    if set(modifiers) - {"cc", part} or (head.startswith("mad") != bool(part)):
        return None
    signed_high = part == "hi" and kind[0] == "s"
    word = kind if signed_high else f"u{kind[1:]}"
    operands.program.registers.setdefault("%carry", "b32")
    flag = operands.operand("%carry", "u32")
    out = operands.output(instruction.operands[0], f"u{kind[1:]}")
    sources = [operands.operand(text, word) for text in instruction.operands[1:]]
    kept = [*sources, flag] if takes else sources

    def terms(given: tuple[Lanes, ...]) -> tuple[Lanes, Lanes, Lanes]:
        """What is added to what, and the carry from before, all unsigned."""
        taken = given[-1] if takes else np.uint32(0)
        x, y = np.asarray(given[0]), np.asarray(given[1])
        unsigned = f"u{x.dtype.itemsize}"
        if part:
            product = np.multiply(x, y) if part == "lo" else high_half(x, y)
            x, y = np.asarray(product), np.asarray(given[2])
        return x.view(unsigned), y.view(unsigned), np.asarray(taken).astype(unsigned)

    def result(into: Lanes, *given: Lanes) -> None:
        x, y, taken = terms(given)
        into[...] = x - y - taken if head.startswith("sub") else x + y + taken

    def carry(into: Lanes, *given: Lanes) -> None:
        x, y, taken = terms(given)
        if head.startswith("sub"):
            into[...] = (x < y) | ((x == y) & (taken != 0))
        else:
            total = x + y
            into[...] = (total < x) | (total + taken < total)

    first = computing(result, out, kept)
    if not sets:
        return first
    # Both look at the same operands, and the result may overwrite one of them: so it waits in a register of its own.
    operands.program.registers.setdefault("%carried", "b64")
    waiting = operands.operand("%carried", f"u{kind[1:]}")
    steps = (computing(result, waiting, kept), computing(carry, flag, kept), computing(_copy, out, [waiting]))

    def run(machine: Machine, where: Mask) -> None:
        for step in steps:
            step(machine, where)

    return run


def _copy(into: Lanes, value: Lanes) -> None:
    into[...] = value
