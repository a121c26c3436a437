"""A CUDA device on the CPU: it executes the PTX that numba.cuda compiles, and reports what a GPU would let pass.

memory      the device's address space, which knows what was allocated and what was written
ptx         reading PTX
arithmetic  what each arithmetic instruction means, as NumPy functions over lanes (floats, integers, convert)
decode      from instructions to steps that work on numbered operands (steps)
access      loads and stores, each of them checked (atomic: those that nothing comes between)
warp        shuffles and votes
machine     lanes, branches, barriers
races       which accesses nothing orders (origins: which arrays a kernel only reads)
report      faults with their source line, block and thread, and counts

What it cannot show: speed, the order in which a GPU really runs things, effects of caches, the last bits of `.approx`
instructions and of float64 multiply-adds. Blocks run in the order of their numbers, many at once but not all: a block that
spins until a later one sets a flag spins for ever. What it does not know, it refuses to execute.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from typing import Any

import numpy as np

from minidil.errors import BackendError
from minidil.kernels.cuda.array import DeviceArray
from minidil.kernels.cuda.compile import Capability, ptx_of
from minidil.kernels.cuda.emulator.decode import Decoded
from minidil.kernels.cuda.emulator.machine import Machine
from minidil.kernels.cuda.emulator.ptx import parse
from minidil.kernels.cuda.emulator.report import Finding, KernelError, Launch, Report, Three
from minidil.kernels.cuda.target import _forced, problem

__all__ = ["Finding", "KernelError", "Launch", "Report", "emulate", "execute", "run_ptx"]

_session: ContextVar[tuple[Report, bool, Capability] | None] = ContextVar("minidil_emulation", default=None)


@contextmanager
def emulate(*, keep_going: bool = False, capability: Capability = (8, 0)) -> Iterator[Report]:
    """Within the block, run kernels in the emulator and count what they execute.

    keep_going: collect all faults in the report's `findings` instead of raising a KernelError at the first.
    capability: the compute capability to compile for.
    Raises: BackendError if the packages that compile kernels are missing.
    """
    if missing := problem("emulator"):
        raise BackendError(f"the CUDA emulator {missing}")
    report = Report()
    session, forced = _session.set((report, keep_going, capability)), _forced.set("emulator")
    try:
        yield report
    finally:
        _session.reset(session)
        _forced.reset(forced)


def execute(kernel: Any, signature: str, grid: Three, block: Three, arguments: Sequence[Any]) -> None:
    """Run a kernel with arguments of these types; called by `launch`."""
    _, _, capability = _session.get() or (None, False, (8, 0))
    _run(_decoded(kernel.function, signature, capability), kernel.name, grid, block, _flattened(arguments))


def run_ptx(text: str, grid: Three, block: Three, arguments: Sequence[Any]) -> None:
    """Run a kernel that is given as PTX; arguments are the values of its parameters, device arrays standing for addresses."""
    values = [value.address if isinstance(value, DeviceArray) else value for value in arguments]
    _run(Decoded(parse(text)), "ptx", grid, block, values)


def _run(decoded: Decoded, name: str, grid: Three, block: Three, values: list[Any]) -> None:
    report, keep_going, _ = _session.get() or (None, False, (8, 0))
    launch = Launch(name, grid, block, decoded.program) if report else None
    if report and launch:
        report.launches.append(launch)
    findings = report.findings if report and keep_going else None
    try:
        Machine(decoded, name, grid, block, values, launch, findings).run()
    except KernelError as fault:
        if report:
            report.findings.append(fault.finding)
        raise


@cache
def _decoded(function: Callable[..., None], signature: str, capability: Capability) -> Decoded:
    return Decoded(parse(ptx_of(function, signature, capability)))


def _flattened(arguments: Sequence[Any]) -> list[Any]:
    """The parameters in PTX: of an array its owner, its parent, size, item size, address, shape and strides; tuples spread."""
    values: list[Any] = []
    for argument in arguments:
        if isinstance(argument, DeviceArray):
            sizes = (argument.size, argument.dtype.itemsize)
            values += [0, 0, *sizes, argument.address, *argument.shape, *argument.strides]
        elif isinstance(argument, tuple):
            values += argument
        else:
            values.append(np.asarray(argument))
    return values
