"""What the emulator reports: faults of a kernel, each with its source line, block and thread, and counts of what was run."""

from __future__ import annotations

import linecache
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from minidil.emulator.ptx import Program
from minidil.errors import BackendError

Three = tuple[int, int, int]
SECTOR = 32  # bytes: the unit in which global memory is moved


class KernelError(BackendError):
    """A kernel did what a GPU would let pass, or crash on; `finding` says what and where."""

    def __init__(self, finding: Finding) -> None:
        super().__init__(str(finding))
        self.finding = finding


class KernelWarning(UserWarning):
    """A kernel did what is allowed and seldom meant; see `Finding`."""


@dataclass(frozen=True)
class Finding:
    """One fault: the first thread that it was seen in, and how many threads (for a race: words of memory) it concerns.

    kind: of errors "out of bounds", "misaligned", "uninitialised", "race", "divergent barrier", "shuffle", "division by zero",
        "exception", "endless loop" or "trap"; of warnings "negative index", "row overrun", "never written", "exited threads" or
        "benign race".
    severity: "error", which a GPU crashes on or lets pass with a wrong result, or "warning", which is seldom meant.
    """

    kind: str
    message: str
    kernel: str
    file: str
    line: int
    source: str
    instruction: str
    block: Three
    thread: Three
    count: int
    severity: str = "error"

    def __str__(self) -> str:
        compiled = self.instruction and not self.instruction.startswith("minidil.")
        return f"{self.in_python()}; in PTX: {self.instruction}" if compiled else self.in_python()

    def in_python(self) -> str:
        """The finding without the instruction that the line was compiled to."""
        head = "warning: " if self.severity == "warning" else ""
        units = {"race": "words", "benign race": "words", "never written": "elements"}.get(self.kind, "threads")
        return (
            f"{head}{self.kind} in kernel {self.kernel}, block {self.block}, thread {self.thread}: {self.message}\n"
            f"  {Path(self.file).name}:{self.line}: {self.source}\n"
            f"  the first of {self.count:,} {units}"
        )


@dataclass
class Launch:
    """What one launch executed. The arrays hold one number per instruction of the kernel's PTX."""

    kernel: str
    grid: Three
    block: Three
    program: Program = field(repr=False)

    def __post_init__(self) -> None:
        size = len(self.program.instructions)
        self.executed = np.zeros(size, np.int64)  # by threads
        self.issued = np.zeros(size, np.int64)  # by warps of 32 threads, for which an instruction costs the same
        self.requested = np.zeros(size, np.int64)  # different bytes of global memory that warps asked for
        self.sectors = np.zeros(size, np.int64)  # of 32 bytes that were moved for them
        self.requests = np.zeros(size, np.int64)  # of warps to shared memory
        self.wavefronts = np.zeros(size, np.int64)  # in which they were served: one each without bank conflicts

    def instructions(self) -> Counter[str]:
        """How often each operation was executed, counted in threads, such as {"fma.rn.f32": 4096}."""
        counts: Counter[str] = Counter()
        for instruction, count in zip(self.program.instructions, self.executed.tolist(), strict=True):
            if instruction.op[0] != "minidil":  # a check of the emulator, which a GPU does not execute
                counts[".".join(instruction.op)] += count
        return +counts

    @property
    def flops(self) -> int:
        """Floating-point operations of all threads; a fused multiply-add counts two."""
        weights = {"fma": 2, "mad": 2, "add": 1, "sub": 1, "mul": 1, "div": 1, "min": 1, "max": 1, "sqrt": 1}
        return sum(
            weights.get(name.split(".")[0], 0) * count for name, count in self.instructions().items() if ".f32" in name
        )

    @property
    def bytes_moved(self) -> int:
        """Bytes moved between the threads and global memory, if no cache served anything."""
        return SECTOR * int(self.sectors.sum())

    @property
    def coalescing(self) -> float:
        """The share of the moved bytes that threads asked for: 1 when neighbours read neighbours."""
        return float(self.requested.sum()) / max(self.bytes_moved, 1)

    @property
    def bank_conflicts(self) -> int:
        """Extra rounds in which shared memory was read or written, since several threads needed one bank."""
        return int(self.wavefronts.sum() - self.requests.sum())

    @property
    def lane_use(self) -> float:
        """The share of a warp's 32 lanes that did something, on average: less than 1 where branches diverge."""
        return float(self.executed.sum()) / max(32 * int(self.issued.sum()), 1)

    def lines(self) -> dict[int, dict[str, int]]:
        """By line of the kernel's file: warp instructions, sectors, bytes requested and bank conflicts.

        What it calls in other files, such as Numba's own, stands under -1.
        """
        found: dict[int, dict[str, int]] = {}
        own = next(iter(self.program.files), 0)
        for number, instruction in enumerate(self.program.instructions):
            line = instruction.line if instruction.file in (0, own) else -1
            row = found.setdefault(line, dict.fromkeys(("issued", "sectors", "requested", "conflicts"), 0))
            row["issued"] += int(self.issued[number])
            row["sectors"] += int(self.sectors[number])
            row["requested"] += int(self.requested[number])
            row["conflicts"] += int(self.wavefronts[number] - self.requests[number])
        return dict(sorted(found.items()))

    def __str__(self) -> str:
        rows = [
            f"{self.kernel}[{self.grid}, {self.block}]: {int(self.executed.sum()):,} instructions of threads in "
            f"{int(self.issued.sum()):,} of warps ({self.lane_use:.0%} of lanes used), {self.flops:,} flops",
            f"  global memory: {int(self.requested.sum()):,} bytes asked for, {self.bytes_moved:,} moved ({self.coalescing:.0%})",
            f"  shared memory: {int(self.requests.sum()):,} requests, {self.bank_conflicts:,} bank conflicts",
        ]
        file = next(iter(self.program.files.values()), "")
        for line, row in self.lines().items():
            if row["issued"]:
                place = "in other files" if line < 0 else f"{line:5}"
                rows.append(
                    f"  {place}  {row['issued']:10,} warp instr. {row['sectors']:9,} sectors {row['conflicts']:7,} conflicts   "
                    f"{linecache.getline(file, line).rstrip()}"
                )
        return "\n".join(rows)


@dataclass
class Report:
    """All launches inside `with emulate() as report:`, and the faults that were found."""

    launches: list[Launch] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)

    def __str__(self) -> str:
        faults = [str(finding) for finding in self.findings] or ["no faults found"]
        return "\n".join([*map(str, self.launches), *faults])

    @property
    def errors(self) -> list[Finding]:
        """The findings that are no mere warnings."""
        return [finding for finding in self.findings if finding.severity == "error"]
