"""Loads and stores.

Every access is checked: the address is a multiple of the size, the memory is allocated, what is read was written before, and
no other thread that nothing orders before or after touches it.
"""

from __future__ import annotations

from functools import cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from minidil.emulator.convert import WINDOWS
from minidil.emulator.machine import Machine, Mask
from minidil.emulator.memory import BASE, NOWHERE, UNWRITTEN, WRITTEN, Memory
from minidil.emulator.operands import Operands
from minidil.emulator.ptx import TYPES, Instruction
from minidil.emulator.races import ATOMIC, READ, WRITE
from minidil.emulator.report import SECTOR
from minidil.emulator.steps import Run, computing

Ints = NDArray[np.int64]
_SPACES = ("global", "shared", "local", "const", "param")
# Caching hints and orderings: what is strong (volatile, relaxed, acquire, release) does not race with atomics.
_STRONG = {"volatile", "relaxed", "acquire", "release"}
HINTS = {"nc", "ca", "cg", "cs", "lu", "cv", "wb", "wt", "sys", "gpu", "cta", "weak"} | _STRONG


def reference_of(operands: Operands, text: str) -> tuple[int, int]:
    """The operand and the offset of [register+offset], [register], or [symbol]; shared addresses may be of 32 bits."""
    base, _, offset = text.strip("[] ").partition("+")
    narrow = operands.program.registers.get(base.strip()) in ("b32", "u32", "s32")
    return operands.operand(base.strip(), "u32" if narrow else "u64"), int(offset or 0)


def _shape(op: tuple[str, ...]) -> tuple[str, str, int] | None:
    """(space, type, how many) of a load or store; None if it has a modifier that is not known."""
    *modifiers, kind = op[1:]
    space, many = "generic", 1
    for modifier in modifiers:
        if modifier in _SPACES:
            space = modifier
        elif modifier in ("v2", "v4"):
            many = int(modifier[1])
        elif modifier not in HINTS and not modifier.startswith(("L1__", "L2__")):
            return None
    return (space, kind, many) if kind in TYPES else None


def load(operands: Operands, instruction: Instruction) -> Run | None:
    shape = _shape(instruction.op)
    if shape is None:
        return None
    space, kind, many = shape
    target, reference = instruction.operands
    names = [name.strip() for name in target.strip("{}").split(",")]
    outs = [operands.output(name, kind) for name in names]
    if space == "param":
        source = operands.numbered(("parameter", reference.strip("[] "), kind))
        return computing(lambda out, value: np.copyto(out, value, casting="unsafe"), outs[0], [source])
    base, offset = reference_of(operands, reference)
    event = ATOMIC if _STRONG & set(instruction.op) else READ
    only_read = space == "global" and operands.origins.only_read(instruction)
    dtype = TYPES[kind]

    def run(machine: Machine, where: Mask) -> None:
        access = locate(machine, where, space, base, offset, dtype, many, reading=True)
        if not only_read or machine.aliased:
            watch(machine, access, event)
        count(machine, access)
        found = access.memory.bytes.view(dtype)[access.elements]
        for number, out in enumerate(outs):
            values = found if many == 1 else found[:, number]
            if access.lanes is machine.every:
                machine.values[out][...] = values
            else:
                machine.values[out][access.lanes] = values

    return run


def store(operands: Operands, instruction: Instruction) -> Run | None:
    shape = _shape(instruction.op)
    if shape is None:
        return None
    space, kind, many = shape
    reference, source = instruction.operands
    values = [operands.operand(name.strip(), kind) for name in source.strip("{}").split(",")]
    base, offset = reference_of(operands, reference)
    event = ATOMIC if _STRONG & set(instruction.op) else WRITE
    dtype = TYPES[kind]

    def run(machine: Machine, where: Mask) -> None:
        access = locate(machine, where, space, base, offset, dtype, many, reading=False)
        # Of what is compiled with checks a race is told whether it matters.
        bits = _bits(_of_lanes(machine, values[0], access.lanes), access) if machine.checked and many == 1 else None
        watch(machine, access, event, bits)
        count(machine, access)
        data = access.memory.bytes.view(dtype)
        for number, value in enumerate(values):
            data[access.elements if many == 1 else access.elements[:, number]] = _of_lanes(machine, value, access.lanes)
        access.memory.state.view(f"u{dtype.itemsize}")[access.elements] = _full(dtype)

    return run


class Access(NamedTuple):
    """What some lanes access: each `size` bytes of a memory from byte `start` on, which are these `elements` of it."""

    lanes: Ints
    memory: Memory
    start: Ints
    elements: Ints  # one per lane, or a row of them
    size: int


@cache
def _full(dtype: np.dtype[Any], state: int = WRITTEN) -> int:
    """The state of an element all of whose bytes have this state."""
    return int.from_bytes(bytes([state]) * dtype.itemsize, "little")


def _of_lanes(machine: Machine, operand: int, lanes: Ints) -> Any:
    """The values that lanes hold in an operand."""
    held = machine.values[operand]
    return held if lanes is machine.every or not np.ndim(held) else held[lanes]


def _bits(values: Any, access: Access) -> Ints:
    """The bits of a number of each lane, copied."""
    held = np.asarray(values)
    found: Ints = np.broadcast_to(held.view(f"u{held.dtype.itemsize}"), access.lanes.shape).astype(np.int64)
    return found


def locate(
    machine: Machine, where: Mask, space: str, base: int, offset: int, dtype: np.dtype[Any], many: int, reading: bool
) -> Access:
    """What the lanes of `where` access at the address in operand `base`. Unsound accesses are reported and left out."""
    size = many * dtype.itemsize
    lanes = machine.taking_part(where)
    held = _of_lanes(machine, base, lanes)
    address = held.astype(np.int64, copy=False) if np.ndim(held) else np.full(len(lanes), held, np.int64)
    if space == "generic":
        space, address = _resolve(machine, address + offset, lanes)
        offset = 0
    memory, limit, origin = _memory(machine, space)
    address = address + (offset - origin)
    # Seen as unsigned, what lies below 0 is as far out as can be: one comparison for both ends.
    if not (address.view(np.uint64) <= limit - size).all() or int(np.bitwise_or.reduce(address)) & (size - 1):
        lanes, address = _sound(machine, memory, limit, lanes, address, size)
    if memory is machine.memory:
        start = address
    else:  # each block's or thread's own part lies behind those before it
        owner = machine.place if memory is machine.shared else machine.every
        start = address + machine.stride[memory.name] * (owner if lanes is machine.every else owner[lanes])
    first = start >> (dtype.itemsize.bit_length() - 1)
    access = Access(lanes, memory, start, first if many == 1 else first[:, None] + np.arange(many), size)
    return access if memory is machine.local and not machine.local_checked else _known(machine, access, dtype, reading)


def _memory(machine: Machine, space: str) -> tuple[Memory, int, int]:
    """The memory of a space, how many bytes of it a thread sees, and the address of the first."""
    if space in ("global", "const"):
        return machine.memory, len(machine.memory.bytes), BASE
    return machine.shared if space == "shared" else machine.local, machine.sizes[space], 0


def _sound(machine: Machine, memory: Memory, limit: int, lanes: Ints, address: Ints, size: int) -> tuple[Ints, Ints]:
    """The lanes whose addresses lie inside and are multiples of the size; the others are reported."""
    inside = (address >= 0) & (address <= limit - size)
    if not inside.all():
        machine.fault("out of bounds", _beyond(machine, memory, int(address[~inside][0]), size), lanes[~inside])
        lanes, address = lanes[inside], address[inside]
    skewed = (address & (size - 1)) != 0
    if skewed.any():
        message = f"{size} bytes are accessed at once, so their address must be a multiple of {size}"
        machine.fault("misaligned", message, lanes[skewed])
        lanes, address = lanes[~skewed], address[~skewed]
    return lanes, address


def _known(machine: Machine, access: Access, dtype: np.dtype[Any], reading: bool) -> Access:
    """The access without the lanes that reach what is not allocated, which are reported, as are reads of what nobody wrote."""
    memory, many = access.memory, access.size // dtype.itemsize
    states = memory.state.view(f"u{dtype.itemsize}")[access.elements]
    if (states == _full(dtype)).all() or (not reading and (states == _full(dtype, UNWRITTEN)).all()):
        return access
    by_byte = np.ascontiguousarray(states).view(np.uint8).reshape(len(access.lanes), access.size)
    nowhere = (by_byte == NOWHERE).any(axis=1)
    if nowhere.any():
        where = int(access.start[nowhere][0])
        if memory is not machine.memory:
            where %= machine.stride[memory.name]
        machine.fault("out of bounds", _beyond(machine, memory, where, access.size), access.lanes[nowhere])
    unwritten = (by_byte == UNWRITTEN).any(axis=1) & ~nowhere
    if reading and unwritten.any():
        message = f"reads {memory.name} memory that nothing was written into"
        machine.fault("uninitialised", message, access.lanes[unwritten])
    if not nowhere.any():
        return access
    lanes, start, index = access.lanes[~nowhere], access.start[~nowhere], access.elements[~nowhere]
    return Access(lanes, memory, start, index if many == 1 else index.reshape(-1, many), access.size)


def _resolve(machine: Machine, address: Ints, lanes: Ints) -> tuple[str, Ints]:
    """A generic address says itself which space it lies in. All lanes must mean the same one."""
    spaces = np.select([address >= BASE, address >= WINDOWS["local"], address >= WINDOWS["shared"]], [0, 1, 2], 0)
    first = int(spaces[0]) if spaces.size else 0
    if (spaces != first).any():
        machine.fault("out of bounds", "one instruction reaches into several spaces of memory", lanes[spaces != first])
    name = ("global", "local", "shared")[first]
    return name, address - WINDOWS[name]


def _beyond(machine: Machine, memory: Memory, start: int, size: int) -> str:
    if memory is machine.memory:
        return f"global memory, {size} bytes {memory.nearest(start + BASE)}"
    limit = machine.sizes[memory.name]
    symbols, extents = machine.program.symbols.items(), machine.program.extents
    arrays = sorted((begin, extents[name] or machine.dynamic) for name, (space, begin) in symbols if space == "shared")
    if memory is machine.local or len(arrays) < 2:
        return f"{memory.name} memory, {size} bytes at byte {start} of {limit}"
    # Arrays are told apart by their order: PTX has forgotten their names.
    begin, extent = min(arrays, key=lambda one: max(one[0] - start, start - one[0] - one[1]))
    place = f"{begin - start:,} bytes before" if start < begin else f"at byte {start - begin:,} of"
    number = f"number {arrays.index((begin, extent)) + 1} of {len(arrays)}"
    return f"shared memory, {size} bytes {place} the array of {extent:,} bytes, {number}"


def watch(machine: Machine, access: Access, event: int, values: Ints | None = None) -> None:
    """Note an access for the search for races. values: what is written, if it is one number a thread."""
    lanes, memory, start, _, size = access
    if memory is machine.local:
        return
    watch = machine.watch_shared if memory is machine.shared else machine.watch_global
    threads = machine.number if lanes is machine.every else machine.number[lanes]
    if size > 4:
        start, threads = start[:, None] + np.arange(0, size, 4), threads[:, None]
        values = None if values is None else values[:, None]
    watch.note(start, threads, event, machine.pc, values)


def count(machine: Machine, access: Access) -> None:
    """Sectors of global memory that a warp moves, and rounds in which shared memory serves it."""
    lanes, memory, start, _, size = access
    launch, pc = machine.launch, machine.pc
    if launch is None or not lanes.size:
        return
    warp = machine.warp[lanes]
    if memory is machine.memory:
        launch.requested[pc] += size * np.unique(np.stack([warp, start]), axis=1).shape[1]
        launch.sectors[pc] += np.unique(np.stack([warp, start // SECTOR]), axis=1).shape[1]
    elif memory is machine.shared:
        # 32 banks, each a word wide, serve a warp at once, or half or a quarter of it where threads access 8 or 16 bytes.
        words = start % machine.stride["shared"] // 4
        groups = warp * 4 + (machine.lane[lanes] * size // 128 if size > 4 else 0)
        if size > 4:
            words, groups = (words[:, None] + np.arange(size // 4)).reshape(-1), np.repeat(groups, size // 4)
        group, word = np.unique(np.stack([groups, words]), axis=1)
        pairs, per_bank = np.unique(group * 32 + word % 32, return_counts=True)
        _, begins = np.unique(pairs // 32, return_index=True)
        launch.requests[pc] += begins.size
        launch.wavefronts[pc] += int(np.maximum.reduceat(per_bank, begins).sum())
