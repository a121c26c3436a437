"""Launching: what is counted and collected while a kernel runs, and how its arguments become parameters."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from minidil.emulator.compiler import Capability, ptx_of
from minidil.emulator.control import Execution
from minidil.emulator.decode import Decoded
from minidil.emulator.ptx import parse
from minidil.emulator.report import KernelError, Launch, Report, Three
from minidil.emulator.toolchain import missing
from minidil.errors import BackendError


@dataclass(frozen=True)
class Session:
    """How kernels are run: for which capability they are compiled, and what is kept of it."""

    report: Report | None = None
    keep_going: bool = False
    capability: Capability = (8, 0)


_session: ContextVar[Session] = ContextVar("minidil_emulation", default=Session())  # noqa: B039  it is frozen


@contextmanager
def recording(*, keep_going: bool = False, capability: Capability = (8, 0)) -> Iterator[Report]:
    """Within the block, count what kernels execute.

    keep_going: collect all faults in the report's `findings` instead of raising a KernelError at the first.
    capability: the compute capability to compile for.
    Raises: BackendError if the packages that compile kernels are missing.
    """
    if trouble := missing():
        raise BackendError(f"the CUDA emulator {trouble}")
    report = Report()
    token = _session.set(Session(report, keep_going, capability))
    try:
        yield report
    finally:
        _session.reset(token)


def execute(
    function: Callable[..., None], types: str, name: str, grid: Three, block: Three, arguments: Sequence[Any]
) -> None:
    """Compile a kernel for arguments of these types and run it. An array among them has an address in the emulator's memory."""
    decoded = _decoded(function, types, _session.get().capability)
    _run(decoded, name, grid, block, _flattened(arguments))


def run_ptx(text: str, grid: Three, block: Three, arguments: Sequence[Any]) -> None:
    """Run a kernel that is given as PTX; arguments are the values of its parameters, device arrays standing for addresses."""
    _run(Decoded(parse(text)), "ptx", grid, block, [getattr(value, "address", value) for value in arguments])


def _run(decoded: Decoded, name: str, grid: Three, block: Three, values: list[Any]) -> None:
    session = _session.get()
    report = session.report
    launch = Launch(name, grid, block, decoded.program) if report else None
    if report and launch:
        report.launches.append(launch)
    findings = report.findings if report and session.keep_going else None
    try:
        Execution(decoded, name, grid, block, values, launch, findings).run()
    except KernelError as fault:
        if report:
            report.findings.append(fault.finding)
        raise


@cache
def _decoded(function: Callable[..., None], types: str, capability: Capability) -> Decoded:
    return Decoded(parse(ptx_of(function, types, capability)))


def _flattened(arguments: Sequence[Any]) -> list[Any]:
    """The parameters in PTX: of an array its owner, its parent, size, item size, address, shape and strides; tuples spread."""
    values: list[Any] = []
    for argument in arguments:
        if hasattr(argument, "address"):
            sizes = (argument.size, argument.dtype.itemsize)
            values += [0, 0, *sizes, argument.address, *argument.shape, *argument.strides]
        elif isinstance(argument, tuple):
            values += argument
        else:
            values.append(np.asarray(argument))
    return values
