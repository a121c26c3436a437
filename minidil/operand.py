"""What may stand for a tensor in a call, and what an op gets for it.

An array is moved to where the active backend computes when it is first used there, and a tensor remembers the array that was
moved: a model that was built on the host is on the GPU after its first step, and comes back when a CPU backend uses it. What
a device cannot hold (float64, int64) stays on the host, for the kernels there to take or to refuse by name.
"""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import DTypeLike

from minidil.array import Array, OnDevice
from minidil.errors import DtypeError, ShapeError
from minidil.kernels.contract import Kernels
from minidil.rows import Rows


class Holder:
    """The one thing that this file knows of a tensor: it holds an array."""

    __slots__ = ("_array",)
    _array: Array


_COMPUTED = (np.dtype(np.float32), np.dtype(np.float64))

Operand: TypeAlias = Holder | Array | int | float | None


def copied(data: Any, dtype: DTypeLike | None = None) -> Array:
    """A new array with these values. Python floats become float32; an array keeps its type unless dtype says otherwise.

    The bytes of a number are put in this machine's order. Raises: ShapeError for ragged lists, DtypeError for anything but
    numbers and bools.
    """
    if isinstance(data, Holder):
        data = data._array
    if isinstance(data, OnDevice) and dtype in (None, data.dtype):
        return as_array(data)  # never written into, so it can be shared
    try:
        array = np.array(data, dtype)
    except ValueError as error:
        raise ShapeError(f"tensor: {error}") from None
    if array.dtype.kind not in "fiub":
        raise DtypeError(f"tensor: {array.dtype} is no number type that minidil computes with")
    if dtype is None and array.dtype == np.float64 and not isinstance(data, np.ndarray | np.generic):
        array = array.astype(np.float32)
    return array.astype(array.dtype.newbyteorder("="), copy=False)


def as_array(array: Any) -> Array:
    """The one place where types look away: what an op calls an array may lie in a device's memory."""
    held: Array = array
    return held


def placed(kernels: Kernels, holder: Holder) -> Array:
    """The array of a tensor where the kernels compute. The tensor keeps it, so that it moves once; `Rows` it goes on being."""
    if kernels.hold is not None:
        return kernels.hold(holder)
    array = kernels.place(holder._array)
    if not isinstance(holder._array, Rows):
        holder._array = array
    return array


def operand(
    op: str, kernels: Kernels, value: Operand, keep: bool, name: str = "", optional: bool = False
) -> Array | int | float | None:
    """What the op gets for an operand, which messages call by its name, and which may be None if it is optional.

    An array that a graph will keep is copied: its owner may write into it.
    """
    if isinstance(value, Holder):
        return placed(kernels, value)
    if isinstance(value, OnDevice):
        return kernels.place(value)
    if isinstance(value, np.ndarray):
        return kernels.place(value.astype(value.dtype.newbyteorder("="), copy=keep))
    if isinstance(value, np.generic):
        number: int | float = value.item()
        return number
    if isinstance(value, int | float) or (value is None and optional):
        return value
    raise DtypeError(f"{op}: {_misfit(value, name)}")


def _misfit(value: Any, name: str) -> str:
    """What is wrong with an operand, and what to write."""
    kind = type(value).__name__
    if value is None:
        return f"{name or 'an operand'} is None, as a .grad is before backward()"
    if type(value).__module__.split(".")[0] == "torch":
        return f"takes minidil's tensors, not PyTorch's {kind}; convert it with minidil.tensor({name or 'x'}.detach().numpy())"
    if hasattr(value, "_fields"):
        return f"takes a tensor, and this is the pair ({', '.join(value._fields)}); take .{value._fields[0]}"
    if isinstance(value, tuple | list | str | dict) and name not in ("", "x", "a", "b"):
        return (
            f"{name} must be a tensor, an array or a number, not the {kind} {value!r:.60}; an option such as a size or a mode "
            "is given by its name"
        )
    return f"takes tensors, arrays and numbers, not {kind}; wrap it with minidil.tensor"


def unwrapped(kernels: Kernels, option: Any, keep: bool) -> Any:
    """What the op gets for an option: arrays for tensors, also inside a tuple (an index, say). What may change is copied.

    Integers name classes and positions, which ops check on the host, so there they are brought. Arrays of the host stay,
    since many options are looked at by the host alone; a kernel that computes with one moves it.
    """
    if isinstance(option, Holder):
        option = option._array
        keep = False
    if isinstance(option, OnDevice):
        return np.asarray(option) if option.dtype.kind == "i" else kernels.place(option)
    if isinstance(option, tuple):
        return tuple(unwrapped(kernels, entry, keep) for entry in option)
    return option.copy() if keep and isinstance(option, np.ndarray | list) else option


def as_tensors(kernels: Kernels, arrays: list[Array | int | float | None]) -> list[Array | int | float | None]:
    """What an op gets. Numbers adapt to arrays; without one, floats are float32, as they would be in `tensor`."""
    for x in arrays:
        if hasattr(x, "dtype"):
            return arrays
    if not any(isinstance(x, float) for x in arrays):
        return arrays
    return [kernels.constant(x, like=np.empty((), np.float32)) if isinstance(x, float) else x for x in arrays]


def check_dtypes(op: str, names: list[str], arrays: list[Array | int | float | None]) -> None:
    """Raise a DtypeError unless all arrays of numbers have one type, which holds the ints among the operands; bools may join
    them as masks.

    Of the floating types float32 and float64 are for computing; a tensor of another one, such as float16, is for storage.
    names: what the message calls the arrays; those beyond (an op can take any number) go by their position.
    """
    first = None
    for x in arrays:  # what nearly every call has: floats of one type
        dtype = getattr(x, "dtype", None)
        if dtype is not None and dtype is not first:
            if first is not None:
                break
            first = dtype
    else:
        if first is None or first in _COMPUTED:
            return
    called = [*names, *(f"array {i}" for i in range(len(names), len(arrays)))]
    kinds = {
        name: x.dtype
        for name, x in zip(called, arrays, strict=False)
        if isinstance(x, np.ndarray | OnDevice) and x.dtype != bool
    }
    if len(set(kinds.values())) > 1:
        listed = ", ".join(f"{name} is {dtype}" for name, dtype in kinds.items())
        raise DtypeError(f"{op}: {listed}; nothing is cast silently, so convert one with astype")
    for name, dtype in kinds.items():
        if dtype.kind in "iu":
            ends = np.iinfo(dtype)
            for number in arrays:
                if isinstance(number, int) and not ends.min <= number <= ends.max:
                    raise DtypeError(
                        f"{op}: {name} is {dtype}, which holds {ends.min}..{ends.max} and not {number}; use astype first"
                    )
        if dtype.kind == "f" and dtype not in (np.float32, np.float64) and op != "astype":
            raise DtypeError(f"{op}: {name} is {dtype}, and computing is done in float32 and float64; use astype first")
