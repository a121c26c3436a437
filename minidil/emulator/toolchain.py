"""What compiles kernels, numba-cuda with the libraries of the CUDA toolkit, and what is said where it is missing."""

from __future__ import annotations

import importlib
import warnings
from functools import cache
from importlib.metadata import version
from importlib.util import find_spec

INSTALL = (
    "pip install 'minidil[cuda]' (CUDA 13: driver 580 or newer), or 'minidil[cuda12]' (CUDA 12: driver 525 or newer)"
)


@cache
def missing() -> str | None:
    """What keeps kernels from being compiled, with the remedy, as the end of a sentence; None if nothing does."""
    if not find_spec("numba_cuda"):
        return f"needs the package numba-cuda: {INSTALL}"
    if library := _missing_library():
        return f"found numba-cuda, but not the {library} that compiles its kernels: {INSTALL}"
    return _misfit()


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
