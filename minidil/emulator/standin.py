"""Standing in for the driver: within `emulate()` a script that uses numba.cuda runs without a GPU as it is."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

import numpy as np
from numpy.typing import DTypeLike, NDArray

from minidil.emulator import arrays
from minidil.emulator.compiler import Capability
from minidil.emulator.memory import DEVICE
from minidil.emulator.plain import MAX_THREADS, Configured
from minidil.emulator.report import Report
from minidil.emulator.session import ROUNDS, SHARED_LIMIT, recording


@contextmanager
def emulate(
    *, keep_going: bool = False, capability: Capability = (8, 0), checks: bool = True, rounds: int | None = ROUNDS
) -> Iterator[Report]:
    """Within the block, `kernel[grid, block](...)`, `cuda.to_device` and their like need no GPU, and everything is checked.

    keep_going: collect all faults in the report's `findings` instead of raising a KernelError at the first.
    capability: the compute capability to compile for.
    checks: compile with checks of every index, of local arrays, divisions and asserts; without, the code is that of a GPU to
        the last instruction, and so are the counts.
    rounds: how often threads may go round loops before these count as endless; None for ever.
    Raises: BackendError if the packages that compile kernels are missing.
    """
    with (
        recording(keep_going=keep_going, capability=capability, checks=checks, rounds=rounds) as report,
        ExitStack() as stack,
    ):
        from numba import cuda
        from numba.cuda import api, dispatcher
        from numba.cuda.core import config

        for name, function in _functions(capability).items():
            stack.enter_context(patch.object(cuda, name, function))
            if hasattr(api, name):
                stack.enter_context(patch.object(api, name, function))
        kernels = dispatcher.CUDADispatcher
        stack.enter_context(patch.object(kernels, "__getitem__", lambda self, size: Configured(self, size)))
        stack.enter_context(patch.object(kernels, "configure", lambda self, *size: Configured(self, size)))
        stack.enter_context(patch.object(kernels, "forall", _for_all))
        stack.enter_context(patch.object(kernels, "compile", _later(kernels.compile)))
        stack.enter_context(patch.object(kernels, "disable_compile", _later(kernels.disable_compile)))
        stack.enter_context(patch.object(dispatcher, "get_current_device", lambda: _device(capability)))
        stack.enter_context(patch.object(config, "CUDA_LOW_OCCUPANCY_WARNINGS", 0))
        yield report


def _later(original: Callable[..., Any]) -> Callable[..., Any]:
    """A kernel that is given with its signature is compiled when it is launched; device functions are compiled as ever."""
    return lambda self, *given: original(self, *given) if self.targetoptions.get("device") else None


def _for_all(self: Any, ntasks: int, tpb: int = 0, stream: Any = 0, sharedmem: int = 0) -> Any:
    threads = tpb or 128
    return Configured(self, (max(1, -(-ntasks // threads)), threads, stream, sharedmem))


def _device(capability: Capability) -> SimpleNamespace:
    return SimpleNamespace(
        name=b"emulator",
        id=0,
        compute_capability=capability,
        MAX_THREADS_PER_BLOCK=MAX_THREADS,
        MAX_BLOCK_DIM_X=MAX_THREADS,
        MAX_BLOCK_DIM_Y=MAX_THREADS,
        MAX_BLOCK_DIM_Z=64,
        MAX_GRID_DIM_X=2**31 - 1,
        MAX_GRID_DIM_Y=65_535,
        MAX_GRID_DIM_Z=65_535,
        MAX_SHARED_MEMORY_PER_BLOCK=SHARED_LIMIT,
        MULTIPROCESSOR_COUNT=1,
        WARP_SIZE=32,
        reset=lambda: None,
    )


class _Stream:
    """Work is done at once, so that every stream is empty."""

    def synchronize(self) -> None:
        """Nothing is left to wait for."""

    @contextmanager
    def auto_synchronize(self) -> Iterator[_Stream]:
        """A stream for the block."""
        yield self

    def __bool__(self) -> bool:
        return True


class _Event:
    """An event, without a time: the emulator's seconds say nothing of a GPU's."""

    def record(self, stream: Any = 0) -> None:
        """All before is done."""

    def synchronize(self) -> None:
        """Nothing is left to wait for."""

    def wait(self, stream: Any = 0) -> None:
        """Nothing is left to wait for."""

    def query(self) -> bool:
        """Whether all before is done."""
        return True

    def elapsed_time(self, other: Any) -> float:
        """NaN."""
        return float("nan")


def _functions(capability: Capability) -> dict[str, Any]:
    """What a script calls of numba.cuda, by name."""

    def to_device(obj: Any, stream: Any = 0, copy: bool = True, to: Any = None) -> Any:
        if to is None:
            return arrays.to_device(obj)
        to.copy_to_device(obj)
        return to

    def device_array(
        shape: Any, dtype: DTypeLike = np.float64, strides: Any = None, order: str = "C", stream: Any = 0
    ) -> arrays.EmulatedArray:
        return arrays.device_array(shape, dtype, order)

    def host_array(
        shape: Any, dtype: DTypeLike = np.float64, strides: Any = None, order: Any = "C", **_: Any
    ) -> NDArray[Any]:
        return np.zeros(shape, dtype, order)

    def nothing(*_: Any, **__: Any) -> None:
        return None

    context = SimpleNamespace(
        get_memory_info=lambda: SimpleNamespace(free=DEVICE.limit, total=DEVICE.limit),
        synchronize=nothing,
        device=_device(capability),
        reset=nothing,
        push=nothing,
        pop=nothing,
    )
    return {
        "to_device": to_device,
        "device_array": device_array,
        "device_array_like": lambda ary, stream=0: arrays.device_array_like(ary),
        "pinned_array": host_array,
        "mapped_array": host_array,
        "managed_array": host_array,
        "pinned_array_like": np.zeros_like,
        "mapped_array_like": lambda ary, **_: np.zeros_like(ary),
        "pinned": lambda *_: nullcontext(),
        "defer_cleanup": nullcontext,
        "synchronize": nothing,
        "close": nothing,
        "stream": _Stream,
        "default_stream": _Stream,
        "event": lambda timing=True: _Event(),
        "event_elapsed_time": lambda start, end: float("nan"),
        "is_available": lambda: True,
        "detect": lambda: print("The CUDA emulator of minidil stands in for a GPU.") or True,
        "is_cuda_array": lambda obj: isinstance(obj, arrays.EmulatedArray),
        "as_cuda_array": lambda obj, sync=True: obj,
        "select_device": lambda number: context,
        "get_current_device": lambda: _device(capability),
        "current_context": lambda devnum=None: context,
        "list_devices": lambda: [_device(capability)],
        "gpus": [_device(capability)],
        "profile_start": nothing,
        "profile_stop": nothing,
    }
