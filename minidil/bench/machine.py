"""The conditions of a measurement: the machine, the versions, the threads, and how fast this processor multiplies matrices."""

from __future__ import annotations

import os
import platform
import time
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np
from threadpoolctl import ThreadpoolController

from minidil.kernels.threads import num_threads


@dataclass(frozen=True)
class Machine:
    """What a benchmark was run on.

    peak: GFLOP/s of the best large float32 matrix product on that many threads. bandwidth: GB/s read and written by a copy of
    an array that no cache holds, on one thread. load: processes that ran or waited to run in the minute before; None where the
    system does not say.
    """

    processor: str
    cores: int
    threads: int
    system: str
    versions: dict[str, str]
    blas: str
    peak: float
    bandwidth: float
    load: float | None = None


def describe() -> Machine:
    """This machine, as it is set up now. Takes about a second, most of it for the peak."""
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else None
    packages = {}
    for name in ("numpy", "numba", "torch", "mygrad", "onnxruntime"):
        try:
            packages[name] = version(name)
        except PackageNotFoundError:
            continue
    pools = ThreadpoolController().select(user_api="blas").info()
    blas = ", ".join(sorted({f"{pool['internal_api']} {pool['version']}" for pool in pools}))
    return Machine(
        processor=_processor(),
        cores=os.cpu_count() or 1,
        threads=num_threads(),
        system=f"{platform.system()} {platform.machine()}, Python {platform.python_version()}",
        versions=packages,
        blas=blas,
        peak=matmul_peak(),
        bandwidth=copy_bandwidth(),
        load=load,
    )


def matmul_peak(size: int = 1536, rounds: int = 7) -> float:
    """GFLOP/s of the best of several size x size float32 matrix products by NumPy's BLAS on `num_threads` threads."""
    rng = np.random.default_rng(0)
    a, b = rng.standard_normal((2, size, size), dtype=np.float32)
    out = np.empty_like(a)
    best = float("inf")
    with ThreadpoolController().limit(limits=num_threads(), user_api="blas"):
        for _ in range(rounds):
            start = time.perf_counter()
            np.matmul(a, b, out=out)
            best = min(best, time.perf_counter() - start)
    return 2 * size**3 / best / 1e9


def copy_bandwidth(megabytes: int = 128, rounds: int = 7) -> float:
    """GB/s, bytes read plus bytes written, of the best of several copies of a large array."""
    source = np.zeros(megabytes << 20, np.uint8)
    target = np.ones_like(source)
    best = float("inf")
    for _ in range(rounds):
        start = time.perf_counter()
        np.copyto(target, source)
        best = min(best, time.perf_counter() - start)
    return 2 * source.nbytes / best / 1e9


def _processor() -> str:
    """Its name; where the system tells family and model, these, too, since some names leave open which generation it is."""
    information = Path("/proc/cpuinfo")
    if information.exists():
        lines = [line.partition(":") for line in information.read_text(encoding="utf-8").splitlines()]
        said = {name.strip(): value.strip() for name, _, value in reversed(lines)}
        if "model name" in said:
            which = f" (family {said['cpu family']}, model {said['model']})" if "cpu family" in said else ""
            return said["model name"] + which
    return platform.processor() or platform.machine()
