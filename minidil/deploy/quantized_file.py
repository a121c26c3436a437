"""A network in whole numbers as a checkpoint: weights in int8, so about a quarter of what they take in float32."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import fields
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import numpy as np

from minidil.deploy.quantized import Grid, MaxPool, Mean, Plain, Quantized, Step, Sum, Weighted
from minidil.deploy.recording import Call, Value
from minidil.errors import BackendError, CheckpointError, MinidilError, OptionError
from minidil.kernels.geometry import Window
from minidil.storage import checkpoint

if TYPE_CHECKING:
    from minidil.deploy.int8_plan import Int8Plan

_KINDS: dict[str, type[Step]] = {kind.__name__: kind for kind in (Weighted, Sum, Mean, MaxPool, Plain)}
_FORMAT = "minidil int8 1"


def save_quantized(plan: Int8Plan, path: str | os.PathLike[str]) -> None:
    """Write what the plan computes, whole or not at all; `load_quantized` reads it.

    Raises: OptionError for a call with an option that no file takes; StorageError if the disk does not take the file.
    """
    steps = [{"kind": type(step).__name__, **_fields(step)} for step in plan.network.steps]
    checkpoint.save(path, {"format": _FORMAT, **_fields(plan.network), "steps": steps})


def load_quantized(path: str | os.PathLike[str]) -> Int8Plan:
    """The plan that `save_quantized` wrote, which computes the same to the bit.

    Raises: CheckpointError if the file is damaged, no such network, or one whose parts do not fit together; OSError if there is
        no such file; BackendError without Numba.
    """
    tree = checkpoint.load(path)
    if not isinstance(tree, dict) or tree.get("format") != _FORMAT:
        raise CheckpointError(f"load_quantized: {path} is a checkpoint, but not of a network in whole numbers")
    if not find_spec("numba"):
        raise BackendError("load_quantized: a plan runs on Numba, which is not installed: pip install numba")
    from minidil.deploy.int8_plan import Int8Plan  # here, as they bring Numba
    from minidil.deploy.quantized_check import check

    try:
        told = {name: _read(value) for name, value in tree.items() if name not in ("format", "steps")}
        steps = []
        for each in tree["steps"]:
            facts = {name: _read(value) for name, value in each.items() if name != "kind"}
            steps.append(_KINDS[each["kind"]](**facts))
        network = Quantized(**told, steps=tuple(steps))
        check(network)
    except (MinidilError, TypeError, ValueError, KeyError, IndexError, AttributeError) as error:
        reason = str(error) or type(error).__name__
        raise CheckpointError(f"load_quantized: {path} holds a network that does not fit together: {reason}") from error
    return Int8Plan(network)


def _fields(each: Step | Quantized) -> dict[str, Any]:
    return {field.name: _written(getattr(each, field.name)) for field in fields(each) if field.name != "steps"}


_RECORDS: dict[str, Any] = {"grid": Grid, "window": Window, "call": Call}


def _written(value: Any) -> Any:
    """As a tree; what a checkpoint has no word for becomes a dict of one name."""
    if value is None or isinstance(value, bool | int | float | str | np.ndarray):
        return value
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, Value):
        return {"value": value.number}
    if isinstance(value, list):
        return {"list": [_written(each) for each in value]}
    if isinstance(value, tuple):
        return [_written(each) for each in value]
    if isinstance(value, slice):
        return {"slice": [_written(each) for each in (value.start, value.stop, value.step)]}
    if value is Ellipsis:
        return {"ellipsis": True}
    if isinstance(value, Mapping):
        return {"options": {name: _written(each) for name, each in value.items()}}
    for name, kind in _RECORDS.items():
        if isinstance(value, kind):
            return {name: [_written(getattr(value, field.name)) for field in fields(value)]}
    raise OptionError(f"save_quantized: an option of a call is {value!r:.99}, which no file takes")


def _read(value: Any) -> Any:
    if isinstance(value, list):
        return tuple(map(_read, value))
    if not isinstance(value, dict):
        return value
    ((name, content),) = value.items()
    if name in _RECORDS:
        return _RECORDS[name](*map(_read, content))
    if name == "options":
        return {option: _read(each) for option, each in content.items()}
    if name == "value":
        return Value(content)
    if name == "list":
        return [_read(each) for each in content]
    if name == "slice":
        start, stop, step = content
        return slice(start, stop, step)
    if name == "ellipsis":
        return ...
    raise CheckpointError(f"there is no {name!r}")
