"""The one place that imports numba.cuda, and with it what a kernel is written with.

Files of kernels import from here. They are themselves imported only when the backend is asked for, so that everything else
works without any CUDA package; numba-cuda's successor takes the same kernels with the import below changed.
"""

from typing import Any

from minidil.errors import BackendError
from minidil.kernels.cuda.target import problem

if missing := problem("emulator"):
    raise BackendError(f"backend 'cuda' {missing}")

import numba
from numba import cuda, types
from numba.cuda.core import config

config.CUDA_LOW_OCCUPANCY_WARNINGS = 0  # on a GPU numba warns of small grids, which small arrays just have

# In a kernel these convert a number; for mypy, which knows some of their types and not others, they are anything.
float32: Any = numba.float32
int32: Any = numba.int32
int64: Any = numba.int64
uint32: Any = numba.uint32

__all__ = ["cuda", "float32", "int32", "int64", "types", "uint32"]
