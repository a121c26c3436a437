"""What the CUDA driver says about the GPUs of this machine, asked through ctypes: no CUDA package is needed for that."""

from __future__ import annotations

import ctypes
import sys
from dataclasses import dataclass
from typing import Any

_LIBRARIES = ("nvcuda.dll",) if sys.platform == "win32" else ("libcuda.so.1", "libcuda.so")

# cuda.h, enum CUdevice_attribute
_CLOCK_KHZ, _MULTIPROCESSORS, _MEMORY_CLOCK_KHZ, _BUS_BITS, _MAJOR, _MINOR = 13, 16, 36, 37, 75, 76

# Where a multiprocessor has not 128 float32 lanes. CUDA C++ Programming Guide, "Throughput of Native Arithmetic Instructions".
_LANES = {(7, 0): 64, (7, 5): 64, (8, 0): 64}


@dataclass(frozen=True)
class Gpu:
    """One GPU. memory: bytes; clock, memory_clock: MHz, the highest that the driver allows; bus: bits of the memory bus."""

    name: str
    capability: tuple[int, int]
    multiprocessors: int
    memory: int
    clock: float
    memory_clock: float
    bus: int

    @property
    def peak(self) -> float:
        """GFLOP/s of float32 fused multiply-adds at the highest clock: two operations a lane and cycle."""
        return 2 * self.multiprocessors * _LANES.get(self.capability, 128) * self.clock / 1e3

    @property
    def bandwidth(self) -> float:
        """GB/s of its memory at the highest clock: two transfers a cycle over every wire of the bus."""
        return 2 * self.memory_clock * 1e6 * self.bus / 8 / 1e9


@dataclass(frozen=True)
class Driver:
    """The driver: the CUDA version that it supports, and its GPUs; with neither, `trouble` says why."""

    version: str | None
    gpus: tuple[Gpu, ...] = ()
    trouble: str = ""


def ask_driver() -> Driver:
    """Ask the driver of this machine. Never raises: no driver, and a driver that fails, are answers as well."""
    library = _load()
    if library is None:
        return Driver(None, trouble=f"no driver: {_LIBRARIES[0]} is not on this machine")
    try:
        number = ctypes.c_int()
        _call(library.cuDriverGetVersion, ctypes.byref(number))
        version = f"{number.value // 1000}.{number.value % 1000 // 10}"
    except OSError as error:
        return Driver(None, trouble=str(error))
    try:
        _call(library.cuInit, 0)
        count = ctypes.c_int()
        _call(library.cuDeviceGetCount, ctypes.byref(count))
        return Driver(version, tuple(_gpu(library, index) for index in range(count.value)))
    except OSError as error:
        return Driver(version, trouble=str(error))


def _load() -> Any:
    for name in _LIBRARIES:
        try:
            return ctypes.CDLL(name)
        except OSError:
            continue
    return None


def _gpu(library: Any, index: int) -> Gpu:
    device, name, memory = ctypes.c_int(), ctypes.create_string_buffer(256), ctypes.c_size_t()
    _call(library.cuDeviceGet, ctypes.byref(device), index)
    _call(library.cuDeviceGetName, name, len(name), device)
    _call(library.cuDeviceTotalMem_v2, ctypes.byref(memory), device)

    def attribute(number: int) -> int:
        value = ctypes.c_int()
        _call(library.cuDeviceGetAttribute, ctypes.byref(value), number, device)
        return value.value

    return Gpu(
        name=name.value.decode(),
        capability=(attribute(_MAJOR), attribute(_MINOR)),
        multiprocessors=attribute(_MULTIPROCESSORS),
        memory=memory.value,
        clock=attribute(_CLOCK_KHZ) / 1e3,
        memory_clock=attribute(_MEMORY_CLOCK_KHZ) / 1e3,
        bus=attribute(_BUS_BITS),
    )


def _call(function: Any, *arguments: Any) -> None:
    code = function(*arguments)
    if code:
        # 100: CUDA_ERROR_NO_DEVICE, the one that users meet
        meaning = " (no GPU that it can use)" if code == 100 else ""
        raise OSError(f"the driver's {function.__name__} failed with CUDA error {code}{meaning}")
