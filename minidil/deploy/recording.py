"""The calls of a model's forward, as a graph: which op made which value of which others, with what constants, in which layer.

analysis/trace.py follows positions through the calls; here it is numbers that matter, so constants are kept with their values.
The forward runs twice, on batches of different sizes: what is the same in both runs does not depend on the batch.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from minidil.array import Array
from minidil.calls.listen import listening
from minidil.errors import MinidilError, OptionError
from minidil.graph import no_grad
from minidil.nn import Module
from minidil.nn.modes import evaluating
from minidil.tensor import Tensor

_BATCHES = 2, 3


class Value(NamedTuple):
    """The number of a value: 0 is the model's input, n the result of call n - 1."""

    number: int


@dataclass(frozen=True)
class Call:
    """One call of an op; operands are values, or constants: arrays, numbers or None. shape: of the result for one image."""

    op: str
    layer: str
    operands: tuple[Any, ...]
    options: Mapping[str, Any]
    shape: tuple[int, ...]

    @property
    def reads(self) -> tuple[int, ...]:
        """The numbers of the values among the operands."""
        return tuple(each.number for each in self.operands if isinstance(each, Value))

    def refusal(self, why: str, who: str = "compile") -> OptionError:
        """The error that names the op and the layer. who: the function that refuses."""
        return OptionError(f"{who}: {self.op} in {self.where} {why}; the model is as it was")

    @property
    def where(self) -> str:
        """The layer in words."""
        return f"layer {self.layer!r}" if self.layer else "the model's own forward"


@dataclass(frozen=True)
class Recording:
    """The calls in order, and the number of the value that is the model's result."""

    model: str
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    calls: tuple[Call, ...]
    output: int


def record(model: Module, input_shape: Sequence[int], who: str = "compile") -> Recording:
    """Run the model in evaluation mode and note its calls; the model is left as it was. who: the function that errors name.

    Raises: OptionError for an input_shape that is none, for a result that is no tensor, and if a call or its constants depend
        on how many images there are.
    """
    shape = tuple(input_shape) if isinstance(input_shape, Sequence) else ()
    if not shape or not all(isinstance(n, int) and not isinstance(n, bool) and n >= 1 for n in shape):
        raise OptionError(f"{who}: input_shape is that of one image, (C, *S), all ints >= 1, not {input_shape!r}")
    dtype = next((parameter.dtype for parameter in model.parameters()), np.dtype(np.float32))
    (calls, output), (others, other_output) = (_run(model, (n, *shape), dtype, who) for n in _BATCHES)
    if len(calls) != len(others) or output != other_output:
        raise OptionError(
            f"{who}: {type(model).__name__} makes {len(calls)} calls for {_BATCHES[0]} images and {len(others)} for "
            f"{_BATCHES[1]}; they must be the same for any number of them"
        )
    merged = tuple(_merged(one, other, who) for one, other in zip(calls, others, strict=True))
    return Recording(type(model).__name__, shape, dtype, merged, output)


def _run(model: Module, shape: tuple[int, ...], dtype: np.dtype[Any], who: str) -> tuple[list[Call], int]:
    x = Tensor(np.zeros(shape, dtype))
    numbers, kept, calls, inside = {id(x): 0}, [x], list[Call](), [""]

    def note(op: str, operands: Sequence[Any], options: Mapping[str, Any], result: Any) -> None:
        if any(id(value) in numbers for value in operands):
            if any(id(value) in numbers for value in options.values()):
                raise OptionError(f"{who}: {op} in layer {inside[-1]!r} computes an option from the model's input")
            found = tuple(Value(numbers[id(each)]) if id(each) in numbers else _constant(each) for each in operands)
            calls.append(Call(op, inside[-1], found, dict(options), tuple(result.shape)))
            kept.append(result)  # so that no other tensor gets its id
            numbers[id(result)] = len(calls)

    def enter(name: str) -> Any:
        return lambda module, inputs: inside.append(name)

    def leave(module: Any, inputs: Any, output: Any) -> None:
        inside.pop()

    try:
        with evaluating(model), ExitStack() as stack, no_grad():
            for name, module in model.named_modules():
                stack.callback(module.register_forward_pre_hook(enter(name)).remove)
                stack.callback(module.register_forward_hook(leave).remove)
            stack.enter_context(listening(note))
            y = model(x)
    except MinidilError as error:
        if inside[-1]:
            error.add_note(f"in layer {inside[-1]!r}")
        raise
    if not isinstance(y, Tensor):
        raise OptionError(f"{who}: {type(model).__name__} returns a {type(y).__name__}; it must be one tensor")
    if id(y) not in numbers or not calls:
        raise OptionError(
            f"{who}: the output of {type(model).__name__} was not computed from its input by ops of minidil"
        )
    return calls, numbers[id(y)]


def _constant(operand: Any) -> Any:
    """A copy: training goes on with the model's own."""
    if isinstance(operand, Tensor):
        return np.array(operand.numpy())
    return operand.copy() if isinstance(operand, np.ndarray) else operand


def _merged(one: Call, other: Call, who: str) -> Call:
    """The call for any number of images."""
    if (one.op, one.layer, one.reads) != (other.op, other.layer, other.reads):
        raise one.refusal(f"is {other.op} in {other.where} for another number of images", who)
    if (
        not (one.shape and other.shape)
        or (one.shape[0], other.shape[0]) != _BATCHES
        or one.shape[1:] != other.shape[1:]
    ):
        raise one.refusal(
            f"makes {one.shape} of 2 images and {other.shape} of 3: no axis 0 that stands for the images", who
        )
    options = dict(one.options)
    if one.op in ("reshape", "expand") and _are_batches(one.options.get("shape"), other.options.get("shape")):
        options["shape"] = other.options["shape"] = (-1, *one.options["shape"][1:])  # type: ignore[index]
    if not _same([*one.operands], [*other.operands]) or not _same(options, dict(other.options)):
        raise one.refusal("is given something else for another number of images", who)
    return Call(one.op, one.layer, one.operands, options, one.shape[1:])


def _are_batches(one: Any, other: Any) -> bool:
    return isinstance(one, Sequence) and isinstance(other, Sequence) and (one[0], other[0]) == _BATCHES


def _same(one: Any, other: Any) -> bool:
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(_same(one[name], other[name]) for name in one)
    if isinstance(one, list | tuple) and isinstance(other, list | tuple):
        return len(one) == len(other) and all(_same(a, b) for a, b in zip(one, other, strict=True))
    if isinstance(one, Tensor | np.ndarray):
        return isinstance(other, type(one)) and np.array_equal(_values(one), _values(other), equal_nan=True)
    return bool(one is other or one == other)


def _values(x: Any) -> Array:
    return np.asarray(x.numpy() if isinstance(x, Tensor) else x)
