"""Where CUDA kernels run: on the GPU, or, if MINIDIL_CUDA=emulator is set, in the emulator on the CPU."""

from __future__ import annotations

import importlib
import os
import warnings
from contextvars import ContextVar
from functools import cache
from importlib.metadata import version
from importlib.util import find_spec
from typing import Literal

from minidil.errors import BackendError

Target = Literal["gpu", "emulator"]
_forced: ContextVar[Target | None] = ContextVar("minidil_cuda_target", default=None)  # set by `emulate()`

_INSTALL = (
    "pip install 'minidil[cuda]' (CUDA 13: driver 580 or newer), or 'minidil[cuda12]' (CUDA 12: driver 525 or newer)"
)
_EMULATE = "MINIDIL_CUDA=emulator runs the compiled kernels on the CPU, slowly, without a GPU"


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
    if not find_spec("numba_cuda"):
        return f"needs the package numba-cuda: {_INSTALL}"
    if missing := _missing_library():
        return f"found numba-cuda, but not the {missing} that compiles its kernels: {_INSTALL}"
    if misfit := _misfit():
        return misfit
    if wanted == "gpu" and (fault := _no_gpu()):
        return f"needs an NVIDIA GPU and its driver ({fault}); {_EMULATE}"
    return None


def _missing_library() -> str | None:
    """The first library of the CUDA toolkit that is not there. numba-cuda without an extra brings none of them."""
    from cuda.pathfinder import DynamicLibNotFoundError, load_nvidia_dynamic_lib

    for library in ("nvvm", "nvrtc"):
        try:
            load_nvidia_dynamic_lib(library)
        except DynamicLibNotFoundError:
            return f"CUDA toolkit library {library}"
    return None


def _misfit() -> str | None:
    """What is wrong between numba-cuda and NumPy; found by loading the part that mirrors NumPy's functions.

    numba-cuda 0.30 names `np.row_stack` there, which NumPy 2.5 removed, and says itself only that it wants numba. So that a
    numba-cuda that has been mended works at once, it is tried instead of compared by its version.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            importlib.import_module("numba.cuda.np.arrayobj")
    except AttributeError as error:
        found = f"numba-cuda {version('numba-cuda')} beside NumPy {version('numpy')}"
        return f"found {found}, which do not work together ({error}); pip install 'numpy<2.5', as the extra 'cuda' does"
    return None


def _no_gpu() -> str | None:
    from numba import cuda

    if cuda.is_available():
        return None
    said = str(cuda.cuda_error() or "").strip().splitlines()
    return said[0].rstrip(".: ") if said else "numba.cuda finds none"
