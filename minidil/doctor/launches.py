"""Which kernels there are, and with which types of arguments: learnt by watching what is launched, not kept as a list."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from math import prod
from typing import Any
from unittest.mock import patch

from minidil.doctor.agreement import kernel_checks, op_checks, training_checks
from minidil.doctor.cuda_checks import cuda_checks
from minidil.emulator.memory import BASE, WRITTEN
from minidil.kernels.cuda import DeviceArray, Kernel, launch


@dataclass(frozen=True)
class Launch:
    """A kernel, the types of its arguments as numba writes them, and the threads of its largest block."""

    kernel: Kernel
    signature: str
    threads: int

    @property
    def file(self) -> str:
        """The file that the kernel stands in."""
        return self.kernel.function.__module__.rpartition(".")[2] + ".py"


def every_launch() -> list[Launch]:
    """All kernels that the checks of the doctor launch, sorted by name. Nothing is executed: it takes seconds."""
    with recorded() as launches:
        for check in (*op_checks(), *kernel_checks(), *cuda_checks(), *training_checks()):
            check.run("cuda")
    return sorted(launches.values(), key=lambda one: (one.file, one.kernel.name, one.signature))


@contextmanager
def recorded() -> Iterator[dict[tuple[Kernel, str], Launch]]:
    """Collect launches instead of executing them. What they would have written first is zeros then."""
    launches: dict[tuple[Kernel, str], Launch] = {}

    def record(kernel: Kernel, signature: str, grid: Any, block: tuple[int, int, int], values: tuple[Any, ...]) -> None:
        known = launches.get((kernel, signature))
        launches[kernel, signature] = Launch(kernel, signature, max(prod(block), known.threads if known else 0))
        for value in values:
            if isinstance(value, DeviceArray):
                _write_zeros(value)

    with patch.dict(os.environ, MINIDIL_CUDA="emulator"), patch.object(launch, "in_emulator", record):
        yield launches


def _write_zeros(array: DeviceArray) -> None:
    """Where nothing has been written yet; else an op that looks at numbers would see those of an array before it."""
    memory: Any = array.block.pool.source
    place = slice(array.address - BASE, array.address - BASE + array.nbytes)
    memory.bytes[place][memory.state[place] != WRITTEN] = 0
    memory.state[place] = WRITTEN
