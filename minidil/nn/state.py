"""Saving and loading the values of a model: its parameters and buffers by name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np

from minidil.array import Array
from minidil.errors import CheckpointError
from minidil.nn.parameter import Parameter
from minidil.nn.protocol import ModuleLike
from minidil.tensor import Tensor


class Ignored(NamedTuple):
    """The keys that a load with strict=False passed over."""

    missing_keys: tuple[str, ...]
    unexpected_keys: tuple[str, ...]


def state_of(module: ModuleLike) -> dict[str, Array]:
    """A copy of every parameter and buffer. A shared one stands under each of its names, as in PyTorch."""
    return {name: np.array(_value(owner, attribute)) for name, owner, attribute in _slots(module)}


def declared(module: ModuleLike) -> dict[str, tuple[tuple[int, ...], np.dtype[Any]]]:
    """Shape and type of every parameter and buffer by name, without copying any."""
    slots = ((name, _value(owner, attribute)) for name, owner, attribute in _slots(module))
    return {name: (value.shape, value.dtype) for name, value in slots}


def load_state(module: ModuleLike, state: Mapping[str, Any], strict: bool) -> Ignored:
    """Set every parameter and buffer from `state`, or change nothing and raise one CheckpointError with all that is wrong."""
    slots = {name: (owner, attribute) for name, owner, attribute in _slots(module)}
    missing = tuple(name for name in slots if name not in state)
    unexpected = tuple(name for name in state if name not in slots)

    wrong: list[str] = []
    for name in [name for name in slots if name in state]:
        given, current = _array(state[name]), _value(*slots[name])
        if given.shape != current.shape:
            wrong.append(f"{name} has shape {given.shape} but the model needs {current.shape}")
        elif not np.can_cast(given.dtype, current.dtype, "same_kind"):
            wrong.append(f"{name} has type {given.dtype} but the model needs {current.dtype}")

    faults = [
        *([f"missing {len(missing)}: {', '.join(missing)}"] if missing and strict else []),
        *([f"unexpected {len(unexpected)}: {', '.join(unexpected)}"] if unexpected and strict else []),
        *([f"misfitting {len(wrong)}: {', '.join(wrong)}"] if wrong else []),
    ]
    if faults:
        raise CheckpointError(
            f"load_state_dict: the state does not fit this {type(module).__name__}; " + "; ".join(faults)
        )

    for name, (owner, attribute) in slots.items():
        if name in state:
            _set(owner, attribute, np.array(_array(state[name]), _value(owner, attribute).dtype))
    return Ignored(missing, unexpected)


def _slots(module: ModuleLike, prefix: str = "") -> Iterator[tuple[str, ModuleLike, str]]:
    """(full name, owner, attribute) of every parameter and buffer, in PyTorch's order: parameters, buffers, children."""
    for kind in (module.own_parameters(), module.own_buffers()):
        for attribute in kind:
            yield prefix + attribute, module, attribute
    for name, child in module.own_children().items():
        yield from _slots(child, f"{prefix}{name}.")


def _value(owner: ModuleLike, attribute: str) -> Array:
    slot: Parameter | Array = getattr(owner, attribute)
    return slot.data if isinstance(slot, Tensor) else slot


def _set(owner: ModuleLike, attribute: str, value: Array) -> None:
    slot = getattr(owner, attribute)
    if isinstance(slot, Parameter):
        slot.data = value
    else:
        setattr(owner, attribute, value)


def _array(value: Any) -> Array:
    return value.data if isinstance(value, Tensor) else np.asarray(value)
