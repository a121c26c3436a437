"""What a kernel becomes on a given GPU: PTX assembled to machine code (SASS), and read. Needs no GPU, only NVIDIA's tools.

The emulator executes PTX, which still has any number of registers. Whether a kernel is fit for a GPU is decided one step later,
when ptxas hands out the real ones: a loop that it does not unroll leaves an array of accumulators in memory (a stack frame),
and a kernel that needs more registers than there are spills them. Both run, correctly, at a fraction of the speed.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from minidil.errors import BackendError

Capability = tuple[int, int]


@dataclass(frozen=True)
class Multiprocessor:
    """What one multiprocessor of an architecture holds; reserved: bytes of shared memory that every block gives to the system.

    units: float32 multiply-adds of threads that it can do in a cycle.
    Source: CUDA C++ Programming Guide, "Technical Specifications per Compute Capability" and "Arithmetic Instructions".
    """

    shared: int
    warps: int
    blocks: int
    units: int = 128
    reserved: int = 1024

    registers = 65_536
    """32-bit registers: the same on all of them."""


ARCHITECTURES: dict[Capability, Multiprocessor] = {
    (7, 5): Multiprocessor(shared=64 << 10, warps=32, blocks=16, units=64, reserved=0),
    (8, 0): Multiprocessor(shared=164 << 10, warps=64, blocks=32, units=64),
    (8, 6): Multiprocessor(shared=100 << 10, warps=48, blocks=16),
    (8, 9): Multiprocessor(shared=100 << 10, warps=48, blocks=24),
    (9, 0): Multiprocessor(shared=228 << 10, warps=64, blocks=32),
    (10, 0): Multiprocessor(shared=228 << 10, warps=64, blocks=32),
    (12, 0): Multiprocessor(shared=100 << 10, warps=48, blocks=24),
}


@dataclass(frozen=True)
class Binary:
    """A kernel as machine code. Bytes for stack, spills (stores plus loads) and shared memory; registers per thread."""

    registers: int
    shared: int
    stack: int
    spills: int
    instructions: tuple[str, ...]
    loops: tuple[tuple[int, int], ...]

    def hot_loop(self) -> Sequence[str]:
        """The innermost loop with the most multiply-adds, where a matrix product spends its time; empty if there is no loop."""
        inner = [loop for loop in self.loops if not any(_inside(other, loop) for other in self.loops)]
        bodies = [self.instructions[first : last + 1] for first, last in inner]
        return max(bodies, key=multiply_adds, default=())


def _inside(inner: tuple[int, int], outer: tuple[int, int]) -> bool:
    return inner != outer and outer[0] <= inner[0] and inner[1] <= outer[1]


def assemble(modules: Sequence[str], capability: Capability) -> list[Binary]:
    """The machine code of PTX modules with one kernel each, that were compiled in one process: a name they share is one thing.

    Raises: BackendError if a tool is missing or refuses the PTX.
    """
    with tempfile.TemporaryDirectory() as folder:
        source, cubin = Path(folder, "kernels.ptx"), Path(folder, "kernels.cubin")
        source.write_text(_joined(modules), encoding="ascii")
        arch = f"-arch=sm_{capability[0]}{capability[1]}"
        report = _run(tool("ptxas"), arch, "-v", str(source), "-o", str(cubin))[1]
        listing = _run(tool("nvdisasm"), "-c", str(cubin))[0]
    found = []
    for module in modules:
        name = _ENTRY.findall(module)[0]
        said = report.partition(f"Compiling entry function '{name}'")[2].partition("Compiling entry")[0]
        code = listing.partition(f".section\t.text.{name},")[2].partition(".section\t.text.")[0]
        spills = _number(r"(\d+) bytes spill stores", said) + _number(r"(\d+) bytes spill loads", said)
        found.append(
            Binary(
                _number(r"Used (\d+) registers", said),
                _number(r"(\d+) bytes smem", said),
                _number(r"(\d+) bytes stack frame", said),
                spills,
                *parse(code),
            )
        )
    return found


def _joined(modules: Sequence[str]) -> str:
    """Modules of one compiler and architecture as one: the tools take longer to start than to work.

    A variable of a device function that several kernels call is declared in each of their modules, and once is enough.
    """
    heads, bodies = zip(*(re.split(r"(?<=\.address_size 64)", module, maxsplit=1) for module in modules), strict=True)
    lines, declared = [heads[0]], set[str]()
    for line in "\n".join(bodies).splitlines():
        if not _VARIABLE.match(line) or line not in declared:
            lines.append(line)
        declared.add(line)
    return "\n".join(lines)


_VARIABLE = re.compile(r"(\.common\s+)?\.(global|const)\b.*;$")
_ENTRY = re.compile(r"\.entry\s+([\w$]+)")
_INSTRUCTION = re.compile(r"/\*[0-9a-f]{4,}\*/\s+(?:@!?U?P\w+\s+)?([A-Z][\w.]*)\s*(.*?);")
_LABEL = re.compile(r"(\.L_[\w$.]+):")
_TARGET = re.compile(r"\.L_[\w$.]+")


def parse(listing: str) -> tuple[tuple[str, ...], tuple[tuple[int, int], ...]]:
    """What nvdisasm lists for one kernel: the instructions, as "LDS.128", and the loops, as (first, last) of a backward branch.

    A branch to itself is no loop: every kernel ends in one, which is never reached.
    """
    instructions: list[tuple[str, str]] = []
    labels: dict[str, int] = {}
    for line in listing.splitlines():
        if label := _LABEL.match(line.strip()):
            labels[label[1]] = len(instructions)
        elif found := _INSTRUCTION.search(line):
            instructions.append((found[1], found[2]))
    loops = []
    for position, (name, operands) in enumerate(instructions):
        target = _TARGET.search(operands) if name.split(".")[0] == "BRA" else None
        if target and labels.get(target[0], position) < position:
            loops.append((labels[target[0]], position))
    return tuple(name for name, _ in instructions), tuple(loops)


def multiply_adds(instructions: Sequence[str]) -> int:
    """How many are float32 multiply-adds; from sm_100 on one instruction, FFMA2, may do two of them."""
    return sum(name.split(".")[0] in ("FFMA", "FFMA2") for name in instructions)


def issue_ceiling(share: float, capability: Capability) -> float:
    """The share of the peak that arithmetic can reach if so much of what is issued are multiply-adds, each an instruction.

    Four schedulers issue an instruction for a warp each, 128 threads in a cycle. Where there are 64 units, a multiply-add keeps
    those of its scheduler busy for two cycles, so that half of the issues suffice for the peak.
    """
    return min(1.0, share * 128 / ARCHITECTURES[capability].units)


def float64(instructions: Sequence[str]) -> list[str]:
    """Those that compute in float64, or convert to or from it."""
    wide = {"DADD", "DMUL", "DFMA", "DSETP", "DMNMX", "DMMA"}
    return [name for name in instructions if name.split(".")[0] in wide or ".F64" in name]


def widths(instructions: Sequence[str], name: str) -> Counter[int]:
    """How many accesses of a kind (LDS: loads from shared memory) there are of each width in bits."""
    kinds = [one.split(".") for one in instructions]
    return Counter(next((b for b in (128, 64) if str(b) in kind), 32) for kind in kinds if kind[0] == name)


def occupancy(binary: Binary, threads: int, capability: Capability) -> float:
    """The share of the warps of a multiprocessor that blocks of so many threads can fill, as registers and shared memory allow.

    Registers are handed out in units of 256 a warp, to warps by fours (one for each scheduler); shared memory in units of 128
    bytes, or 256 on sm_75. Source: the CUDA Occupancy Calculator.
    """
    machine = ARCHITECTURES[capability]
    warps = -(-threads // 32)
    by_warp = -(-binary.registers * 32 // 256) * 256
    limits = [machine.blocks, machine.warps // warps, machine.registers // by_warp // 4 * 4 // warps]
    if binary.shared or machine.reserved:
        unit = 256 if capability < (8, 0) else 128
        limits.append(machine.shared // (-(-(binary.shared + machine.reserved) // unit) * unit))
    return min(limits) * warps / machine.warps


@cache
def tool(name: str) -> Path:
    """Where one of NVIDIA's tools is: in the wheels of this environment, else on PATH. Raises: BackendError if nowhere."""
    spec = find_spec("nvidia")
    for root in (spec.submodule_search_locations or ()) if spec else ():
        for found in sorted(Path(root).glob(f"*/bin/{name}*"), reverse=True):
            if found.stem == name:
                return found
    if found_on_path := shutil.which(name):
        return Path(found_on_path)
    raise BackendError(
        f"the tool {name} was not found: pip install nvidia-cuda-nvcc nvidia-cuda-nvdisasm (with -cu12 after each for CUDA 12)"
    )


def tool_version(name: str) -> str:
    """The release of one of the tools, as "13.5"."""
    found = re.search(r"release (\d+\.\d+)", _run(tool(name), "--version")[0])
    return found[1] if found else "unknown"


def _run(program: Path, *words: str) -> tuple[str, str]:
    done = subprocess.run([str(program), *words], capture_output=True, text=True, check=False)
    if done.returncode:
        raise BackendError(f"{program.name} failed: {' '.join((done.stderr or done.stdout).split())[:500]}")
    return done.stdout, done.stderr + done.stdout


def _number(pattern: str, text: str) -> int:
    found = re.search(pattern, text)
    return int(found[1]) if found else 0
