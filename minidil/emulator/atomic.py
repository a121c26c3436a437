"""Atomic operations: memory is read, changed and written back without anybody in between."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from minidil.emulator.access import HINTS, count, locate, reference_of, watch
from minidil.emulator.machine import Machine, Mask
from minidil.emulator.operands import Operands
from minidil.emulator.ptx import TYPES, Instruction
from minidil.emulator.races import ATOMIC
from minidil.emulator.steps import Run

_UPDATES: dict[str, Callable[[Any, Any, Any], Any]] = {
    "add": lambda old, value, _: old + value,
    "min": lambda old, value, _: min(old, value),
    "max": lambda old, value, _: max(old, value),
    "exch": lambda old, value, _: value,
    "and": lambda old, value, _: old & value,
    "or": lambda old, value, _: old | value,
    "xor": lambda old, value, _: old ^ value,
    "inc": lambda old, value, _: old + 1 if old < value else 0,
    "dec": lambda old, value, _: old - 1 if 0 < old <= value else value,
    "cas": lambda old, wanted, value: value if old == wanted else old,
}
_AT_ONCE: dict[str, Any] = {"add": np.add, "min": np.minimum, "max": np.maximum}


def atomic(operands: Operands, instruction: Instruction) -> Run | None:
    """atom and red: read, change and write back without anybody in between. Lanes take turns in the order of their numbers."""
    *modifiers, kind = instruction.op[1:]
    operation = next((modifier for modifier in modifiers if modifier in _UPDATES), None)
    space = next((modifier for modifier in modifiers if modifier in ("global", "shared")), "generic")
    rest = set(modifiers) - {operation, space, "acq_rel", "noftz"} - HINTS
    if operation is None or kind not in TYPES or rest:
        return None
    target, reference, *values = instruction.operands if instruction.op[0] == "atom" else ("_", *instruction.operands)
    out = operands.output(target, kind)
    wanted = target in operands.read
    base, offset = reference_of(operands, reference)
    sources = [operands.operand(text, kind) for text in values]
    dtype = TYPES[kind]
    update = _UPDATES[operation]

    def run(machine: Machine, where: Mask) -> None:
        access = locate(machine, where, space, base, offset, dtype, 1, reading=True)
        watch(machine, access, ATOMIC)
        count(machine, access)
        lanes, data, index = access.lanes, access.memory.bytes.view(dtype), access.elements
        given = [np.broadcast_to(machine.values[source], machine.lanes)[lanes] for source in sources]
        if operation in _AT_ONCE and not wanted:
            _AT_ONCE[operation].at(data, index, given[0])
            return
        old = np.empty(len(lanes), dtype)
        for turn, element in enumerate(index):
            old[turn] = data[element]
            data[element] = update(old[turn], given[0][turn], given[-1][turn])
        machine.values[out][lanes] = old

    return run
