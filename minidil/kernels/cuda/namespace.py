"""The kernels of the backend "cuda": every name of `reference` and `update`, from device arrays to device arrays.

Arguments that are still on the host enter through `to_device`. What a kernel returns is a fresh array, or shares memory with
its argument, which nothing writes into.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from minidil.kernels.cuda.array import DTYPES, DeviceArray, to_device

__all__ = ["place"]


def place(x: Any) -> Any:
    """x in device memory if the device has its number type; float64 and int64 stay on the host for a kernel to judge."""
    return x if isinstance(x, DeviceArray) or np.asarray(x).dtype not in DTYPES else to_device(x)
