"""A CUDA device on the CPU: it executes the PTX that numba.cuda compiles, and reports what a GPU would let pass.

What comes in: plain `@cuda.jit` kernels, or whole scripts, and their arguments. What goes out: results, the faults found on the
way with their lines, and counts. `python -m minidil.emulator` shows it; README.md says what it finds, supports and cannot see.

toolchain   what compiles kernels, and what is said where it is missing
compiler    from a Python function to PTX; checked: with checks of what Python knows and PTX has forgotten
ptx         reading PTX
arithmetic  what each arithmetic instruction means, as NumPy functions over lanes (floats, integers, convert; carry)
memory      the device's address space, which knows what was allocated and what was written
races       which accesses nothing orders (origins: which arrays a kernel only reads)
report      faults with their source line, block and thread, and counts; explain: what they mean
machine     the lanes, their values (operands) and memories
decode      from instructions to steps that a machine takes: access (loads and stores, each of them checked), atomic, warp, probes
control     branches and barriers: which lanes take the next step
session     launching, and what is recorded; outputs: which elements a kernel has left out
standin     numba.cuda without a GPU: plain (launches and their arguments), arrays (those that live on the device)
sass        what ptxas makes of a kernel: registers, spills, occupancy

What it cannot show: speed, the order in which a GPU really runs things, effects of caches, the last bits of `.approx`
instructions. Blocks run in the order of their numbers, many at once but not all: a block that spins until a later one sets a flag
spins for ever. What it does not know, it refuses to execute.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from minidil.emulator.arrays import EmulatedArray
    from minidil.emulator.plain import emulated, machine_code, run
    from minidil.emulator.report import Finding, KernelError, KernelWarning, Launch, Report
    from minidil.emulator.session import recording, run_ptx
    from minidil.emulator.standin import emulate

__all__ = [
    "EmulatedArray",
    "Finding",
    "KernelError",
    "KernelWarning",
    "Launch",
    "Report",
    "emulate",
    "emulated",
    "machine_code",
    "recording",
    "run",
    "run_ptx",
]

# Found when they are first used: `import minidil` needs none of them.
_LATER = {
    "EmulatedArray": "arrays",
    "emulate": "standin",
    **dict.fromkeys(("emulated", "machine_code", "run"), "plain"),
    **dict.fromkeys(("Finding", "KernelError", "KernelWarning", "Launch", "Report"), "report"),
    **dict.fromkeys(("recording", "run_ptx"), "session"),
}


def __getattr__(name: str) -> Any:
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_LATER[name]}"), name)
