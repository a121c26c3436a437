"""Kernels and how they are launched: `kernel[grid, block](arguments)` on the GPU or in the emulator.

A kernel is a Python function that numba.cuda compiles for every combination of argument types. Here these types are few, so
that the GPU and the emulator run the same code: contiguous arrays of float32, int32 and bool, int32, float32, and tuples of
ints.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property, update_wrapper
from typing import Any, TypeAlias, overload

import numpy as np

from minidil.errors import DtypeError, OptionError
from minidil.kernels.cuda.array import DeviceArray, to_device
from minidil.kernels.cuda.memory import pool
from minidil.kernels.cuda.target import target

Size: TypeAlias = "int | Sequence[int]"
Three: TypeAlias = tuple[int, int, int]
_SCALARS = {np.dtype(np.float32): "float32", np.dtype(np.int32): "int32", np.dtype(np.uint32): "uint32"}
MAX_THREADS = 1024  # of a block, on every GPU so far


class Kernel:
    """A kernel, made by `kernel`; launched as `kernel[grid, block](*arguments)`.

    signatures: the types it was declared with, the only ones then that it is launched with; empty if none were declared.
    """

    def __init__(self, function: Callable[..., None], signatures: Sequence[str] = ()) -> None:
        update_wrapper(self, function)
        self.function = function
        self.signatures = tuple(signature.replace(" ", "") for signature in signatures)

    def __getitem__(self, configuration: tuple[Size, Size]) -> Callable[..., None]:
        if not isinstance(configuration, tuple) or len(configuration) != 2:
            raise OptionError(f"{self.name}: launch it as {self.name}[grid, block](...), not [{configuration!r}]")
        return lambda *arguments: launch(self, *configuration, *arguments)

    def __call__(self, *arguments: Any) -> None:
        raise OptionError(
            f"{self.name} is a kernel: say how many blocks and threads, as in {self.name}[grid, block](...)"
        )

    @property
    def name(self) -> str:
        """The name of the function."""
        return self.function.__name__

    @cached_property
    def compiled(self) -> Any:
        """The kernel as numba.cuda launches it on a GPU, compiled when it is first launched."""
        from minidil.kernels.cuda.seam import cuda

        return cuda.jit(self.function, lineinfo=True)

    def __repr__(self) -> str:
        return f"Kernel({self.name})"


@overload
def kernel(function: Callable[..., None], /) -> Kernel: ...
@overload
def kernel(*signatures: str) -> Callable[[Callable[..., None]], Kernel]: ...
def kernel(*declared: Any) -> Any:
    """Decorator: `@kernel`, or `@kernel("float32[::1], int32", ...)` with every signature that the kernel is launched with.

    What is declared can be checked for every GPU before it is launched on one.
    """
    if len(declared) == 1 and callable(declared[0]):
        return Kernel(declared[0])
    return lambda function: Kernel(function, declared)


def launch(kernel: Kernel, grid: Size, block: Size, *arguments: Any) -> None:
    """Run a kernel on grid x block threads, where its arrays are.

    grid, block: the number of blocks and of threads per block; an int, or up to three of them for x, y and z.
    arguments: device arrays; NumPy arrays, which are copied there and back; ints (as int32), floats (as float32), NumPy
        scalars of their own type, tuples of ints. An empty grid runs nothing.
    Raises: OptionError for sizes that no GPU takes, DtypeError for arguments of another type, or if the kernel was declared
        with other signatures.
    """
    blocks, threads = _three(kernel, "grid", grid), _three(kernel, "block", block)
    count = threads[0] * threads[1] * threads[2]
    if not 1 <= count <= MAX_THREADS or threads[2] > 64 or max(blocks[1:]) > 65535:
        raise OptionError(
            f"{kernel.name}: a block has 1 to {MAX_THREADS} threads, at most 64 along z, and a grid at most 65535 blocks along "
            f"y and z; this is grid {blocks}, block {threads} of {count} threads"
        )
    held = [argument for argument in arguments if isinstance(argument, DeviceArray)]
    where = held[0].target if held else target()
    if any(array.target != where for array in held):
        raise OptionError(f"{kernel.name}: some of its arrays are on the GPU and some in the emulator")
    copied = [(value, to_device(value, pool(where))) for value in arguments if isinstance(value, np.ndarray)]
    pairs = iter(copied)
    values = tuple(next(pairs)[1] if isinstance(value, np.ndarray) else _scalar(kernel, value) for value in arguments)
    signature = ",".join(map(type_of, values))
    if kernel.signatures and signature not in kernel.signatures:
        raise DtypeError(f"{kernel.name}({signature}) is not among its signatures: {'; '.join(kernel.signatures)}")
    if 0 not in blocks:
        if where == "gpu":
            kernel.compiled[blocks, threads](*map(_native, values))
        else:
            in_emulator(kernel, signature, blocks, threads, values)
    for host, device in copied:
        if host.flags.writeable:
            host[...] = device.copy_to_host()


def in_emulator(kernel: Kernel, signature: str, grid: Three, block: Three, values: Sequence[Any]) -> None:
    """Execute a kernel, compiled for these types, on the CPU."""
    from minidil.emulator.session import execute

    execute(kernel.function, signature, kernel.name, grid, block, values)


def type_of(value: Any) -> str:
    """The type of an argument, as numba writes it."""
    if isinstance(value, DeviceArray):
        kind = "boolean" if value.dtype == bool else value.dtype.name
        return f"{kind}[{':,' * (value.ndim - 1)}::1]"
    if isinstance(value, tuple):
        return f"UniTuple(int32,{len(value)})"
    return _SCALARS[value.dtype]


def _scalar(kernel: Kernel, value: Any) -> Any:
    """An argument as the kernel gets it: numbers with their type."""
    if isinstance(value, DeviceArray):
        return value if value.ndim else value.reshaped((1,))
    if isinstance(value, tuple):
        return tuple(np.int32(n) for n in value)
    if isinstance(value, np.generic) and value.dtype in _SCALARS:
        return value
    if isinstance(value, int | np.integer) and not isinstance(value, bool):
        if not -(2**31) <= value < 2**31:
            raise DtypeError(f"{kernel.name}: the argument {value} does not fit into int32")
        return np.int32(value)
    if isinstance(value, float):
        return np.float32(value)
    raise DtypeError(
        f"{kernel.name}: arguments are arrays, ints, floats and tuples of ints, not {type(value).__name__}"
    )


def _native(value: Any) -> Any:
    """What numba.cuda takes for an argument."""
    if not isinstance(value, DeviceArray):
        return value
    if value._native is None:
        from minidil.kernels.cuda.seam import cuda

        value._native = cuda.as_cuda_array(value, sync=False)
    return value._native


def _three(kernel: Kernel, name: str, size: Size) -> Three:
    given = tuple(size) if isinstance(size, Sequence) else (size,)
    if not 1 <= len(given) <= 3 or any(not isinstance(n, int | np.integer) or n < 0 for n in given):
        raise OptionError(f"{kernel.name}: {name} must be 1 to 3 ints >= 0, not {size!r}")
    x, y, z = (*map(int, given), 1, 1)[:3]
    return x, y, z
