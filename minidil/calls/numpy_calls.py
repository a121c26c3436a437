"""What NumPy's functions do with tensors: compute with their values, unless that would lose a graph."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from minidil.errors import GraphError
from minidil.graph import is_grad_enabled
from minidil.operand import Holder

# What keeps the graph: minidil's word for NumPy's function. Other names than these have no counterpart.
_SAME = (
    "sum mean var std max min argmax argmin prod cumsum clip where concatenate stack reshape transpose pad einsum matmul squeeze "
    "split flip any all sort repeat"
)
_WORDS = {name: name for name in _SAME.split()} | {
    "dot": "matmul",
    "vdot": "matmul",
    "inner": "matmul",
    "amax": "max",
    "amin": "min",
    "expand_dims": "unsqueeze",
    "broadcast_to": "expand",
    "ravel": "flatten",
    "array_split": "split",
    "hstack": "concatenate",
    "vstack": "concatenate",
    "norm": "norm",
    "tensordot": "einsum",
}


def with_numpy(function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Call NumPy's function with the tensors' values.

    Raises: GraphError if one of the tensors needs a gradient.
    """
    found: list[Holder] = []
    values = _without_tensors((args, kwargs), found)
    if is_grad_enabled() and any(getattr(tensor, "requires_grad", False) for tensor in found):
        name = function.__name__
        advice = f"use minidil.functional.{_WORDS[name]}, or" if name in _WORDS else "use"
        raise GraphError(
            f"np.{name}: a tensor here needs a gradient, which NumPy would lose; {advice} x.detach().numpy()"
        )
    return function(*values[0], **values[1])


def _without_tensors(value: Any, found: list[Holder]) -> Any:
    if isinstance(value, Holder):
        found.append(value)
        return value.numpy()  # type: ignore[attr-defined]
    if isinstance(value, list | tuple) and type(value) in (list, tuple):
        return type(value)(_without_tensors(entry, found) for entry in value)
    if isinstance(value, dict):
        return {key: _without_tensors(entry, found) for key, entry in value.items()}
    return value
