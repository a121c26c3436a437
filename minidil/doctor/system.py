"""What there is on this machine: the processor, the packages, the driver, the GPUs, and which backends work with them."""

from __future__ import annotations

import os
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version

import numpy as np

from minidil.bench.machine import Machine, describe
from minidil.doctor.driver import Driver, Gpu, ask_driver
from minidil.kernels.backend import use
from minidil.kernels.cuda.target import problem
from minidil.ops.conv import conv

_CUDA_PACKAGES = (
    "numba-cuda",
    "cuda-bindings",
    "nvidia-cuda-nvrtc",
    "nvidia-nvvm",
    "nvidia-cuda-nvcc",
    "nvidia-cuda-nvrtc-cu12",
    "nvidia-cuda-nvcc-cu12",
    "cupy-cuda12x",
    "cupy-cuda13x",
    "nvidia-cudnn-cu12",
    "nvidia-cudnn-cu13",
)


@dataclass(frozen=True)
class System:
    """Everything that a bug report needs.

    numba: how its kernels fared; cuda_packages: names and versions of those that are installed; missing: what keeps CUDA
    kernels from running on a GPU ("gpu") and in the emulator ("emulator"), None if nothing does; emulating: whether
    MINIDIL_CUDA asks for the emulator.
    """

    minidil: str
    machine: Machine
    numba: str
    driver: Driver
    cuda_packages: dict[str, str]
    missing: dict[str, str | None]
    emulating: bool

    @property
    def gpu(self) -> Gpu | None:
        """The GPU that numba.cuda uses unless told otherwise: the first."""
        return self.driver.gpus[0] if self.driver.gpus else None


def examine() -> System:
    """Look at this machine. Takes about two seconds, and up to half a minute more where the Numba kernels must be compiled."""
    return System(
        minidil=_version("minidil") or "not installed, run from its source",
        machine=describe(),
        numba=_numba(),
        driver=ask_driver(),
        cuda_packages={name: found for name in _CUDA_PACKAGES if (found := _version(name))},
        missing={target: problem(target) for target in ("gpu", "emulator")},
        emulating=os.environ.get("MINIDIL_CUDA") == "emulator",
    )


def facts(system: System) -> list[tuple[str, str]]:
    """The system as lines of a table: a name and what to say about it."""
    machine, driver, packages = system.machine, system.driver, system.cuda_packages
    lines = [
        ("minidil", system.minidil),
        ("system", machine.system),
        ("processor", f"{machine.processor}; {machine.cores} cores, {machine.threads} threads in use"),
        (
            "NumPy",
            f"{machine.versions['numpy']}; BLAS {machine.blas or 'unknown'}; matrix product "
            f"{machine.peak:.0f} GFLOP/s, copy {machine.bandwidth:.1f} GB/s",
        ),
        ("Numba", system.numba),
        ("CUDA driver", f"for CUDA {driver.version}" if driver.version else driver.trouble),
        ("CUDA packages", ", ".join(f"{name} {number}" for name, number in packages.items()) or "none"),
    ]
    for gpu in driver.gpus:
        lines.append(
            (
                "GPU",
                f"{gpu.name}; compute capability {gpu.capability[0]}.{gpu.capability[1]}; {gpu.memory / 2**30:.1f} GiB; "
                f"at most {gpu.peak / 1e3:.1f} TFLOP/s float32, {gpu.bandwidth:.0f} GB/s",
            )
        )
    if not driver.gpus:
        lines.append(("GPU", f"none ({driver.trouble})" if driver.version and driver.trouble else "none"))
    return lines


def verdicts(system: System) -> list[str]:
    """What works here, and what would have to be done for the rest: one sentence a backend."""
    works = ['md.use("numpy") works.']
    if "numba" not in system.machine.versions:
        works.append('md.use("numba") needs Numba: pip install numba.')
    elif system.numba.endswith("right"):
        works.append('md.use("numba") works, and is the default.')
    else:
        works.append('md.use("numba") does not work: see the line Numba above.')
    missing = system.missing["emulator" if system.emulating else "gpu"]
    if missing:
        works.append(f'md.use("cuda") {missing}.')
    elif system.emulating:
        works.append('md.use("cuda") runs its kernels in the emulator, since MINIDIL_CUDA=emulator: right, and slow.')
    else:
        works.append('md.use("cuda") can use the GPU: `minidil doctor --cuda` checks every op on it.')
    return works


def _numba() -> str:
    """One convolution on the Numba backend beside NumPy's: right, wrong, or what went wrong."""
    number = _version("numba")
    if number is None:
        return "not installed"
    rng = np.random.default_rng(0)
    x, weight = rng.standard_normal((2, 3, 9, 7)), rng.standard_normal((4, 3, 3, 3))
    try:
        with use("numba"):
            found = conv(x, weight, dilation=2)[0]
    except Exception as error:  # whatever a broken installation raises is what the doctor was asked for
        return f"{number}; a convolution fails: {type(error).__name__}: {error}"
    with use("numpy"):
        expected = conv(x, weight, dilation=2)[0]
    return f"{number}; a convolution is {'right' if np.allclose(found, expected) else 'wrong'}"


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
