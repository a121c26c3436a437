"""What Python's operators do with tensors: functions that become the methods behind +, -=, <, ~ and the like."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from minidil.array import Array
from minidil.calls.lift import lift
from minidil.calls.recorded import Recorded
from minidil.errors import CallError, DtypeError, GraphError
from minidil.graph import is_grad_enabled
from minidil.kernels.backend import active
from minidil.operand import Operand, operand, placed
from minidil.ops.common import Vjps, check_broadcast


def swapped(op: Callable[..., tuple[Array, Vjps]]) -> Callable[..., Any]:
    """The reflected operator: other + tensor."""
    function = lift(op)
    return lambda self, other: function(other, self)


def in_place(op: Callable[..., tuple[Array, Vjps]]) -> Callable[..., Any]:
    """An operator such as `-=`. A leaf that needs a gradient stays, and takes the new value; else a new tensor is made."""
    function = lift(op)

    def update(self: Any, other: Operand) -> Any:
        if not (self.is_leaf and self.requires_grad):
            return function(self, other)
        if is_grad_enabled():
            raise GraphError(
                f"{op.__name__}: this leaf needs a gradient, and changing it would hide it behind a computed tensor; "
                "update it inside `with minidil.no_grad():`, or write x = x + y under another name"
            )
        self.data = function(self, other).data
        return self

    return update


def comparison(kernel: str) -> Callable[..., Any]:
    """A comparison: a tensor of bools, without gradient."""

    def compare(self: Recorded, other: Operand) -> Any:
        if not isinstance(other, Recorded | np.ndarray | np.generic | int | float):
            return NotImplemented
        kernels = active()
        array = operand(kernel, kernels, other, keep=False)
        check_broadcast(kernel, self._array, 0 if array is None else array)
        return Recorded.results.of(getattr(kernels, kernel)(placed(kernels, self), array))

    return compare


def without_gradient(self: Recorded, other: Any) -> Any:
    raise CallError("whole quotients and remainders have no gradient; compute them with NumPy, on x.numpy()")


def on_masks(symbol: str, combine: Callable[..., Any]) -> Callable[..., Any]:
    """A logical operator: of tensors of bools, without gradient."""

    def operate(*masks: Any) -> Any:
        for mask in masks:
            if not isinstance(mask, bool) and getattr(mask, "dtype", None) != np.bool_:
                found = getattr(mask, "dtype", type(mask).__name__)
                raise DtypeError(
                    f"{symbol} combines masks of bools, and one of these is {found}; compare first, as in x > 0"
                )
        return combine(*(np.asarray(mask) if isinstance(mask, bool) else mask for mask in masks))

    return operate
