"""Which arguments a kernel stores to, read off its PTX, so that loads from arrays that it only reads need not be watched."""

from __future__ import annotations

from minidil.emulator.ptx import Instruction, Program

UNKNOWN = "?"


class Origins:
    """For every register, the pointer arguments that an address in it may come from.

    written: the arguments that the kernel stores to; None if that cannot be told.
    """

    def __init__(self, program: Program) -> None:
        self._of: dict[str, frozenset[str]] = {}
        arguments = {
            instruction.operands[0]: instruction.operands[1].strip("[] ")
            for instruction in program.instructions
            if instruction.op[:2] == ("ld", "param")
        }
        changed = True
        while changed:  # loops carry addresses back, so until nothing is new
            changed = False
            for instruction in program.instructions:
                if (
                    instruction.op[0] in ("ld", "ldu", "st", "red", "atom", "setp", "shfl", "vote")
                    or not instruction.operands
                ):
                    continue
                target, *sources = instruction.operands
                if instruction.op[0] == "cvta":
                    found = frozenset({arguments.get(sources[0], UNKNOWN)})
                else:
                    found = frozenset().union(*(self._of.get(source, frozenset()) for source in sources))
                before = self._of.get(target, frozenset())
                if not found <= before:
                    self._of[target] = before | found
                    changed = True
        stores = [self.of(instruction) for instruction in program.instructions if _stores(instruction)]
        known = all(names and UNKNOWN not in names for names in stores)
        self.written: frozenset[str] | None = frozenset().union(*stores) if known else None

    def of(self, instruction: Instruction) -> frozenset[str]:
        """The arguments that a load, store or atomic may reach."""
        reference = next(operand for operand in instruction.operands if operand.startswith("["))
        return self._of.get(reference.strip("[] ").partition("+")[0].strip(), frozenset())

    def only_read(self, instruction: Instruction) -> bool:
        """Whether a load certainly reaches arguments that the kernel never stores to."""
        names = self.of(instruction)
        return bool(names) and self.written is not None and UNKNOWN not in names and not names & self.written


def _stores(instruction: Instruction) -> bool:
    return instruction.op[0] in ("st", "red", "atom") and not {"shared", "local"} & set(instruction.op)
