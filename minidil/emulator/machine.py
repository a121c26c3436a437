"""What a step works on: one NumPy lane per thread, the values that the lanes hold, their memories, and where faults go."""

from __future__ import annotations

import linecache
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from minidil.emulator.memory import NOWHERE, UNWRITTEN, WRITTEN, Memory
from minidil.emulator.operands import Operands
from minidil.emulator.ptx import TYPES, Instruction, Program
from minidil.emulator.races import Race, Watch
from minidil.emulator.report import Finding, KernelError, Launch, Three
from minidil.errors import BackendError

Mask: TypeAlias = "NDArray[np.bool_] | None"  # which lanes take part; None means all


class Machine:
    """One launch of a decoded kernel on grid x block threads.

    arguments: the values of the parameters, in PTX's order. launch: where to count, None to count nothing.
    findings: where faults are collected; None to raise a KernelError at the first.
    """

    def __init__(
        self,
        operands: Operands,
        name: str,
        grid: Three,
        block: Three,
        arguments: list[Any],
        launch: Launch | None = None,
        findings: list[Finding] | None = None,
        warnings: list[Finding] | None = None,
        dynamic: int = 0,
    ) -> None:
        self.operands, self.program, self.memory = operands, operands.program, operands.memory
        self.name, self.grid, self.block = name, grid, block
        self.launch, self.findings, self.warnings = launch, findings, [] if warnings is None else warnings
        self.dynamic, self.sizes = dynamic, dict(self.program.sizes)
        if self.program.dynamic is not None:
            self.sizes["shared"] = self.program.dynamic + dynamic
        # From one block's or thread's part to the next, so that every number in it lies at a multiple of its size.
        self.stride = {space: -(-size // 16) * 16 for space, size in self.sizes.items()}
        self.checked, self.local_checked = operands.checked, operands.local_checked
        self.threads = block[0] * block[1] * block[2]
        self.arguments = {
            name: _as_bits(np.asarray(value), TYPES[kind])
            for (name, kind), value in zip(self.program.parameters, arguments, strict=True)
        }
        written = self.operands.origins.written or frozenset()
        stored = {int(self.arguments[name]) for name in written}
        # One array as input and output: then also what is only read through one argument is written through another.
        others = [value for name, value in self.arguments.items() if name not in written and value.dtype.kind in "iu"]
        self.aliased = any(int(value) in stored for value in others)
        self.watch_global = Watch(len(self.memory.bytes), self.threads, between_blocks=True)
        self._seen: set[tuple[str, int, int]] = set()
        self._spares: dict[Any, NDArray[Any]] = {}
        self.pc = 0

    # --- lanes

    def _place(self, first: int, count: int) -> None:
        """Set up the lanes of `count` blocks from number `first` on, in the order x, y, z."""
        self.first, self.count, self.lanes = first, count, count * self.threads
        self.within = np.tile(np.arange(self.threads), count)  # each lane's number in its block
        self.number = np.arange(self.lanes) + first * self.threads  # and in the launch
        self.place = np.repeat(np.arange(count), self.threads)  # its block's, of those that are run at once
        self.lane = self.within % 32
        self.warp = self.place * 64 + self.within // 32  # numbered apart, at most 32 in a block
        self.every = np.arange(self.lanes)
        self._spares.clear()
        self.shared = Memory.filled("shared", count * self.stride["shared"], UNWRITTEN)
        self._mark_gaps(count)
        self.local = Memory.filled("local", self.lanes * self.stride["local"], WRITTEN)
        self.watch_shared = Watch(len(self.shared.bytes), self.threads, between_blocks=False)
        self.values = self._frame()

    def _mark_gaps(self, count: int) -> None:
        """What lies between the arrays in shared memory belongs to nobody."""
        arrays = [
            (start, self.program.extents[name])
            for name, (space, start) in self.program.symbols.items()
            if space == "shared"
        ]
        if len(arrays) > 1:
            states = self.shared.state[: count * self.stride["shared"]].reshape(count, -1)
            states[:] = NOWHERE
            for start, extent in arrays:
                states[:, start : start + (extent or self.dynamic)] = UNWRITTEN

    def _frame(self) -> list[Any]:
        """The value of every operand: one per lane, or one for all."""
        registers = _registers(self.program, self.lanes)
        return [self._value(registers, *operand) for operand in self.operands.listed]

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
        if name == "%dynamic_smem_size":
            return TYPES[kind].type(self.dynamic)
        if name == "%nwarpid":
            return TYPES[kind].type(-(-self.threads // 32))
        if base.startswith("%lanemask_"):
            bits = np.int64(1) << self.lane
            masks = {"eq": bits, "lt": bits - 1, "le": 2 * bits - 1, "gt": -2 * bits, "ge": -bits}
            return (masks[base.removeprefix("%lanemask_")] & 0xFFFFFFFF).astype(TYPES[kind])
        clock = "clock" in name or "timer" in name
        words = "a clock: the emulator has no time that means anything" if clock else f"the special register {name}"
        raise BackendError(f"cuda emulator: {self.name} reads {words}, which the emulator does not know")

    def scratch(self, dtype: np.dtype[Any]) -> NDArray[Any]:
        """An array over the lanes, for a result of which only a part is kept."""
        spare = self._spares.get(dtype)
        if spare is None:
            spare = self._spares[dtype] = np.zeros(self.lanes, dtype)
        return spare

    def taking_part(self, where: Mask) -> NDArray[np.int64]:
        """The numbers of the lanes that take part."""
        return self.every if where is None else np.flatnonzero(where)

    # --- faults

    def fault(self, kind: str, message: str, lanes: NDArray[np.int64], pc: int | None = None) -> None:
        """Report a fault of these lanes at the current instruction, once per kind and source line."""
        self._find("error", kind, message, int(self.number[lanes[0]]), len(lanes), self.pc if pc is None else pc)

    def warn(self, kind: str, message: str, lanes: NDArray[np.int64]) -> None:
        """Report what these lanes may do and seldom want to."""
        self._find("warning", kind, message, int(self.number[lanes[0]]), len(lanes), self.pc)

    def _find(self, severity: str, kind: str, message: str, thread: int, count: int, pc: int) -> None:
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
            severity,
        )
        if severity == "error" and self.findings is None:
            raise KernelError(finding)
        place = (kind, instruction.file, instruction.line)
        if place not in self._seen:
            self._seen.add(place)
            (self.warnings if self.findings is None else self.findings).append(finding)

    def report_race(self, race: Race | None, space: str) -> None:
        if race is None:
            return
        words = {0: "reads", 1: "writes", 2: "changes atomically"}
        other, kind, pc = race.first
        line = self.program.instructions[pc].line
        together = self.block_of(other) == self.block_of(race.second[0])
        message = (
            f"this thread {words[race.second[1]]} {space} memory that thread {self.thread_of(other)} of block "
            f"{self.block_of(other)} {words[kind]} in line {line}, and "
            f"{'no barrier lies between' if together else 'nothing orders two blocks of a launch'}"
        )
        if race.harmless:
            message += (
                "; all of them write the same value, so that today's GPUs give the same result, but CUDA does not promise it: "
                "let one thread write, or use an atomic operation"
            )
            self._find("warning", "benign race", message, race.second[0], race.size, race.second[2])
            return
        self._find("error", "race", message, race.second[0], race.size, race.second[2])

    def block_of(self, thread: int) -> Three:
        """The block, as (x, y, z), of a thread that is counted over the launch."""
        return _three(thread // self.threads, self.grid)

    def thread_of(self, thread: int) -> Three:
        """Its place in the block."""
        return _three(thread % self.threads, self.block)


def _as_bits(value: NDArray[Any], dtype: np.dtype[Any]) -> NDArray[Any]:
    """A number for a parameter, which PTX may declare and read as plain bits: a float32 as b32, say."""
    return value.view(dtype) if value.dtype.itemsize == dtype.itemsize else value.astype(dtype)


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
    if Path(file).name.startswith("<"):  # text from a prompt: the compiler puts the current folder in front
        file = Path(file).name
    return file, instruction.line, linecache.getline(file, instruction.line).strip()
