"""NVIDIA's own matrix product, through CuPy where it is installed: MINIDIL_CUBLAS=1 has `gemm` use it on a GPU.

It is several times faster than what is written here, and what these kernels are to be compared with. The arrays are shared, not
copied. In the emulator, and for products with a bias or ReLU, the kernels of this package run whatever is set.
"""

from __future__ import annotations

import os
from importlib.util import find_spec

from minidil.errors import BackendError
from minidil.kernels.cuda.grid import Array
from minidil.kernels.cuda.target import target


def wanted() -> bool:
    """Whether the switch is set and products run on a GPU. Raises: BackendError if CuPy is not installed then."""
    if os.environ.get("MINIDIL_CUBLAS") != "1" or target() != "gpu":
        return False
    if not find_spec("cupy"):
        raise BackendError(
            "MINIDIL_CUBLAS=1 needs CuPy (pip install cupy-cuda13x); unset it to use minidil's own kernels"
        )
    return True


def gemm(a: Array, b: Array, transpose_a: bool, transpose_b: bool, y: Array) -> Array:
    """y = a b, as `minidil.kernels.cuda.gemm.gemm` defines it."""
    import cupy

    left, right, result = (cupy.asarray(x) for x in (a, b, y))
    left = left.swapaxes(-1, -2) if transpose_a else left
    right = right.swapaxes(-1, -2) if transpose_b else right
    cupy.matmul(left, right, out=result)
    return y
