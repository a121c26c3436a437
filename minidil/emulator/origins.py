"""Which arguments a kernel stores to, read off its PTX, so that loads from arrays that it only reads need not be watched."""

from __future__ import annotations

from collections.abc import Iterable

from minidil.emulator.ptx import Instruction, Program

UNKNOWN = "?"


class Origins:
    """For every register, the pointer arguments that an address in it may come from.

    written: the arguments that the kernel stores to; None if that cannot be told. read: those that it loads from.
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
                    instruction.op[0] in ("ld", "ldu", "st", "red", "atom", "setp", "shfl", "vote", "minidil")
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
        self.written = self._reached(instruction for instruction in program.instructions if _stores(instruction))
        self.read = self._reached(instruction for instruction in program.instructions if _loads(instruction))

    def _reached(self, accesses: Iterable[Instruction]) -> frozenset[str] | None:
        reached = [self.of(instruction) for instruction in accesses]
        known = all(names and UNKNOWN not in names for names in reached)
        return frozenset[str]().union(*reached) if known else None

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


def _loads(instruction: Instruction) -> bool:
    """Whether it loads from an array, or changes what is there."""
    kinds = ("ld", "ldu", "atom", "red")
    return instruction.op[0] in kinds and not {"shared", "local", "param", "const"} & set(instruction.op)
