"""Launching: what is counted and collected while a kernel runs, and how its arguments become parameters."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from minidil.emulator.compiler import Capability, Signature, ptx_of
from minidil.emulator.control import Execution
from minidil.emulator.decode import Decoded
from minidil.emulator.outputs import Outputs
from minidil.emulator.ptx import parse
from minidil.emulator.report import Finding, KernelError, KernelWarning, Launch, Report, Three
from minidil.emulator.toolchain import missing
from minidil.errors import BackendError


@dataclass(frozen=True)
class Session:
    """How kernels are run: for which capability they are compiled, and what is kept of it."""

    report: Report | None = None
    keep_going: bool = False
    capability: Capability = (8, 0)
    checks: bool = False
    rounds: int | None = None


ROUNDS = 30_000  # more than a loop of a kernel for teaching takes, and some ten seconds
_session: ContextVar[Session] = ContextVar("minidil_emulation", default=Session())  # noqa: B039  it is frozen


@contextmanager
def recording(
    *,
    keep_going: bool = False,
    capability: Capability = (8, 0),
    checks: bool = False,
    rounds: int | None = None,
    warn: bool = False,
) -> Iterator[Report]:
    """Within the block, count what kernels execute.

    keep_going: collect all faults in the report's `findings` instead of raising a KernelError at the first.
    capability: the compute capability to compile for.
    checks: compile with checks, which find more and change the counts a little; see `checked`.
    rounds: how often the threads of some blocks may together go round loops before these count as endless; None for ever.
    warn: also give Python's warnings for the findings that are no errors.
    Raises: BackendError if the packages that compile kernels are missing.
    """
    if trouble := missing():
        raise BackendError(f"the CUDA emulator {trouble}")
    report = Report()
    token = _session.set(Session(report, keep_going, capability, checks, rounds))
    try:
        yield report
    finally:
        _session.reset(token)
        for finding in report.findings if warn else ():
            if finding.severity == "warning":
                warnings.warn(KernelWarning(str(finding)), stacklevel=4)


def current() -> Session:
    """The session that is open, or one that keeps nothing."""
    return _session.get()


def execute(
    function: Callable[..., None],
    types: Signature,
    name: str,
    grid: Three,
    block: Three,
    arguments: Sequence[Any],
    dynamic: int = 0,
    fastmath: bool = False,
) -> None:
    """Compile a kernel for arguments of these types and run it. An array among them has an address in the emulator's memory.

    dynamic: bytes of dynamic shared memory.
    """
    session = _session.get()
    decoded = _decoded(function, types, session.capability, session.checks, fastmath)
    if decoded.program.static_shared + dynamic > SHARED_LIMIT:
        raise BackendError(
            f"{name}: a block uses {decoded.program.static_shared:,} bytes of shared memory in arrays of fixed size and "
            f"{dynamic:,} of dynamic shared memory, and may use {SHARED_LIMIT:,}: a GPU refuses to launch this"
        )
    watched = Outputs(function, decoded, arguments) if session.checks else None
    left_out: list[Finding] = []
    try:
        _run(decoded, name, grid, block, _flattened(arguments), dynamic)
    finally:
        if watched:
            left_out = watched.left_out(name)
    if session.report:
        session.report.findings.extend(left_out)


SHARED_LIMIT = 48 << 10
"""Bytes of shared memory that a block may use unless the program asks the driver for more, which Numba does not.
Source: CUDA C++ Programming Guide, "Technical Specifications per Compute Capability"."""


def run_ptx(text: str, grid: Three, block: Three, arguments: Sequence[Any]) -> None:
    """Run a kernel that is given as PTX; arguments are the values of its parameters, device arrays standing for addresses."""
    _run(Decoded(parse(text)), "ptx", grid, block, [getattr(value, "address", value) for value in arguments])


def _run(decoded: Decoded, name: str, grid: Three, block: Three, values: list[Any], dynamic: int = 0) -> None:
    session = _session.get()
    report = session.report
    launch = Launch(name, grid, block, decoded.program) if report else None
    if report and launch:
        report.launches.append(launch)
    findings = report.findings if report and session.keep_going else None
    notes: list[Finding] = report.findings if report else []
    try:
        Execution(decoded, name, grid, block, values, launch, findings, notes, dynamic, session.rounds).run()
    except KernelError as fault:
        if report:
            report.findings.append(fault.finding)
        raise
    finally:
        for note in () if report else notes:
            warnings.warn(KernelWarning(str(note)), stacklevel=2)


@cache
def _decoded(
    function: Callable[..., None], types: Signature, capability: Capability, checked: bool, fastmath: bool
) -> Decoded:
    return Decoded(parse(ptx_of(function, types, capability, checked, fastmath)))


def _flattened(arguments: Sequence[Any]) -> list[Any]:
    """The parameters in PTX: of an array its owner, its parent, size, item size, address, shape and strides; tuples spread."""
    values: list[Any] = []
    for argument in arguments:
        if hasattr(argument, "address"):
            sizes = (argument.size, argument.dtype.itemsize)
            values += [0, 0, *sizes, argument.address, *argument.shape, *argument.strides]
        elif isinstance(argument, tuple):
            values += _flattened(argument)
        elif isinstance(argument, complex | np.complexfloating):
            values += [np.asarray(argument).real, np.asarray(argument).imag]
        else:
            values.append(np.asarray(argument))
    return values
