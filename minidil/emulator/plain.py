"""Running a plain `@cuda.jit` kernel: its arguments, as numba.cuda takes them, go to the emulated device and come back."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from inspect import signature
from typing import Any, TypeAlias

import numpy as np

from minidil.emulator.arrays import EmulatedArray, to_device
from minidil.emulator.compiler import Capability, ptx_of
from minidil.emulator.report import Report, Three
from minidil.emulator.sass import Binary, assemble
from minidil.emulator.session import ROUNDS, current, execute, recording
from minidil.emulator.uncompiled import uncompiled
from minidil.errors import DtypeError, OptionError

Size: TypeAlias = "int | Sequence[int]"
MAX_THREADS, MAX_Z, MAX_GRID_X, MAX_GRID_YZ = 1024, 64, 2**31 - 1, 65_535


def run(
    kernel: Any,
    grid: Size,
    block: Size,
    *arguments: Any,
    shared: int = 0,
    keep_going: bool = False,
    rounds: int = ROUNDS,
) -> Report:
    """Run a kernel on grid x block threads and report.

    kernel: decorated with `@cuda.jit`, or the plain function. arguments: NumPy arrays, which are copied there and back, numbers,
    tuples, or what `cuda.to_device` made inside of `emulate()`. shared: bytes of dynamic shared memory.
    keep_going: collect all faults in the report instead of raising a KernelError at the first.
    rounds: how often threads may go round loops before these count as endless.
    """
    with recording(keep_going=keep_going, checks=True, rounds=rounds) as report:
        launch(kernel, grid, block, arguments, shared)
    return report


def machine_code(kernel: Any, *arguments: Any, capability: Capability = (8, 0)) -> Binary:
    """What NVIDIA's assembler makes of a kernel for arguments of these types: registers, spills, shared memory, instructions.

    Raises: BackendError if a tool is missing; see `sass.tool`.
    """
    name = _name(kernel)
    types = tuple(
        _type(name, value, to_device(value) if isinstance(value, np.ndarray) else value) for value in arguments
    )
    fastmath = bool(getattr(kernel, "targetoptions", {}).get("fastmath"))
    return assemble([ptx_of(getattr(kernel, "py_func", kernel), types, capability, False, fastmath)], capability)[0]


class emulated:
    """Decorator for a plain kernel, above `@cuda.jit`: `kernel[grid, block](x, y)` then runs in the emulator."""

    def __init__(self, kernel: Any) -> None:
        self.kernel = kernel

    def __getitem__(self, configuration: tuple[Any, ...]) -> Callable[..., None]:
        return Configured(self.kernel, configuration)


class Configured:
    """A kernel with the size of its launch, as `kernel[grid, block, stream, shared]` makes it."""

    def __init__(self, kernel: Any, configuration: tuple[Any, ...]) -> None:
        if not isinstance(configuration, tuple) or not 2 <= len(configuration) <= 4:
            raise OptionError(
                f"{_name(kernel)}: launch it as {_name(kernel)}[grid, block](...), not [{configuration!r}]"
            )
        self._kernel = kernel
        self._grid, self._block, _, self._shared = (
            (*configuration, 0, 0)[:4] if len(configuration) < 4 else configuration
        )

    def __call__(self, *arguments: Any) -> None:
        with nullcontext() if current().report else recording(checks=True, rounds=ROUNDS, warn=True):
            launch(self._kernel, self._grid, self._block, arguments, self._shared)


def launch(kernel: Any, grid: Size, block: Size, arguments: Sequence[Any], shared: int) -> None:
    """Run a kernel in the session that is open. Raises: OptionError for sizes that no GPU takes, DtypeError for odd arguments."""
    from numba.core.errors import NumbaError
    from numba.cuda.core.errors import UnsupportedBytecodeError

    function, name = getattr(kernel, "py_func", kernel), _name(kernel)
    options = getattr(kernel, "targetoptions", {})
    if options.get("device"):
        raise OptionError(f"{name} is a device function: it is called by kernels, and cannot be launched")
    if options.get("link"):
        raise OptionError(f"{name} is linked with code in other languages (link=...), which the emulator cannot run")
    blocks, threads = three(name, "grid", grid), three(name, "block", block)
    count = threads[0] * threads[1] * threads[2]
    if count > MAX_THREADS or threads[2] > MAX_Z or blocks[0] > MAX_GRID_X or max(blocks[1:]) > MAX_GRID_YZ:
        raise OptionError(
            f"{name}: a GPU refuses to launch grid {blocks}, block {threads} of {count} threads; a block has at most "
            f"{MAX_THREADS} threads, {MAX_Z} of them along z, and a grid at most {MAX_GRID_YZ} blocks along y and z"
        )
    parameters = signature(function).parameters
    if len(arguments) != len(parameters) and all(each.kind is not each.VAR_POSITIONAL for each in parameters.values()):
        wanted = f"{len(parameters)} argument{'s' * (len(parameters) != 1)} ({', '.join(parameters)})"
        raise OptionError(f"{name} takes {wanted}, and was launched with {len(arguments)}")
    hints = [(argument, getattr(argument, "value", argument)) for argument in arguments]
    held = [to_device(value) if isinstance(value, np.ndarray) else value for _, value in hints]
    types = tuple(_type(name, value, copy) for (_, value), copy in zip(hints, held, strict=True))
    try:
        execute(function, types, name, blocks, threads, held, shared, bool(options.get("fastmath")))
    except (NumbaError, UnsupportedBytecodeError) as error:
        raise uncompiled(name, function, error) from error
    except TypeError as error:
        if "void return type" not in str(error):
            raise
        raise uncompiled(name, function, error) from error
    for (hint, value), copy in zip(hints, held, strict=True):
        if isinstance(value, np.ndarray) and value.flags.writeable and type(hint).__name__ != "In":
            copy.copy_to_host(value)


def _name(kernel: Any) -> str:
    return str(getattr(kernel, "__name__", "kernel"))


def three(name: str, what: str, size: Any) -> Three:
    """A size of one to three axes as three. Raises: OptionError for anything else, and for an empty one."""
    given = tuple(size) if isinstance(size, Sequence) else (size,)
    if not 1 <= len(given) <= 3 or any(
        not isinstance(n, int | np.integer) or isinstance(n, bool) or n < 1 for n in given
    ):
        raise OptionError(f"{name}: the {what} must be 1 to 3 whole numbers above 0, not {size!r}")
    x, y, z = (*map(int, given), 1, 1)[:3]
    return x, y, z


def _type(name: str, value: Any, held: Any) -> Any:
    """numba's type of an argument."""
    from numba.core.errors import NumbaError
    from numba.cuda.np.numpy_support import from_dtype
    from numba.cuda.types import Array
    from numba.cuda.typing.typeof import Purpose, typeof

    if isinstance(held, EmulatedArray):
        layout = "C" if held.is_c_contiguous() else "F" if held.is_f_contiguous() else "A"
        readonly = isinstance(value, np.ndarray) and not value.flags.writeable
        return Array(from_dtype(held.dtype), held.ndim, layout, readonly=readonly)
    try:
        if isinstance(value, str | bytes | list | dict | set) or value is None:
            raise ValueError(value)
        return typeof(value, Purpose.argument)
    except (ValueError, NumbaError):
        raise DtypeError(f"{name}: an argument of type {type(value).__name__} is nothing that a kernel takes") from None
