"""`lift`, which makes functions of tensors out of ops."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import wraps
from typing import Any

import numpy as np

from minidil.array import Array
from minidil.calls.binding import Call, documentation
from minidil.calls.listen import listeners
from minidil.calls.recorded import Recorded
from minidil.errors import GraphError
from minidil.graph import Node, is_grad_enabled
from minidil.kernels.backend import active
from minidil.kernels.contract import Kernels
from minidil.operand import as_tensors, check_dtypes, operand, placed, unwrapped
from minidil.ops.common import Vjps

_FLOAT64 = np.dtype(np.float64)


def lift(
    op: Callable[..., tuple[Array, Vjps]], *, order: Sequence[str] | None = None, by_position: int | None = None
) -> Callable[..., Any]:
    """Turn an op into a function of tensors with the same name and parameters, which `minidil.calls.binding` binds.

    Operands are tensors, NumPy arrays (constants, copied if they are kept), Python numbers or None; options that are tensors
    are passed on as arrays, as constants. Where floats come of integers alone, as in 1 / 2, they are float32.
    order and by_position: as `binding.Call` takes them.
    Raises: CallError if the arguments do not fit the parameters; DtypeError if number types would have to be mixed: nothing
        is cast silently; GraphError if an option needs a gradient, since it would get none.
    """
    call = Call(op, order, by_position)

    @wraps(op)
    def function(*given: Any, **named: Any) -> Any:
        operands, options = call.bind(given, named)
        record = False
        for x in operands:  # loops and no generators: this is passed by every call, however small its arrays
            if isinstance(x, Recorded) and x._requires_grad:
                record = is_grad_enabled()
                break
        kernels = active()
        arrays = as_tensors(
            kernels,
            [
                placed(kernels, x)
                if isinstance(x, Recorded)
                else operand(op.__name__, kernels, x, record, call.operand_name(place), call.optional(place))
                for place, x in enumerate(operands)
            ],
        )
        check_dtypes(op.__name__, call.operands, arrays)
        if call.checked(options):
            options = {name: _constant(op.__name__, kernels, name, x, record) for name, x in options.items()}
        y, vjps = op(*arrays, **options)
        if y.dtype == _FLOAT64 and op.__name__ != "astype":
            y = _as_default(y, (*arrays, *options.values()))
        edges = [
            (x._node or x, vjp)
            for x, vjp in zip(operands, vjps, strict=False)
            if record and isinstance(x, Recorded) and x.requires_grad and vjp is not None
        ]
        result = Recorded.results.of(y, Node(op.__name__, edges, kernels) if edges else None)
        for listener in listeners.get():
            listener(op.__name__, operands, options, result)
        return result

    function.__signature__ = call.signature  # type: ignore[attr-defined]
    function.__doc__ = documentation(op)
    function.__annotations__ = {}
    return function


def _constant(op: str, kernels: Kernels, name: str, value: Any, keep: bool) -> Any:
    """What the op gets for an option."""
    if isinstance(value, Recorded) and value.requires_grad and is_grad_enabled():
        raise GraphError(f"{op}: {name} is a constant here and would get no gradient; pass {name}.detach()")
    return unwrapped(kernels, value, keep)


def _as_default(y: Array, given: Iterable[Any]) -> Array:
    """A result of float64 in float32, the number type that floats have here, unless something given was of float64.

    It is what NumPy makes of integers that are divided, or meet a number with a fraction.
    """
    return y if any(hasattr(x, "dtype") and x.dtype == _FLOAT64 for x in given) else y.astype(np.float32)
