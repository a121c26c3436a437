"""Executing a kernel: one NumPy lane per thread, the lowest program counter first.

A program is decoded once: every instruction becomes a `Step` that works on numbered operands. A `Machine` then runs as many
blocks at once as make good use of NumPy. All lanes at the same instruction execute it together. Where a branch divides them,
those with the lowest program counter go first until they meet the others again, which is what makes loops and branches of
structured programs meet at once. A lane that reaches a barrier waits until all lanes of its block have reached it; one that
reaches a shuffle waits until no lane that could still join it is left to run.
"""

from __future__ import annotations

import linecache
import threading
from typing import Any

import numpy as np
from numpy.typing import NDArray

from minidil.errors import BackendError
from minidil.kernels.cuda.emulator.decode import Decoded
from minidil.kernels.cuda.emulator.memory import UNWRITTEN, WRITTEN, Memory
from minidil.kernels.cuda.emulator.ptx import TYPES, Instruction, Program
from minidil.kernels.cuda.emulator.races import Race, Watch
from minidil.kernels.cuda.emulator.report import Finding, KernelError, Launch, Three
from minidil.kernels.cuda.emulator.steps import Mask

LANES = 1 << 14  # that are run at once: enough to hide NumPy's overhead, few enough to stay in the cache


class Machine:
    """One launch of a decoded kernel on grid x block threads.

    arguments: the values of the parameters, in PTX's order. launch: where to count, None to count nothing.
    findings: where faults are collected; None to raise a KernelError at the first.
    """

    def __init__(
        self,
        decoded: Decoded,
        name: str,
        grid: Three,
        block: Three,
        arguments: list[Any],
        launch: Launch | None = None,
        findings: list[Finding] | None = None,
    ) -> None:
        self.decoded, self.program, self.memory = decoded, decoded.program, decoded.memory
        self.name, self.grid, self.block = name, grid, block
        self.launch, self.findings = launch, findings
        self.threads = block[0] * block[1] * block[2]
        self.arguments = {
            name: _as_bits(np.asarray(value), TYPES[kind])
            for (name, kind), value in zip(self.program.parameters, arguments, strict=True)
        }
        written = self.decoded.origins.written or frozenset()
        stored = {int(self.arguments[name]) for name in written}
        # One array as input and output: then also what is only read through one argument is written through another.
        others = [value for name, value in self.arguments.items() if name not in written and value.dtype.kind in "iu"]
        self.aliased = any(int(value) in stored for value in others)
        self.watch_global = Watch(len(self.memory.bytes), self.threads, between_blocks=True)
        self._seen: set[tuple[str, int]] = set()
        self._spares: dict[Any, NDArray[Any]] = {}
        self.pc = 0

    def run(self) -> None:
        """Execute all blocks. Raises: KernelError, unless findings are collected."""
        blocks = self.grid[0] * self.grid[1] * self.grid[2]
        together = max(1, LANES // self.threads)
        with _ONE_AT_A_TIME, np.errstate(all="ignore"):
            for first in range(0, blocks, together):
                self._blocks(first, min(together, blocks - first))
            self._report(self.watch_global.end(), "global")

    # --- lanes

    def _blocks(self, first: int, count: int) -> None:
        """Run `count` blocks from number `first` on, in the order x, y, z."""
        self.first, self.count, self.lanes = first, count, count * self.threads
        self.within = np.tile(np.arange(self.threads), count)  # each lane's number in its block
        self.number = np.arange(self.lanes) + first * self.threads  # and in the launch
        self.place = np.repeat(np.arange(count), self.threads)  # its block's, of those that are run at once
        self.lane = self.within % 32
        self.warp = self.place * 64 + self.within // 32  # numbered apart, at most 32 in a block
        self.every = np.arange(self.lanes)
        self._spares.clear()
        sizes = self.program.sizes
        self.shared = Memory.filled("shared", count * sizes["shared"], UNWRITTEN)
        self.local = Memory.filled("local", self.lanes * sizes["local"], WRITTEN)
        self.watch_shared = Watch(len(self.shared.bytes), self.threads, between_blocks=False)
        self.values = self._frame()
        self._execute()
        self._report(self.watch_shared.barrier(), "shared")

    def _frame(self) -> list[Any]:
        """The value of every operand: one per lane, or one for all."""
        registers = _registers(self.program, self.lanes)
        return [self._value(registers, *operand) for operand in self.decoded.listed]

    def _value(self, registers: Any, what: str, name: Any, kind: str) -> Any:
        dtype = TYPES[kind]
        if what == "register":
            held = registers[name]
            if dtype.itemsize < held.dtype.itemsize:
                return held.view(dtype)[:: held.dtype.itemsize // dtype.itemsize]  # the low bytes
            return held if held.dtype == dtype else held.view(dtype)
        if what == "scratch":
            return np.zeros(self.lanes, dtype)
        if what == "special":
            return self._special(name, kind)
        if what == "parameter":
            return _as_bits(self.arguments[name], dtype)
        if isinstance(name, float):  # a literal such as 0f3F800000, which may also be read as bits
            return np.asarray(name, f"f{dtype.itemsize}").view(dtype)[()]
        return np.asarray(name & (1 << 8 * dtype.itemsize) - 1, f"u{dtype.itemsize}").view(dtype)[()]

    def _special(self, name: str, kind: str) -> Any:
        base, _, axis = name.partition(".")
        x, y, _ = self.block
        threads = {"x": self.within % x, "y": self.within // x % y, "z": self.within // (x * y)}
        numbers = self.place + self.first
        gx, gy, _ = self.grid
        blocks = {"x": numbers % gx, "y": numbers // gx % gy, "z": numbers // (gx * gy)}
        known: dict[str, Any] = {"%tid": threads, "%ctaid": blocks}
        if base in known and axis in threads:
            return known[base][axis].astype(TYPES[kind])
        sizes = {"%ntid": self.block, "%nctaid": self.grid}
        if base in sizes and axis in threads:
            return TYPES[kind].type(sizes[base]["xyz".index(axis)])
        if name in ("%laneid", "%warpid"):
            return (self.lane if name == "%laneid" else self.within // 32).astype(TYPES[kind])
        raise BackendError(f"cuda emulator: unknown special register {name}")

    def scratch(self, dtype: np.dtype[Any]) -> NDArray[Any]:
        """An array over the lanes, for a result of which only a part is kept."""
        spare = self._spares.get(dtype)
        if spare is None:
            spare = self._spares[dtype] = np.zeros(self.lanes, dtype)
        return spare

    def taking_part(self, where: Mask) -> NDArray[np.int64]:
        """The numbers of the lanes that take part."""
        return self.every if where is None else np.flatnonzero(where)

    # --- control flow

    def _execute(self) -> None:
        end = len(self.decoded.steps)
        pcs = np.zeros(self.lanes, np.int64)
        waiting, self.gathering = np.zeros(self.lanes, np.bool_), np.zeros(self.lanes, np.bool_)
        while True:
            ready, gathered = (pcs < end) & ~waiting & ~self.gathering, False
            if not ready.any():
                if not (waiting | self.gathering).any():
                    return
                if not self.gathering.any():
                    self._release(pcs, waiting, end)
                    continue
                ready, gathered = self.gathering.copy(), True  # nobody else can come
            here = int(pcs[ready].min())
            group = ready & (pcs == here)
            ahead = pcs[ready & ~group]
            limit = int(ahead.min()) if ahead.size else end
            whole = not ahead.size and bool(group.all())
            self.gathering &= ~group
            self._all_here = gathered
            self._segment(here, limit, None if whole else group, pcs, waiting, end)

    def _segment(self, pc: int, limit: int, where: Mask, pcs: NDArray[np.int64], waiting: Any, end: int) -> None:
        """Run the lanes of `where` from pc on, until they divide, wait, end, or meet the lanes that stand at `limit`."""
        steps, count = self.decoded.steps, self.launch is not None
        group: Any = slice(None) if where is None else where
        begin = pc
        while pc < limit:
            step = steps[pc]
            self.pc = pc
            if step.gathers and where is not None and not self._gathered(pc, begin, pcs, where):
                return
            if count:
                self._count(where)
            if step.run is not None and step.guard is None:
                step.run(self, where)
                pc += 1
                continue
            holds: Any = True
            if step.guard is not None:
                holds = self.values[step.guard]
                holds = ~holds if step.negated else holds
                chosen = holds if where is None else holds & where
                if not chosen.any():
                    pc += 1
                    continue
                holds = bool(chosen.all()) if where is None else not (where & ~chosen).any()
            if step.run is not None:
                step.run(self, where if holds else chosen)
                pc += 1
            elif step.kind == "branch":
                if not holds:
                    pcs[group] = pc + 1
                    pcs[chosen] = step.target
                    return
                pc = step.target
            elif step.kind == "warp barrier":
                self._report(self.watch_shared.warp_barrier(), "shared")
                self._report(self.watch_global.warp_barrier(), "global")
                pc += 1
            elif step.kind == "barrier" and where is None and holds:
                self._barrier()
                pc += 1
            elif step.kind == "barrier":
                pcs[group] = pc + 1
                pcs[where if holds else chosen] = pc
                waiting[where if holds else chosen] = True
                return
            else:
                pcs[group] = pc + 1
                pcs[group if holds else chosen] = end
                return
        pcs[group] = pc

    def _gathered(self, pc: int, begin: int, pcs: NDArray[np.int64], where: NDArray[np.bool_]) -> bool:
        """Whether lanes go on with a shuffle, vote or warp barrier, for which the lanes of a warp wait for each other.

        They do when everybody who can still come is here: then the instruction is the first that they are told to run.
        Compilers may place the end of a loop before its body, so that the lowest program counter is not enough.
        """
        if pc == begin and self._all_here:
            self._all_here = False  # for once: a loop may come back here
            return True
        pcs[where] = pc
        self.gathering |= where
        return False

    def _release(self, pcs: NDArray[np.int64], waiting: Any, end: int) -> None:
        """All lanes wait or have ended. Let those at a barrier go on, if the whole block is there."""
        blocks, places = pcs.reshape(self.count, -1), waiting.reshape(self.count, -1)
        ended = (blocks >= end) & places.any(axis=1, keepdims=True)
        low = np.where(places, blocks, end).min(axis=1, keepdims=True)
        elsewhere = places & (blocks != low)
        self.pc = int(pcs[waiting].min())
        if ended.any():
            lanes = np.flatnonzero(ended.reshape(-1))
            self.fault(
                "divergent barrier", "these threads have ended, while others of the block wait here for all", lanes
            )
        if elsewhere.any():
            other = int(blocks[elsewhere][0])
            line = self.program.instructions[other].line
            message = f"some threads of the block wait here, these at the barrier of line {line}"
            self.fault("divergent barrier", message, np.flatnonzero(elsewhere.reshape(-1)))
        self._barrier()
        pcs[waiting] += 1
        waiting[:] = False

    def _barrier(self) -> None:
        self._report(self.watch_shared.barrier(), "shared")
        self._report(self.watch_global.barrier(), "global")

    def _count(self, where: Mask) -> None:
        assert self.launch is not None
        if where is None:
            threads, warps = self.lanes, self.count * -(-self.threads // 32)
        else:
            threads = int(np.count_nonzero(where))
            warps = np.unique(self.warp[where]).size
        self.launch.executed[self.pc] += threads
        self.launch.issued[self.pc] += warps

    # --- faults

    def fault(self, kind: str, message: str, lanes: NDArray[np.int64], pc: int | None = None) -> None:
        """Report a fault of these lanes at the current instruction, once per kind and source line."""
        numbers = self.number[lanes]
        self._fault(kind, message, int(numbers[0]), len(lanes), self.pc if pc is None else pc)

    def _fault(self, kind: str, message: str, thread: int, count: int, pc: int) -> None:
        instruction = self.program.instructions[pc]
        finding = Finding(
            kind,
            message,
            self.name,
            *_source(self.program, instruction),
            str(instruction),
            self.block_of(thread),
            self.thread_of(thread),
            count,
        )
        if self.findings is None:
            raise KernelError(finding)
        if (kind, instruction.line) not in self._seen:
            self._seen.add((kind, instruction.line))
            self.findings.append(finding)

    def _report(self, race: Race | None, space: str) -> None:
        if race is None:
            return
        words = {0: "reads", 1: "writes", 2: "changes atomically"}
        other, kind, pc = race.first
        line = self.program.instructions[pc].line
        message = (
            f"this thread {words[race.second[1]]} {space} memory that thread {self.thread_of(other)} of block "
            f"{self.block_of(other)} {words[kind]} in line {line}, and no barrier lies between"
        )
        self._fault("race", message, race.second[0], race.size, race.second[2])

    def block_of(self, thread: int) -> Three:
        """The block, as (x, y, z), of a thread that is counted over the launch."""
        return _three(thread // self.threads, self.grid)

    def thread_of(self, thread: int) -> Three:
        """Its place in the block."""
        return _three(thread % self.threads, self.block)


def _as_bits(value: NDArray[Any], dtype: np.dtype[Any]) -> NDArray[Any]:
    """A number for a parameter, which PTX may declare and read as plain bits: a float32 as b32, say."""
    return value.view(dtype) if value.dtype.itemsize == dtype.itemsize else value.astype(dtype)


_ONE_AT_A_TIME = threading.RLock()  # two launches would share the registers
_bank = np.zeros(0, np.uint8)


def _registers(program: Program, lanes: int) -> dict[str, NDArray[Any]]:
    """An array per register, carved out of one piece of memory that all launches use: making new ones takes longer."""
    global _bank
    kinds = {name: TYPES[kind] for name, kind in program.registers.items()}
    row = -(-lanes // 64) * 64  # keeps the rows aligned
    needed = row * sum(dtype.itemsize for dtype in kinds.values())
    if len(_bank) < needed:
        _bank = np.zeros(needed, np.uint8)
    arrays, begin = {}, 0
    for name, dtype in kinds.items():
        arrays[name] = _bank[begin : begin + lanes * dtype.itemsize].view(dtype)
        begin += row * dtype.itemsize
    return arrays


def _three(number: int, sizes: Three) -> Three:
    return number % sizes[0], number // sizes[0] % sizes[1], number // (sizes[0] * sizes[1])


def _source(program: Program, instruction: Instruction) -> tuple[str, int, str]:
    file = program.files.get(instruction.file, "?")
    return file, instruction.line, linecache.getline(file, instruction.line).strip()
