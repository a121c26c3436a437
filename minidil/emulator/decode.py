"""Decoding a program: every instruction becomes a step, or an error."""

from __future__ import annotations

import linecache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from minidil.emulator.access import load, store
from minidil.emulator.arithmetic import meaning
from minidil.emulator.atomic import atomic
from minidil.emulator.carry import HEADS, carrying
from minidil.emulator.machine import Machine, Mask
from minidil.emulator.memory import DEVICE, Memory
from minidil.emulator.operands import Operands
from minidil.emulator.probes import probe
from minidil.emulator.ptx import TYPES, Instruction, Program
from minidil.emulator.steps import Run, Step, computing
from minidil.emulator.warp import active_mask, match, over_block, shuffle, vote
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
        elif instruction.op[:2] in (("bar", "red"), ("barrier", "red")) and instruction.operands[1] == "0":
            step = Step("barrier", opens=over_block(self, instruction))
            if step.opens is None:
                raise self._unknown(instruction)
        elif instruction.op == ("bar", "warp", "sync"):
            step = Step("warp barrier", gathers=True)
        else:
            run = self._special(instruction) or self._arithmetic(instruction)
            if run is None:
                raise self._unknown(instruction)
            step = Step("run", run, gathers=head in ("shfl", "vote", "match"))
        if instruction.guard:
            step.guard, step.negated = self.operand(instruction.guard, "pred"), instruction.negated
        return step

    def _unknown(self, instruction: Instruction) -> BackendError:
        """What to say of an instruction that is not known, to somebody who wrote Python."""
        file, line = self.program.files.get(instruction.file, "the kernel"), instruction.line
        source = linecache.getline(file, line).strip()
        said = f", `{source}`" if source else ""
        return BackendError(
            f"cuda emulator: line {line} of {Path(file).name}{said} needs {_words(instruction)}, which the emulator does not "
            "know and does not guess; what it knows stands in minidil/emulator/README.md"
        )

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
            "match": match,
            "activemask": active_mask,
            "minidil": probe,
            "membar": _fence,
            "fence": _fence,
            "nanosleep": _fence,
            **dict.fromkeys(HEADS, carrying),
        }
        maker = makers.get(instruction.op[0])
        return maker(self, instruction) if maker else None


_WORDS = {
    "atom": "an atomic operation of this kind or type",
    "red": "an atomic operation of this kind or type",
    "cvt": "a conversion between number types of this kind",
    "ld": "a load of this kind",
    "st": "a store of this kind",
    "cp": "asynchronous copies to shared memory",
    "mbarrier": "barriers of asynchronous copies",
    "wmma": "tensor cores",
    "mma": "tensor cores",
    "wgmma": "tensor cores",
    "ldmatrix": "tensor cores",
    "tex": "textures",
    "surf": "surfaces",
    "bar": "a barrier for a part of the block",
    "barrier": "a barrier for a part of the block, or for a cluster",
    "shfl": "a shuffle of this kind",
    "vote": "a vote of this kind",
    "griddepcontrol": "dependent launches",
    "redux": "a reduction over the warp in one instruction",
}


def _words(instruction: Instruction) -> str:
    """A feature in words, and else by the name of the operation and its type."""
    head = instruction.op[0]
    kinds = {"f": "float", "s": "int", "u": "uint", "b": "bits of "}
    kind = next(
        (f" of {kinds[name[0]]}{name[1:]}" for name in instruction.op[1:] if name in TYPES and name != "pred"), ""
    )
    return _WORDS.get(head, f"the operation {head!r}{kind}")


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
