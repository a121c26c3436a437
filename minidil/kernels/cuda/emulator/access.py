"""Instructions that reach beyond their own lane: loads and stores, atomics, shuffles and votes.

Every access is checked: the address is a multiple of the size, the memory is allocated, what is read was written before, and
no other thread that nothing orders before or after touches it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from minidil.kernels.cuda.emulator.arithmetic import WINDOWS
from minidil.kernels.cuda.emulator.machine import Decoded, Machine, Mask, Run, computing
from minidil.kernels.cuda.emulator.memory import BASE, NOWHERE, UNWRITTEN, WRITTEN, Memory
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
    """The operand and the offset of [register+offset], [register], or [symbol]; shared addresses may be of 32 bits."""
    base, _, offset = text.strip("[] ").partition("+")
    narrow = decoded.program.registers.get(base.strip()) in ("b32", "u32", "s32")
    return decoded.operand(base.strip(), "u32" if narrow else "u64"), int(offset or 0)


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
        access = _locate(machine, where, space, base, offset, dtype, many, reading=True)
        if not only_read or machine.aliased:
            _watch(machine, access, event)
        _count(machine, access)
        found = access.memory.bytes.view(dtype)[access.elements]
        for number, out in enumerate(outs):
            values = found if many == 1 else found[:, number]
            if access.lanes is machine.every:
                machine.values[out][...] = values
            else:
                machine.values[out][access.lanes] = values

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
        access = _locate(machine, where, space, base, offset, dtype, many, reading=False)
        _watch(machine, access, event)
        _count(machine, access)
        data = access.memory.bytes.view(dtype)
        for number, value in enumerate(values):
            data[access.elements if many == 1 else access.elements[:, number]] = _of_lanes(machine, value, access.lanes)
        access.memory.state.view(f"u{dtype.itemsize}")[access.elements] = _full(dtype)

    return run


class _Access(NamedTuple):
    """What some lanes access: each `size` bytes of a memory from byte `start` on, which are these `elements` of it."""

    lanes: Ints
    memory: Memory
    start: Ints
    elements: Ints  # one per lane, or a row of them
    size: int


def _full(dtype: np.dtype[Any], state: int = WRITTEN) -> int:
    """The state of an element all of whose bytes have this state."""
    return int.from_bytes(bytes([state]) * dtype.itemsize, "little")


def _of_lanes(machine: Machine, operand: int, lanes: Ints) -> Any:
    """The values that lanes hold in an operand."""
    held = machine.values[operand]
    return held if lanes is machine.every or not np.ndim(held) else held[lanes]


def _locate(
    machine: Machine, where: Mask, space: str, base: int, offset: int, dtype: np.dtype[Any], many: int, reading: bool
) -> _Access:
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
        start = address + limit * (owner if lanes is machine.every else owner[lanes])
    first = start >> (dtype.itemsize.bit_length() - 1)
    access = _Access(lanes, memory, start, first if many == 1 else first[:, None] + np.arange(many), size)
    return access if memory is machine.local else _known(machine, access, dtype, reading)


def _memory(machine: Machine, space: str) -> tuple[Memory, int, int]:
    """The memory of a space, how many bytes of it a thread sees, and the address of the first."""
    if space in ("global", "const"):
        return machine.memory, len(machine.memory.bytes), BASE
    return machine.shared if space == "shared" else machine.local, machine.program.sizes[space], 0


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


def _known(machine: Machine, access: _Access, dtype: np.dtype[Any], reading: bool) -> _Access:
    """The access without the lanes that reach what is not allocated, which are reported, as are reads of what nobody wrote."""
    memory, many = access.memory, access.size // dtype.itemsize
    states = memory.state.view(f"u{dtype.itemsize}")[access.elements]
    if (states == _full(dtype)).all() or (not reading and (states == _full(dtype, UNWRITTEN)).all()):
        return access
    by_byte = np.ascontiguousarray(states).view(np.uint8).reshape(len(access.lanes), access.size)
    nowhere = (by_byte == NOWHERE).any(axis=1)
    if nowhere.any():
        where = int(access.start[nowhere][0])
        machine.fault("out of bounds", _beyond(machine, memory, where, access.size), access.lanes[nowhere])
    unwritten = (by_byte == UNWRITTEN).any(axis=1) & ~nowhere
    if reading and unwritten.any():
        message = f"reads {memory.name} memory that nothing was written into"
        machine.fault("uninitialised", message, access.lanes[unwritten])
    if not nowhere.any():
        return access
    lanes, start, index = access.lanes[~nowhere], access.start[~nowhere], access.elements[~nowhere]
    return _Access(lanes, memory, start, index if many == 1 else index.reshape(-1, many), access.size)


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
    limit = machine.program.sizes[memory.name]
    return f"{memory.name} memory, {size} bytes at byte {start} of {limit}"


def _watch(machine: Machine, access: _Access, event: int) -> None:
    """Note an access for the search for races."""
    lanes, memory, start, _, size = access
    if memory is machine.local:
        return
    watch = machine.watch_shared if memory is machine.shared else machine.watch_global
    threads = machine.number if lanes is machine.every else machine.number[lanes]
    if size > 4:
        start, threads = start[:, None] + np.arange(0, size, 4), threads[:, None]
    watch.note(start, threads, event, machine.pc)


def _count(machine: Machine, access: _Access) -> None:
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
        words = start % max(machine.program.sizes["shared"], 1) // 4
        groups = warp * 4 + (machine.lane[lanes] * size // 128 if size > 4 else 0)
        if size > 4:
            words, groups = (words[:, None] + np.arange(size // 4)).reshape(-1), np.repeat(groups, size // 4)
        group, word = np.unique(np.stack([groups, words]), axis=1)
        pairs, per_bank = np.unique(group * 32 + word % 32, return_counts=True)
        _, begins = np.unique(pairs // 32, return_index=True)
        launch.requests[pc] += begins.size
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
        access = _locate(machine, where, space, base, offset, dtype, 1, reading=True)
        _watch(machine, access, ATOMIC)
        _count(machine, access)
        lanes, data, index = access.lanes, access.memory.bytes.view(dtype), access.elements
        values = [np.broadcast_to(machine.values[source], machine.lanes)[lanes] for source in sources]
        if operation in _AT_ONCE and not wanted:
            _AT_ONCE[operation].at(data, index, values[0])
            return
        old = np.empty(len(lanes), dtype)
        for turn, element in enumerate(index):
            old[turn] = data[element]
            data[element] = update(old[turn], values[0][turn], values[-1][turn])
        machine.values[out][lanes] = old

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
    warps = machine.warp[lanes]
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
    np.bitwise_or.at(bits, machine.warp[chosen], 1 << machine.lane[chosen])
    found: Ints = bits[machine.warp[lanes]]
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
