"""Exchange between the lanes of a warp: shuffles and votes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from minidil.emulator.machine import Machine, Mask
from minidil.emulator.operands import Operands
from minidil.emulator.ptx import Instruction
from minidil.emulator.steps import Run

Ints = NDArray[np.int64]


def shuffle(operands: Operands, instruction: Instruction) -> Run | None:
    """shfl.sync: every lane gets the value that another lane of its warp holds."""
    if len(instruction.op) != 4 or instruction.op[1] != "sync" or instruction.op[3] != "b32":
        return None
    mode = instruction.op[2]
    if mode not in ("up", "down", "bfly", "idx"):
        return None
    target, *rest = instruction.operands
    name, _, flag = target.partition("|")
    out, value = operands.output(name, "b32"), operands.operand(rest[0], "b32")
    exists = operands.output(flag, "pred") if flag else None
    delta, clamp, members = (operands.operand(text, "u32") for text in rest[1:])

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


def vote(operands: Operands, instruction: Instruction) -> Run | None:
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
    out = operands.output(instruction.operands[0], instruction.op[3])
    negated = instruction.operands[1].startswith("!")
    predicate = operands.operand(instruction.operands[1].lstrip("!"), "pred")
    members = operands.operand(instruction.operands[2], "u32")

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


def active_mask(operands: Operands, instruction: Instruction) -> Run | None:
    out = operands.output(instruction.operands[0], "b32")

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


def match(operands: Operands, instruction: Instruction) -> Run | None:
    """match.any.sync: a bit for each lane of the warp that holds the same value. match.all.sync: all of them if all hold it."""
    if len(instruction.op) != 4 or instruction.op[1] not in ("any", "all") or instruction.op[2] != "sync":
        return None
    every = instruction.op[1] == "all"
    target, flag = (*instruction.operands[0].split("|"), "")[:2]
    out, value = operands.output(target, "b32"), operands.operand(instruction.operands[1], instruction.op[3])
    same = operands.output(flag, "pred") if flag else None
    members = operands.operand(instruction.operands[2], "u32")

    def run(machine: Machine, where: Mask) -> None:
        lanes = machine.taking_part(where)
        _check_members(machine, lanes, members)
        held = np.broadcast_to(machine.values[value], machine.lanes)[lanes]
        warps = machine.warp[lanes]
        found = np.zeros(len(lanes), np.int64)
        for place, (warp, own) in enumerate(zip(warps, held, strict=True)):
            found[place] = np.bitwise_or.reduce(1 << machine.lane[lanes[(warps == warp) & (held == own)]])
        present = _bits(machine, lanes, lanes)
        if every:
            if same is not None:
                machine.values[same][lanes] = found == present
            found = np.where(found == present, present, 0)
        machine.values[out][lanes] = found

    return run


def over_block(operands: Operands, instruction: Instruction) -> Run | None:
    """bar.red: a barrier at which the block counts for how many of its threads a predicate holds, or whether for all or any."""
    mode, kind = instruction.op[2], instruction.op[-1]
    if mode not in ("popc", "and", "or") or kind not in ("u32", "pred"):
        return None
    out, text = operands.output(instruction.operands[0], kind), instruction.operands[-1]
    predicate, negated = operands.operand(text.lstrip("!"), "pred"), text.startswith("!")

    def run(machine: Machine, where: Mask) -> None:
        lanes = machine.taking_part(where)
        holds = np.broadcast_to(machine.values[predicate], machine.lanes)[lanes] != negated
        counts, present = (np.bincount(machine.place[one], minlength=machine.count) for one in (lanes[holds], lanes))
        answers = {"popc": counts, "and": counts == present, "or": counts > 0}
        machine.values[out][lanes] = answers[mode][machine.place[lanes]]

    return run
