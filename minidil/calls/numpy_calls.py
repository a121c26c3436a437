"""What NumPy's functions do with tensors: compute with their values, unless that would lose a graph."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from minidil.errors import CallError, GraphError
from minidil.graph import is_grad_enabled
from minidil.operand import Holder

# What keeps the graph: minidil's word for NumPy's function. Other names than these have no counterpart.
_SAME = (
    "sum mean var std max min amax amin argmax argmin prod cumsum clip where concatenate stack reshape transpose pad einsum "
    "matmul squeeze split flip any all sort repeat"
)
_WORDS = {name: name for name in _SAME.split()} | {
    "dot": "matmul",
    "vdot": "matmul",
    "inner": "matmul",
    "expand_dims": "unsqueeze",
    "broadcast_to": "expand",
    "ravel": "flatten",
    "array_split": "split",
    "hstack": "concatenate",
    "vstack": "concatenate",
    "norm": "norm",
    "tensordot": "einsum",
}

# What an operator between an array and a tensor asks the tensor.
_REFLECTED = {
    "add": "__radd__",
    "subtract": "__rsub__",
    "multiply": "__rmul__",
    "divide": "__rtruediv__",
    "true_divide": "__rtruediv__",
    "power": "__rpow__",
    "matmul": "__rmatmul__",
    "floor_divide": "__rfloordiv__",
    "remainder": "__rmod__",
    "less": "__gt__",
    "less_equal": "__ge__",
    "greater": "__lt__",
    "greater_equal": "__le__",
    "equal": "__eq__",
    "not_equal": "__ne__",
    "bitwise_and": "__rand__",
    "bitwise_or": "__ror__",
    "bitwise_xor": "__rxor__",
}
_OF_NUMBERS = ["exp", "log", "sqrt", "tanh", "maximum", "minimum", "absolute"]


def with_ufunc(tensor: Any, name: str, method: str, inputs: tuple[Any, ...], options: dict[str, Any]) -> Any:
    """What an array's operator does with a tensor on its right; NumPy's other functions of single numbers are refused.

    Raises: CallError, which says what to write.
    """
    if "out" in options:
        raise CallError(
            f"np.{name}: an array is not changed by a tensor; take the tensor's value, x.detach().numpy(). To change a "
            "parameter, write `with minidil.no_grad(): p -= lr * p.grad`"
        )
    if method == "__call__" and len(inputs) == 2 and inputs[1] is tensor and not options and name in _REFLECTED:
        result = getattr(tensor, _REFLECTED[name])(inputs[0])
        if result is not NotImplemented:
            return result
    advice = f"use minidil.functional.{name}, or" if name in _OF_NUMBERS else "use"
    raise CallError(f"np.{name}: takes arrays, and would lose a tensor's gradient; {advice} x.detach().numpy()")


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
