"""Every CUDA kernel compiled for every architecture, and what can be said about its speed without running it.

The limits are those beyond which a kernel crawls on a real GPU although the emulator finds nothing wrong with it; see `broken`.
None of it is a speed: no GPU takes part.
"""

from __future__ import annotations

import json
import os
import re
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, fields
from importlib.metadata import version
from multiprocessing import get_context
from pathlib import Path

from minidil.doctor.launches import Launch, every_launch
from minidil.emulator import sass
from minidil.emulator.compiler import ptx_for_all
from minidil.emulator.sass import ARCHITECTURES, Binary, Capability

MOST_REGISTERS, MOST_SHARED, LEAST_SHARE = 128, 48 << 10, 0.75


@dataclass(frozen=True)
class Row:
    """One kernel on one architecture. registers: of a thread; stack, spills and shared memory in bytes; occupancy in 0..1.

    loop: instructions of the innermost loop with the most multiply-adds; share: how many of them are multiply-adds, from which
    `sass.issue_ceiling` tells how much of the peak they can reach; shared_loads: its loads from shared memory by their width in
    bits.
    fast: built for speed, so that this loop has limits of its own.
    """

    kernel: str
    file: str
    signature: str
    architecture: str
    threads: int
    registers: int
    stack: int
    spills: int
    shared: int
    occupancy: float
    instructions: int
    float64: int
    loop: int
    share: float
    shared_loads: dict[str, int]
    fast: bool


def measure(launches: Sequence[Launch], capabilities: Sequence[Capability] = tuple(ARCHITECTURES)) -> list[Row]:
    """The rows of some kernels, those of a kernel next to each other."""
    compiled = [ptx_for_all(one.kernel.function, one.signature, capabilities) for one in launches]
    binaries = {
        capability: sass.assemble([modules[capability] for modules in compiled], capability)
        for capability in capabilities
    }
    return [
        _row(launch, capability, binaries[capability][number])
        for number, launch in enumerate(launches)
        for capability in capabilities
    ]


def _row(launch: Launch, capability: Capability, binary: Binary) -> Row:
    loop = binary.hot_loop()
    adds = sass.multiply_adds(loop)
    loads = sass.widths(loop, "LDS") if adds else {}
    return Row(
        kernel=launch.kernel.name,
        file=launch.file,
        signature=launch.signature,
        architecture=f"sm_{capability[0]}{capability[1]}",
        threads=launch.threads,
        registers=binary.registers,
        stack=binary.stack,
        spills=binary.spills,
        shared=binary.shared,
        occupancy=round(sass.occupancy(binary, launch.threads, capability), 3),
        instructions=len(binary.instructions),
        float64=len(sass.float64(binary.instructions)),
        loop=len(loop) if adds else 0,
        share=round(adds / len(loop), 3) if adds else 0.0,
        shared_loads={str(bits): count for bits, count in sorted(loads.items())},
        fast=launch.kernel.name.endswith("_fast"),
    )


def measure_all() -> list[Row]:
    """The rows of every kernel; one process for each processor. Takes a few minutes."""
    # Started afresh, not forked: a fork would copy the locks of a compiler that is already running.
    with ProcessPoolExecutor(os.cpu_count(), get_context("spawn"), _find_launches) as pool:
        rows = [row for rows in pool.map(_measure_piece, range(PIECES)) for row in rows]
    return sorted(rows, key=lambda row: (row.file, row.kernel, row.signature))


PIECES = 12
_launches: list[Launch] = []


def _find_launches() -> None:
    """In a worker: kernels cannot be sent to another process, but they are found in the same order there."""
    _launches[:] = every_launch()


def _measure_piece(piece: int) -> list[Row]:
    """Every PIECES-th kernel, so that no process is left with all that takes long: the versions of one stand together."""
    return measure(_launches[piece::PIECES])


def broken(row: Row) -> list[str]:
    """The limits that a row breaks, each as a sentence."""
    where = f"{row.kernel} on {row.architecture}"
    found = []
    if row.float64:
        found.append(f"{where}: {row.float64} float64 instructions; a Python number was not wrapped in float32()")
    if row.stack or row.spills:
        found.append(f"{where}: {row.stack} bytes of stack and {row.spills} of spills; an array left the registers")
    if row.registers > MOST_REGISTERS:
        found.append(f"{where}: {row.registers} registers, more than {MOST_REGISTERS}")
    if row.shared > MOST_SHARED:
        found.append(f"{where}: {row.shared} bytes of shared memory, more than {MOST_SHARED}")
    if row.fast and row.share < LEAST_SHARE:
        found.append(f"{where}: only {row.share:.0%} of the hot loop are multiply-adds, less than {LEAST_SHARE:.0%}")
    if row.fast and set(row.shared_loads) != {"128"}:
        found.append(
            f"{where}: loads from shared memory of {row.shared_loads} bits in the hot loop; all should be of 128"
        )
    return found


# --- the table


def write(folder: Path, rows: Sequence[Row]) -> None:
    """Store static.md, to read, and static.json, to compare."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "static.md").write_text(markdown(rows), encoding="utf-8")
    names = [field.name for field in fields(Row)]
    lines = ",\n".join(json.dumps([getattr(row, name) for name in names], separators=(",", ":")) for row in rows)
    text = f'{{"tools": {json.dumps(tools())},\n"columns": {json.dumps(names)},\n"rows": [\n{lines}\n]}}\n'
    (folder / "static.json").write_text(text, encoding="utf-8")


def read(folder: Path) -> tuple[dict[str, str], list[Row]]:
    """The tools and the rows that `write` stored."""
    content = json.loads((folder / "static.json").read_text(encoding="utf-8"))
    return content["tools"], [Row(**dict(zip(content["columns"], row, strict=True))) for row in content["rows"]]


def tools() -> dict[str, str]:
    """The versions of what turns a kernel into machine code: with others the numbers may differ."""
    return {"numba-cuda": version("numba-cuda"), "ptxas": sass.tool_version("ptxas")}


def markdown(rows: Sequence[Row]) -> str:
    """The rows as a page: registers and occupancy of every kernel on every architecture, and the hot loops of the fast ones."""
    loops = [row for row in rows if row.loop]
    return _PAGE.format(
        tools=", ".join(f"{name} {number}" for name, number in tools().items()),
        kernels=len({(row.kernel, row.signature) for row in rows}),
        fast=", ".join(f"`{name}`" for name in sorted({row.kernel for row in rows if row.fast})),
        least=f"{LEAST_SHARE:.0%}",
        most_registers=MOST_REGISTERS,
        most_shared=MOST_SHARED >> 10,
        registers=_table(rows, ("threads", "shared"), lambda row: f"{row.registers}, {row.occupancy:.0%}"),
        loops=_table(loops, (), _loop),
        registers_most=max(row.registers for row in rows),
        shared_most=max(row.shared for row in rows),
        spills=sum(row.spills + row.stack for row in rows),
        float64=sum(row.float64 for row in rows),
    )


def _loop(row: Row) -> str:
    loads = " + ".join(f"{count}x{bits}" for bits, count in row.shared_loads.items()) or "none"
    return f"{row.share:.0%} of {row.loop}, {loads}"


def _table(rows: Sequence[Row], of_kernel: Sequence[str], cell: Callable[[Row], str]) -> str:
    architectures = list(dict.fromkeys(row.architecture for row in rows))
    lines = [
        "| " + " | ".join(("kernel", *of_kernel, *architectures)) + " |",
        "| --- |" + " ---: |" * (len(of_kernel) + len(architectures)),
    ]
    variants = Counter(row.kernel for row in rows)
    groups: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        groups.setdefault((row.kernel, row.signature), []).append(row)
    for (kernel, signature), group in groups.items():
        name = f"{kernel}({_letters(signature)})" if variants[kernel] > len(architectures) else kernel
        shown = [str(getattr(group[0], column)) for column in of_kernel]
        lines.append("| " + " | ".join((f"`{name}`", *shown, *map(cell, group))) + " |")
    return "\n".join(lines)


def _letters(signature: str) -> str:
    """A signature as `grid.types` takes it: a letter for each argument."""
    letters = {"float32[::1]": "f", "int32[::1]": "i", "boolean[::1]": "b", "uint32": "u", "int32": "n", "float32": "r"}
    arguments = re.findall(r"UniTuple\(int32,\d+\)|[^,]+", signature)
    return "".join(letters.get(argument, argument[len("UniTuple(int32,") : -1]) for argument in arguments)


_PAGE = """# The CUDA kernels as machine code

Written by `minidil doctor --static docs/cuda` from what NVIDIA's assembler and disassembler say ({tools}).
No GPU took part: these are properties of the code, and none of them is a speed. [static.json](static.json) has all of it.

The {kernels} kernels, each with the types of arguments that the library launches it with, need at most {registers_most} registers
and {shared_most} bytes of shared memory. Bytes of spills and stack frames in all of them together: {spills}; float64
instructions: {float64}. A test holds the limits: {most_registers} registers, {most_shared} KB, 0, 0, and in the hot loop of the
fast kernels ({fast}) at least {least} multiply-adds, with loads from shared memory of 128 bits only.

## Registers and occupancy

For every architecture: registers a thread, and the share of a multiprocessor's warps that can be resident at once. The
column `shared` gives bytes a block. Letters tell the variants of a kernel apart by their arguments: f, i and b are arrays of
float32, int32 and bool; u, n and r the numbers uint32, int32 and float32; a digit is a tuple of so many int32.

{registers}

## Hot loops

The innermost loop with the most multiply-adds: their share of its instructions, and its loads from shared memory by their
width in bits. A share s is a ceiling on the arithmetic: s of the peak where a multiprocessor has 128 float32 units, but 2 s,
at most all of it, where it has 64 (sm_75 and sm_80), since there a multiply-add takes its units two cycles and every second
instruction may be another one. From sm_100 on an instruction may do two multiply-adds, and s is no ceiling.

{loops}
"""
