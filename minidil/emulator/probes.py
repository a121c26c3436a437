"""The instructions that `checked` leaves in a kernel, and print: what a GPU does not look at, or says only later."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
from numpy.typing import NDArray

from minidil.emulator.convert import WINDOWS
from minidil.emulator.machine import Machine, Mask
from minidil.emulator.memory import BASE, UNWRITTEN
from minidil.emulator.operands import Operands
from minidil.emulator.ptx import Instruction
from minidil.emulator.steps import Run

Ints = NDArray[np.int64]


def probe(operands: Operands, instruction: Instruction) -> Run | None:
    """A step that looks at something, and changes nothing that the kernel computes."""
    makers = {"index": _index, "local": _local, "zero": _zero, "raise": _raise, "print": _print}
    return makers[instruction.op[1]](operands, instruction)


def _held(machine: Machine, number: int, lanes: Ints) -> Ints:
    value = machine.values[number]
    found: Ints = np.broadcast_to(value, machine.lanes)[lanes]
    return found


def _index(operands: Operands, instruction: Instruction) -> Run:
    """An index lies in its axis; if it does not, the address may still be that of another element."""
    axis, axes = int(instruction.operands[0]), int(instruction.operands[1])
    index, size = (operands.operand(text, "s64") for text in instruction.operands[2:])
    signed = instruction.op[2] == "s64"

    def run(machine: Machine, where: Mask) -> None:
        values = machine.values
        given, limit = values[index], values[size]
        # Seen as unsigned, what is negative is beyond every size.
        outside = np.asarray(given).view(np.uint64) >= np.asarray(limit).view(np.uint64)
        if not outside.any():
            return
        lanes = np.flatnonzero(np.broadcast_to(outside, machine.lanes) & (True if where is None else where))
        if not lanes.size:
            return
        found, sizes = _held(machine, index, lanes), _held(machine, size, lanes)
        behind = (found < 0) & (found >= -sizes) & signed
        row = ~behind & (axis > 0)
        name, end = (f"axis {axis}, which has", ",") if axes > 1 else ("an array of", "")
        if behind.any():
            one, length = int(found[behind][0]), int(sizes[behind][0])
            machine.warn(
                "negative index",
                f"the index {one} on {name} {length:,} elements{end} counts from the end, as in Python: "
                f"it is element {one + length}",
                lanes[behind],
            )
        if row.any():
            one, length = int(found[row][0]), int(sizes[row][0])
            machine.warn(
                "row overrun",
                f"the index {one} is outside of axis {axis}, which has {length:,} elements: in memory this is in another row",
                lanes[row],
            )
        beyond = ~behind & ~row
        if beyond.any():
            one, length = int(found[beyond][0]), int(sizes[beyond][0])
            message = f"the index {one} on {name} {length:,} elements"
            if not length and machine.program.dynamic is not None and not machine.dynamic:
                message += "; dynamic shared memory gets its size at the launch, kernel[grid, block, stream, BYTES]"
            machine.fault("out of bounds", message, lanes[beyond])

    return run


def _local(operands: Operands, instruction: Instruction) -> Run:
    """A local array begins to exist: it holds nothing yet."""
    size, place = int(instruction.operands[0]), operands.operand(instruction.operands[1], "u64")

    def run(machine: Machine, where: Mask) -> None:
        lanes = machine.taking_part(where)
        start = _held(machine, place, lanes).astype(np.int64) - WINDOWS["local"] + lanes * machine.stride["local"]
        machine.local.state[start[:, None] + np.arange(size)] = UNWRITTEN

    return run


def _zero(operands: Operands, instruction: Instruction) -> Run:
    def run(machine: Machine, where: Mask) -> None:
        message = "an integer is divided by zero; a GPU goes on with 0 as the result, without a word"
        machine.fault("division by zero", message, machine.taking_part(where))

    return run


def _raise(operands: Operands, instruction: Instruction) -> Run:
    said = bytes.fromhex(instruction.operands[0]).decode()

    def run(machine: Machine, where: Mask) -> None:
        message = (
            f"{said}; on a GPU the thread ends here without a word, unless it is compiled with debug=True, opt=False"
        )
        machine.fault("exception", message, machine.taking_part(where))

    return run


_FORMAT = re.compile(r"%[-+ #0]*\d*(?:\.\d+)?(?:ll|l|h)?([diuxXfFeEgGcsp%])")


def _print(operands: Operands, instruction: Instruction) -> Run:
    """vprintf: a format in constant memory, and its values behind each other in the thread's own memory."""
    text, values = (
        operands.operand(str(operands.program.symbols[one.strip("[] ")][1]), "u64") for one in instruction.operands
    )

    def run(machine: Machine, where: Mask) -> None:
        for lane in machine.taking_part(where).tolist():
            print(_formatted(machine, lane, *(int(_own(machine, lane, place)) for place in (text, values))), end="")

    def _own(machine: Machine, lane: int, place: int) -> Any:
        start = int(np.broadcast_to(machine.values[place], machine.lanes)[lane]) + lane * machine.stride["local"]
        return machine.local.bytes[start : start + 8].view(np.uint64)[0]

    return run


def _formatted(machine: Machine, lane: int, text: int, values: int) -> str:
    place = values - WINDOWS["local"] + lane * machine.stride["local"]

    def shown(match: re.Match[str]) -> str:
        nonlocal place
        kind = match[1]
        if kind == "%":
            return "%"
        wide = "ll" in match[0] or kind in "fFeEgGsp"
        place = -(-place // (8 if wide else 4)) * (8 if wide else 4)
        raw = machine.local.bytes[place : place + (8 if wide else 4)]
        place += raw.size
        if kind in "fFeEgG":
            return match[0] % float(raw.view(np.float64)[0])
        number = int(raw.view(f"{'u' if kind in 'uxXsp' else 'i'}{raw.size}")[0])
        if kind == "s":
            return match[0] % _string(machine, number)
        return f"{number:#x}" if kind == "p" else re.sub("ll|[lh]", "", match[0]).replace("u", "d") % number

    return _FORMAT.sub(shown, _string(machine, text))


def _string(machine: Machine, address: int) -> str:
    """The text at an address in constant memory, up to its zero."""
    held = machine.memory.bytes[address - BASE :][:4096].tobytes()
    return held.partition(b"\0")[0].decode("utf-8", "replace")
