"""Instructions that reach beyond their own lane: loads and stores, atomics, shuffles and votes.

Every access is checked: the address is a multiple of the size, the memory is allocated, what is read was written before, and
no other thread that nothing orders before or after touches it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from minidil.kernels.cuda.emulator.arithmetic import WINDOWS
from minidil.kernels.cuda.emulator.machine import Decoded, Machine, Mask, Run, computing
from minidil.kernels.cuda.emulator.memory import BASE, NOWHERE, WRITTEN, Memory
from minidil.kernels.cuda.emulator.ptx import TYPES, Instruction
from minidil.kernels.cuda.emulator.races import ATOMIC, READ, WRITE
from minidil.kernels.cuda.emulator.report import SECTOR

Ints = NDArray[np.int64]
_SPACES = ("global", "shared", "local", "const", "param")
# Caching hints and orderings: what is strong (volatile, relaxed, acquire, release) does not race with atomics.
_STRONG = {"volatile", "relaxed", "acquire", "release"}
_HINTS = {"nc", "ca", "cg", "cs", "lu", "cv", "wb", "wt", "sys", "gpu", "cta", "weak"} | _STRONG


def decode(decoded: Decoded, instruction: Instruction) -> Run | None:
    """The step for one of these instructions; None for others."""
    makers = {
        "ld": _load,
        "st": _store,
        "ldu": _load,
        "atom": _atomic,
        "red": _atomic,
        "shfl": _shuffle,
        "vote": _vote,
        "mov": _pieces,
        "activemask": _active_mask,
        "membar": _fence,
        "fence": _fence,
        "trap": _trap,
    }
    maker = makers.get(instruction.op[0])
    return maker(decoded, instruction) if maker else None


# --- loads and stores


def _reference(decoded: Decoded, text: str) -> tuple[int, int]:
    """The operand and the offset of [register+offset], [register], or [symbol]."""
    base, _, offset = text.strip("[] ").partition("+")
    return decoded.operand(base.strip(), "u64"), int(offset or 0)


def _shape(op: tuple[str, ...]) -> tuple[str, str, int] | None:
    """(space, type, how many) of a load or store; None if it has a modifier that is not known."""
    *modifiers, kind = op[1:]
    space, many = "generic", 1
    for modifier in modifiers:
        if modifier in _SPACES:
            space = modifier
        elif modifier in ("v2", "v4"):
            many = int(modifier[1])
        elif modifier not in _HINTS and not modifier.startswith(("L1__", "L2__")):
            return None
    return (space, kind, many) if kind in TYPES else None


def _load(decoded: Decoded, instruction: Instruction) -> Run | None:
    shape = _shape(instruction.op)
    if shape is None:
        return None
    space, kind, many = shape
    target, reference = instruction.operands
    names = [name.strip() for name in target.strip("{}").split(",")]
    outs = [decoded.output(name, kind) for name in names]
    if space == "param":
        source = decoded.numbered(("parameter", reference.strip("[] "), kind))
        return computing(lambda out, value: np.copyto(out, value, casting="unsafe"), outs[0], [source])
    base, offset = _reference(decoded, reference)
    event = ATOMIC if _STRONG & set(instruction.op) else READ
    only_read = space == "global" and decoded.origins.only_read(instruction)
    dtype = TYPES[kind]

    def run(machine: Machine, where: Mask) -> None:
        lanes, memory, start = _locate(machine, where, space, base, offset, many * dtype.itemsize)
        index = _elements(start, dtype, many)
        unwritten = _states(memory, index, dtype) != _full(dtype)
        if unwritten.any():
            bad = lanes[unwritten.reshape(len(lanes), -1).any(axis=1)]
            machine.fault("uninitialised", f"reads {memory.name} memory that nothing was written into", bad)
        if not only_read or machine.aliased:
            _watch(machine, memory, lanes, start, many * dtype.itemsize, event)
        _count(machine, memory, lanes, start, many * dtype.itemsize)
        found = memory.bytes.view(dtype)[index]
        for number, out in enumerate(outs):
            machine.values[out][lanes] = found if many == 1 else found[:, number]

    return run


def _store(decoded: Decoded, instruction: Instruction) -> Run | None:
    shape = _shape(instruction.op)
    if shape is None:
        return None
    space, kind, many = shape
    reference, source = instruction.operands
    values = [decoded.operand(name.strip(), kind) for name in source.strip("{}").split(",")]
    base, offset = _reference(decoded, reference)
    event = ATOMIC if _STRONG & set(instruction.op) else WRITE
    dtype = TYPES[kind]

    def run(machine: Machine, where: Mask) -> None:
        lanes, memory, start = _locate(machine, where, space, base, offset, many * dtype.itemsize)
        index = _elements(start, dtype, many)
        _watch(machine, memory, lanes, start, many * dtype.itemsize, event)
        _count(machine, memory, lanes, start, many * dtype.itemsize)
        data = memory.bytes.view(dtype)
        for number, value in enumerate(values):
            held = machine.values[value]
            data[index if many == 1 else index[:, number]] = held[lanes] if np.ndim(held) else held
        memory.state.view(f"u{dtype.itemsize}")[index] = _full(dtype)

    return run


def _elements(start: Ints, dtype: np.dtype[Any], many: int) -> Ints:
    """The numbers of the elements at these bytes: one per lane, or a row of them."""
    first = start >> (dtype.itemsize.bit_length() - 1)
    return first if many == 1 else first[:, None] + np.arange(many)


def _full(dtype: np.dtype[Any]) -> int:
    """The state of an element all of whose bytes are written."""
    return int.from_bytes(bytes([WRITTEN]) * dtype.itemsize, "little")


def _states(memory: Memory, index: Ints, dtype: np.dtype[Any]) -> NDArray[Any]:
    return memory.state.view(f"u{dtype.itemsize}")[index]


def _locate(machine: Machine, where: Mask, space: str, base: int, offset: int, size: int) -> tuple[Ints, Memory, Ints]:
    """The lanes whose access of `size` bytes is sound, the memory it goes to, and the byte where each begins."""
    lanes = machine.taking_part(where)
    held = machine.values[base]
    address = (held[lanes] if np.ndim(held) else np.full(len(lanes), held)).view(np.int64) + offset
    if space == "generic":
        space, address = _resolve(machine, address, lanes)
    memory, start, inside = _flat(machine, space, address, lanes, size)
    if not inside.all():
        bad = ~inside
        machine.fault("out of bounds", _beyond(machine, memory, int(address[bad][0]), size), lanes[bad])
        lanes, start, address = lanes[inside], start[inside], address[inside]
    if size > 1:
        skewed = (address & (size - 1)) != 0
        if skewed.any():
            message = f"{size} bytes are accessed at once, so their address must be a multiple of {size}"
            machine.fault("misaligned", message, lanes[skewed])
            lanes, start = lanes[~skewed], start[~skewed]
    return lanes, memory, start


def _flat(machine: Machine, space: str, address: Ints, lanes: Ints, size: int) -> tuple[Memory, Ints, Any]:
    """The memory of a space, where in it these addresses lie, and which of them are allocated."""
    if space in ("global", "const"):
        memory = machine.memory
        start = address - BASE
        inside = (start >= 0) & (start <= len(memory.bytes) - size)
        checked = np.where(inside, start, 0)
        inside &= (memory.state[checked] != NOWHERE) & (memory.state[checked + (size - 1)] != NOWHERE)
        return memory, start, inside
    memory, owner = (machine.shared, machine.place) if space == "shared" else (machine.local, None)
    limit = machine.program.sizes[space]
    inside = (address >= 0) & (address <= limit - size)
    return memory, address + limit * (lanes if owner is None else owner[lanes]), inside


def _resolve(machine: Machine, address: Ints, lanes: Ints) -> tuple[str, Ints]:
    """A generic address says itself which space it lies in. All lanes must mean the same one."""
    spaces = np.select([address >= BASE, address >= WINDOWS["local"], address >= WINDOWS["shared"]], [0, 1, 2], 0)
    first = int(spaces[0]) if spaces.size else 0
    if (spaces != first).any():
        machine.fault("out of bounds", "one instruction reaches into several spaces of memory", lanes[spaces != first])
    name = ("global", "local", "shared")[first]
    return name, address - WINDOWS[name]


def _beyond(machine: Machine, memory: Memory, address: int, size: int) -> str:
    if memory is machine.memory:
        return f"global memory, {size} bytes {memory.nearest(address)}"
    limit = machine.program.sizes[memory.name]
    return f"{memory.name} memory, {size} bytes at byte {address} of {limit}"


def _watch(machine: Machine, memory: Memory, lanes: Ints, start: Ints, size: int, event: int) -> None:
    """Note an access for the search for races."""
    if memory is not machine.local and lanes.size:
        watch = machine.watch_shared if memory is machine.shared else machine.watch_global
        words, threads = start, machine.number[lanes]
        if size > 4:
            words, threads = start[:, None] + np.arange(0, size, 4), threads[:, None]
        watch.note(words, threads, event, machine.pc)


def _count(machine: Machine, memory: Memory, lanes: Ints, start: Ints, size: int) -> None:
    """Sectors of global memory that a warp moves, and rounds in which shared memory serves it."""
    launch, pc = machine.launch, machine.pc
    if launch is None or not lanes.size:
        return
    warp = machine.place[lanes] * 64 + machine.within[lanes] // 32
    if memory is machine.memory:
        launch.requested[pc] += size * lanes.size
        sectors = np.stack([warp, start // SECTOR])
        launch.sectors[pc] += np.unique(sectors, axis=1).shape[1] * 1
    elif memory is machine.shared:
        # 32 banks, each one word wide, serve a warp at once; 8 or 16 bytes per thread are served to half or a quarter of it.
        groups = warp * 4 + machine.lane[lanes] // (32 * 4 // max(size, 4)) if size > 4 else warp * 4
        limit = machine.program.sizes["shared"]
        words = (start - machine.place[lanes] * limit) // 4
        if size > 4:
            words, groups = (words[:, None] + np.arange(size // 4)).reshape(-1), np.repeat(groups, size // 4)
        distinct = np.unique(np.stack([groups, words]), axis=1)
        group, bank = distinct[0], distinct[1] % 32
        pairs, per_bank = np.unique(group * 32 + bank, return_counts=True)
        order, begins = np.unique(pairs // 32, return_index=True)
        launch.requests[pc] += order.size
        launch.wavefronts[pc] += int(np.maximum.reduceat(per_bank, begins).sum())


# --- atomics


_UPDATES: dict[str, Callable[[Any, Any, Any], Any]] = {
    "add": lambda old, value, _: old + value,
    "min": lambda old, value, _: min(old, value),
    "max": lambda old, value, _: max(old, value),
    "exch": lambda old, value, _: value,
    "and": lambda old, value, _: old & value,
    "or": lambda old, value, _: old | value,
    "xor": lambda old, value, _: old ^ value,
    "cas": lambda old, wanted, value: value if old == wanted else old,
}
_AT_ONCE: dict[str, Any] = {"add": np.add, "min": np.minimum, "max": np.maximum}


def _atomic(decoded: Decoded, instruction: Instruction) -> Run | None:
    """atom and red: read, change and write back without anybody in between. Lanes take turns in the order of their numbers."""
    *modifiers, kind = instruction.op[1:]
    operation = next((modifier for modifier in modifiers if modifier in _UPDATES), None)
    space = next((modifier for modifier in modifiers if modifier in ("global", "shared")), "generic")
    rest = set(modifiers) - {operation, space, "acq_rel", "noftz"} - _HINTS
    if operation is None or kind not in TYPES or rest:
        return None
    operands = instruction.operands if instruction.op[0] == "atom" else ("_", *instruction.operands)
    out = decoded.output(operands[0], kind)
    wanted = operands[0] in decoded.read
    base, offset = _reference(decoded, operands[1])
    sources = [decoded.operand(text, kind) for text in operands[2:]]
    dtype = TYPES[kind]
    update = _UPDATES[operation]

    def run(machine: Machine, where: Mask) -> None:
        lanes, memory, start = _locate(machine, where, space, base, offset, dtype.itemsize)
        index = _elements(start, dtype, 1)
        unwritten = _states(memory, index, dtype) != _full(dtype)
        if unwritten.any():
            machine.fault(
                "uninitialised", f"changes {memory.name} memory that nothing was written into", lanes[unwritten]
            )
        _watch(machine, memory, lanes, start, dtype.itemsize, ATOMIC)
        _count(machine, memory, lanes, start, dtype.itemsize)
        data = memory.bytes.view(dtype)
        values = [np.broadcast_to(machine.values[source], machine.lanes)[lanes] for source in sources]
        if operation in _AT_ONCE and not wanted:
            _AT_ONCE[operation].at(data, index, values[0])
        else:
            second = values[-1]
            old = np.empty(len(lanes), dtype)
            for turn, element in enumerate(index):
                old[turn] = data[element]
                data[element] = update(old[turn], values[0][turn], second[turn])
            machine.values[out][lanes] = old
        memory.state.view(f"u{dtype.itemsize}")[index] = _full(dtype)

    return run


# --- between the lanes of a warp


def _shuffle(decoded: Decoded, instruction: Instruction) -> Run | None:
    """shfl.sync: every lane gets the value that another lane of its warp holds."""
    if len(instruction.op) != 4 or instruction.op[1] != "sync" or instruction.op[3] != "b32":
        return None
    mode = instruction.op[2]
    if mode not in ("up", "down", "bfly", "idx"):
        return None
    target, *rest = instruction.operands
    name, _, flag = target.partition("|")
    out, value = decoded.output(name, "b32"), decoded.operand(rest[0], "b32")
    exists = decoded.output(flag, "pred") if flag else None
    delta, clamp, members = (decoded.operand(text, "u32") for text in rest[1:])

    def run(machine: Machine, where: Mask) -> None:
        lanes = machine.taking_part(where)
        lane = machine.lane[lanes]
        by, limits = (_per_lane(machine, number, lanes) for number in (delta, clamp))
        by, segment, limit = by & 31, limits >> 8 & 31, limits & 31
        last, low = (lane & segment) | (limit & ~segment), lane & segment
        if mode == "up":
            source, inside = lane - by, lane - by >= last
        elif mode == "down":
            source, inside = lane + by, lane + by <= last
        elif mode == "bfly":
            source, inside = lane ^ by, (lane ^ by) <= last
        else:
            source = low | (by & ~segment)
            inside = source <= last
        source = np.where(inside, source, lane)
        _check_members(machine, lanes, members)
        start = lanes - lane
        from_lane = np.minimum(start + source, machine.lanes - 1)
        here = np.zeros(machine.lanes, np.bool_)
        here[lanes] = True
        absent = ~here[from_lane] | (machine.within[lanes] - lane + source >= machine.threads)
        if absent.any():
            machine.fault(
                "shuffle", f"the value is that of lane {int(source[absent][0])}, which takes no part", lanes[absent]
            )
        moved = np.broadcast_to(machine.values[value], machine.lanes)[from_lane].copy()
        machine.values[out][lanes] = moved
        if exists is not None:
            machine.values[exists][lanes] = inside

    return run


def _per_lane(machine: Machine, number: int, lanes: Ints) -> Ints:
    value = machine.values[number]
    return (value[lanes] if np.ndim(value) else np.full(len(lanes), value)).astype(np.int64)


def _check_members(machine: Machine, lanes: Ints, members: int) -> None:
    """Each lane that the mask names must be here, unless it does not exist, and each that is here must be named."""
    mask = _per_lane(machine, members, lanes)
    unnamed = (mask >> machine.lane[lanes] & 1) == 0
    if unnamed.any():
        machine.fault("shuffle", "these threads are not named in the mask of those that take part", lanes[unnamed])
    warps = machine.place[lanes] * 64 + machine.within[lanes] // 32
    present = np.zeros(machine.count * 64, np.int64)
    np.bitwise_or.at(present, warps, 1 << machine.lane[lanes])
    existing = machine.threads - machine.within[lanes] // 32 * 32
    possible = np.where(existing >= 32, 0xFFFFFFFF, (1 << np.minimum(existing, 32)) - 1)
    missing = (mask & possible & ~present[warps]) != 0
    if missing.any():
        machine.fault("shuffle", "other threads that the mask names are elsewhere, or have ended", lanes[missing])


def _vote(decoded: Decoded, instruction: Instruction) -> Run | None:
    """vote.sync: whether a predicate holds in all or any lanes of the warp, or (ballot) a bit for each in which it does."""
    if (
        len(instruction.op) != 4
        or instruction.op[1] != "sync"
        or (instruction.op[2], instruction.op[3])
        not in (
            ("all", "pred"),
            ("any", "pred"),
            ("uni", "pred"),
            ("ballot", "b32"),
        )
    ):
        return None
    mode = instruction.op[2]
    out = decoded.output(instruction.operands[0], instruction.op[3])
    negated = instruction.operands[1].startswith("!")
    predicate = decoded.operand(instruction.operands[1].lstrip("!"), "pred")
    members = decoded.operand(instruction.operands[2], "u32")

    def run(machine: Machine, where: Mask) -> None:
        lanes = machine.taking_part(where)
        _check_members(machine, lanes, members)
        holds = np.broadcast_to(machine.values[predicate], machine.lanes)[lanes] != negated
        ballot, present = _bits(machine, lanes[holds], lanes), _bits(machine, lanes, lanes)
        answers = {
            "all": ballot == present,
            "any": ballot != 0,
            "uni": (ballot == present) | (ballot == 0),
            "ballot": ballot,
        }
        machine.values[out][lanes] = answers[mode]

    return run


def _active_mask(decoded: Decoded, instruction: Instruction) -> Run | None:
    out = decoded.output(instruction.operands[0], "b32")

    def run(machine: Machine, where: Mask) -> None:
        lanes = machine.taking_part(where)
        machine.values[out][lanes] = _bits(machine, lanes, lanes)

    return run


def _bits(machine: Machine, chosen: Ints, lanes: Ints) -> Ints:
    """For each of `lanes`, a word with a bit for every chosen lane of its warp."""
    bits = np.zeros(machine.count * 64, np.int64)
    np.bitwise_or.at(bits, machine.place[chosen] * 64 + machine.within[chosen] // 32, 1 << machine.lane[chosen])
    found: Ints = bits[machine.place[lanes] * 64 + machine.within[lanes] // 32]
    return found


# --- the rest


def _pieces(decoded: Decoded, instruction: Instruction) -> Run | None:
    """mov between a wide register and {narrow, registers}: the same bits."""
    target, source = instruction.operands
    whole = TYPES.get(instruction.op[-1])
    if whole is None or not ("{" in target or "{" in source):
        return None
    names = [name.strip() for name in (target if "{" in target else source).strip("{}").split(",")]
    kind = f"b{8 * whole.itemsize // len(names)}"
    part, wide = TYPES[kind], f"b{8 * whole.itemsize}"
    if "{" in target:
        outs, held = [decoded.output(name, kind) for name in names], decoded.operand(source, wide)
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

    return computing(join, decoded.output(target, wide), [decoded.operand(name, kind) for name in names])


def _fence(decoded: Decoded, instruction: Instruction) -> Run | None:
    """Fences order the memory accesses of one thread, which are in order here anyway."""
    return lambda machine, where: None


def _trap(decoded: Decoded, instruction: Instruction) -> Run | None:
    return lambda machine, where: machine.fault("trap", "the kernel stopped itself", machine.taking_part(where))
