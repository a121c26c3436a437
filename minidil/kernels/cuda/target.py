"""Where CUDA kernels run: on the GPU, or, if MINIDIL_CUDA=emulator is set, in the emulator on the CPU."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from typing import TYPE_CHECKING, Literal

from minidil.emulator.toolchain import missing
from minidil.errors import BackendError

if TYPE_CHECKING:
    from minidil.emulator.compiler import Capability
    from minidil.emulator.report import Report

Target = Literal["gpu", "emulator"]
_forced: ContextVar[Target | None] = ContextVar("minidil_cuda_target", default=None)  # set by `emulate()`

_EMULATE = "MINIDIL_CUDA=emulator runs the compiled kernels on the CPU, slowly, without a GPU"


@contextmanager
def emulate(*, keep_going: bool = False, capability: Capability = (8, 0)) -> Iterator[Report]:
    """Within the block, run kernels in the emulator and count what they execute; see `minidil.emulator.recording`.

    Raises: BackendError if the packages that compile kernels are missing.
    """
    from minidil.emulator import recording

    with recording(keep_going=keep_going, capability=capability) as report:
        forced = _forced.set("emulator")
        try:
            yield report
        finally:
            _forced.reset(forced)


def target() -> Target:
    """Where the next array is put and the next kernel runs.

    Raises: BackendError that says what is missing, and what to install or set.
    """
    if forced := _forced.get():
        return forced
    chosen = os.environ.get("MINIDIL_CUDA", "gpu")
    if chosen not in ("gpu", "emulator"):
        raise BackendError(f"MINIDIL_CUDA is {chosen!r}; it may be 'gpu' (the default) or 'emulator'")
    if missing := problem(chosen):
        raise BackendError(f"backend 'cuda' {missing}")
    return "emulator" if chosen == "emulator" else "gpu"


@cache
def problem(wanted: str = "gpu") -> str | None:
    """What keeps `wanted` ("gpu" or "emulator") from working, with the remedy, as the end of a sentence; None if nothing does."""
    if trouble := missing():
        return trouble
    if wanted == "gpu" and (fault := _no_gpu()):
        return f"needs an NVIDIA GPU and its driver ({fault}); {_EMULATE}"
    return None


def _no_gpu() -> str | None:
    from numba import cuda

    if cuda.is_available():
        return None
    said = str(cuda.cuda_error() or "").strip().splitlines()
    return said[0].rstrip(".: ") if said else "numba.cuda finds none"
