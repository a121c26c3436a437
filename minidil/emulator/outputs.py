"""Which elements of its results a kernel has left out."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from minidil.emulator.decode import Decoded
from minidil.emulator.memory import BASE, UNWRITTEN, WRITTEN
from minidil.emulator.report import Finding


class _Output(NamedTuple):
    name: str
    array: Any
    before: NDArray[np.uint8]  # the states of its bytes


class Outputs:
    """The arrays among the arguments that a kernel only writes. Made before a launch, which must not need what they hold."""

    def __init__(self, function: Callable[..., None], decoded: Decoded, arguments: Sequence[Any]) -> None:
        self._memory, self._function = decoded.memory, function
        written, read = decoded.origins.written, decoded.origins.read
        self._outputs: list[_Output] = []
        names, parameters, first = [*inspect.signature(function).parameters], decoded.program.parameters, 0
        arrays = [argument for argument in arguments if hasattr(argument, "address")]
        for name, argument in zip(names, arguments, strict=True):
            if not hasattr(argument, "address"):
                first += _parameters(argument)
                continue
            place, first = parameters[first + 4][0], first + 5 + 2 * len(argument.shape)
            alone = not any(other is not argument and _overlap(argument, other) for other in arrays)
            if written and place in written and read is not None and place not in read and alone and _whole(argument):
                states = self._states(argument)
                self._outputs.append(_Output(name, argument, states.copy()))
                states[:] = UNWRITTEN

    def _states(self, array: Any) -> NDArray[np.uint8]:
        start = array.address - BASE
        states: NDArray[np.uint8] = self._memory.state[start : start + array.size * array.dtype.itemsize]
        return states

    def left_out(self, kernel: str) -> list[Finding]:
        """A warning for each output that is not written whole; what it held before the launch counts as written again."""
        found = []
        for name, array, before in self._outputs:
            states = self._states(array)
            kept = states.reshape(-1, array.dtype.itemsize)[:, 0] != WRITTEN
            np.maximum(states, before, out=states)
            if kept.any():
                found.append(self._finding(kernel, name, array, kept))
        return found

    def _finding(self, kernel: str, name: str, array: Any, kept: NDArray[np.bool_]) -> Finding:
        place = [int(i) for i in np.unravel_index(int(np.argmax(kept)), array.shape)]
        count = int(kept.sum())
        if count == array.size:
            message = f"not one of the {count:,} elements of {name} was written"
        else:
            message = f"{count:,} of the {array.size:,} elements of {name} were not written, the first is {name}{place}"
        code = self._function.__code__
        message += "; if that is meant, all is well, and if not, the grid may be too small or a condition too narrow"
        zero = (0, 0, 0)
        return Finding(
            "never written",
            message,
            kernel,
            code.co_filename,
            code.co_firstlineno,
            f"def {kernel}",
            "",
            zero,
            zero,
            count,
            "warning",
        )


def _parameters(argument: Any) -> int:
    if isinstance(argument, tuple):
        return sum(map(_parameters, argument))
    return 2 if isinstance(argument, complex | np.complexfloating) else 1


def _whole(array: Any) -> bool:
    """Whether its elements lie behind each other without gaps, row by row."""
    expected, size = [], array.dtype.itemsize
    for extent in reversed(array.shape):
        expected.append(size)
        size *= extent
    return array.size > 0 and tuple(reversed(expected)) == tuple(array.strides)


def _overlap(one: Any, other: Any) -> bool:
    ends = [array.address + array.size * array.dtype.itemsize for array in (one, other)]
    return bool(one.address < ends[1] and other.address < ends[0])
