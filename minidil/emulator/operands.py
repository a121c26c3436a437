"""The operands of a program by number.

An operand is a register seen as a type, a number, a parameter or a special register such as %tid.x. The value of each is found
once per launch, one per lane or one for all, so that a step only picks them out of a list.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from minidil.emulator.memory import Memory
from minidil.emulator.origins import Origins
from minidil.emulator.ptx import TYPES, Instruction, Program
from minidil.errors import BackendError


class Operands:
    """The operands of a program by number. listed: (what, name, type) of each."""

    def __init__(self, program: Program, memory: Memory) -> None:
        self.program = program
        self.memory = memory
        self.listed: list[tuple[str, Any, str]] = []
        self._numbers: dict[tuple[str, Any, str], int] = {}
        self._addresses: dict[str, int] = {}
        self.origins = Origins(program)
        self.checked = any(one.op[0] == "minidil" for one in program.instructions)
        self.local_checked = any(one.op == ("minidil", "local") for one in program.instructions)
        self.read = {name for instruction in program.instructions for name in _sources(instruction)}

    def operand(self, text: str, kind: str) -> int:
        """The number of an operand that is read or written as `kind`."""
        return self.numbered(self._find(text, kind))

    def numbered(self, key: tuple[str, Any, str]) -> int:
        """The number of (what, name, type)."""
        if key not in self._numbers:
            self._numbers[key] = len(self.listed)
            self.listed.append(key)
        return self._numbers[key]

    def output(self, text: str, kind: str) -> int:
        """The same for an operand that is written: a narrower value is extended to the width of the register."""
        declared = self.program.registers.get(text, kind)
        width = max(8 * TYPES[declared].itemsize, 8 * TYPES[kind].itemsize)
        return self.operand(text, kind if kind == "pred" or text == "_" else f"{kind[0]}{width}")

    def _find(self, text: str, kind: str) -> tuple[str, Any, str]:
        program = self.program
        if text in program.registers:
            return ("register", text, kind)
        if text == "_":
            return ("scratch", "", kind)
        if text.startswith("%"):
            return ("special", text, kind)
        if text in program.symbols:
            return ("constant", program.symbols[text][1], kind)
        if text in program.constants:
            return ("constant", self._constant(text), kind)
        if text == "WARP_SZ":
            return ("constant", 32, kind)
        if text.startswith(("0f", "0F")):
            return ("constant", float(np.uint32(int(text[2:], 16)).view(np.float32)), kind)
        if text.startswith(("0d", "0D")):
            return ("constant", float(np.uint64(int(text[2:], 16)).view(np.float64)), kind)
        try:
            return ("constant", int(text, 0), kind)
        except ValueError:
            raise BackendError(f"cuda emulator: unknown operand {text!r}") from None

    def _constant(self, name: str) -> int:
        """The address of an array that the kernel brings with it; it stays in the device's memory from then on."""
        if name not in self._addresses:
            values = self.program.constants[name].view(np.uint8)
            self._addresses[name] = self.memory.allocate(max(values.size, 1))
            self.memory.taken(self._addresses[name], values.size)
            self.memory.write(self._addresses[name], values)
        return self._addresses[name]


def _sources(instruction: Instruction) -> list[str]:
    """The registers that an instruction reads, including those in brackets and braces."""
    outputs = 0 if instruction.op[0] in ("st", "red") else 1
    names = [
        word for text in instruction.operands[outputs:] for word in text.strip("[]{}").replace("+", ",").split(",")
    ]
    return [name.strip().lstrip("!") for name in names]
