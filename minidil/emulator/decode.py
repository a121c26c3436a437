"""Decoding a program: every instruction becomes a step, or an error."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from minidil.emulator.access import load, store
from minidil.emulator.arithmetic import meaning
from minidil.emulator.atomic import atomic
from minidil.emulator.machine import Machine, Mask
from minidil.emulator.memory import DEVICE, Memory
from minidil.emulator.operands import Operands
from minidil.emulator.ptx import TYPES, Instruction, Program
from minidil.emulator.steps import Run, Step, computing
from minidil.emulator.warp import active_mask, shuffle, vote
from minidil.errors import BackendError


class Decoded(Operands):
    """A program as steps. Raises: BackendError for an instruction that is not known."""

    def __init__(self, program: Program, memory: Memory = DEVICE) -> None:
        super().__init__(program, memory)
        self.steps = [self._step(instruction) for instruction in program.instructions]

    def _step(self, instruction: Instruction) -> Step:
        head = instruction.op[0]
        if head == "bra":
            step = Step("branch", target=self.program.labels[instruction.operands[0]])
        elif head in ("ret", "exit"):
            step = Step("exit")
        elif instruction.op[:2] in (("bar", "sync"), ("barrier", "sync")) and instruction.operands in (("0",), ()):
            step = Step("barrier")
        elif instruction.op == ("bar", "warp", "sync"):
            step = Step("warp barrier", gathers=True)
        else:
            run = self._special(instruction) or self._arithmetic(instruction)
            if run is None:
                raise BackendError(
                    f"cuda emulator: unknown instruction `{instruction}`, from line {instruction.line} of "
                    f"{self.program.files.get(instruction.file, 'the kernel')}; it is not executed by guessing"
                )
            step = Step("run", run, gathers=head in ("shfl", "vote"))
        if instruction.guard:
            step.guard, step.negated = self.operand(instruction.guard, "pred"), instruction.negated
        return step

    def _arithmetic(self, instruction: Instruction) -> Run | None:
        known = meaning(instruction.op)
        if known is None or len(instruction.operands) != 1 + len(known.sources):
            return None
        out = self.output(instruction.operands[0].split("|")[0], known.out)
        pairs = zip(instruction.operands[1:], known.sources, strict=True)
        sources = [self.operand(text, kind) for text, kind in pairs]
        return computing(known.compute, out, sources)

    def _special(self, instruction: Instruction) -> Run | None:
        """The step for what is not arithmetic of each lane by itself."""
        makers = {
            "ld": load,
            "ldu": load,
            "st": store,
            "atom": atomic,
            "red": atomic,
            "mov": _pieces,
            "trap": _trap,
            "shfl": shuffle,
            "vote": vote,
            "activemask": active_mask,
            "membar": _fence,
            "fence": _fence,
        }
        maker = makers.get(instruction.op[0])
        return maker(self, instruction) if maker else None


def _pieces(operands: Operands, instruction: Instruction) -> Run | None:
    """mov between a wide register and {narrow, registers}: the same bits."""
    target, source = instruction.operands
    whole = TYPES.get(instruction.op[-1])
    if whole is None or not ("{" in target or "{" in source):
        return None
    names = [name.strip() for name in (target if "{" in target else source).strip("{}").split(",")]
    kind = f"b{8 * whole.itemsize // len(names)}"
    part, wide = TYPES[kind], f"b{8 * whole.itemsize}"
    if "{" in target:
        outs, held = [operands.output(name, kind) for name in names], operands.operand(source, wide)
        split = [
            computing(
                lambda out, x, i=i: np.copyto(out, np.asarray(x >> 8 * part.itemsize * i).astype(part)), out, [held]
            )
            for i, out in enumerate(outs)
        ]

        def apart(machine: Machine, where: Mask) -> None:
            for run in split:
                run(machine, where)

        return apart

    def join(out: NDArray[Any], *pieces: NDArray[Any]) -> None:
        total = np.zeros_like(out)
        for i, piece in enumerate(pieces):
            total |= np.asarray(piece).astype(out.dtype) << out.dtype.type(8 * part.itemsize * i)
        out[...] = total

    return computing(join, operands.output(target, wide), [operands.operand(name, kind) for name in names])


def _fence(operands: Operands, instruction: Instruction) -> Run | None:
    """Fences order the memory accesses of one thread, which are in order here anyway."""
    return lambda machine, where: None


def _trap(operands: Operands, instruction: Instruction) -> Run | None:
    return lambda machine, where: machine.fault("trap", "the kernel stopped itself", machine.taking_part(where))
