"""What a model computes, as the calls of ops that its forward makes, with the batch axis left open.

A forward is Python, and may do anything; what it did is noted while it ran. It runs on two batches of different random numbers,
2 and 3 of them: a size that follows the batch is then told from one that does not, and a number that follows the input, on a way
that no op noted, from a constant.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from minidil.array import Array
from minidil.calls.listen import listening
from minidil.errors import MinidilError, OptionError
from minidil.graph import no_grad
from minidil.nn import Embedding, Module, watch
from minidil.nn.hook import PreHook
from minidil.nn.modes import evaluating
from minidil.tensor import Tensor

BATCHES = (2, 3)

Dims = tuple[int, ...]
"""A shape, in which -1 is the size of the batch, and -f is f times that."""


@dataclass(frozen=True)
class Value:
    """What a call takes: the value of that number, 0 being the input and n the result of call n; or else a constant.

    name: that of a parameter or a buffer, "" for other constants. whole: the parameter, of which `array` is another shape.
    dtype: None for a number of Python, which has the type of what it meets.
    """

    number: int | None
    name: str
    array: Array | None
    dims: Dims
    dtype: np.dtype[Any] | None
    whole: Array | None = None


@dataclass(frozen=True)
class OpCall:
    """One call of an op: where, of what, with which options, and what came of it. of: the class of the layer, for messages."""

    op: str
    layer: str
    of: str
    operands: tuple[Value | None, ...]
    options: Mapping[str, Any]
    dims: Dims
    dtype: np.dtype[Any]

    def place(self) -> str:
        """For messages: max_pool in layer 'features.3' (MaxPool2d)."""
        return f"{self.op} in " + (f"layer {self.layer!r} ({self.of})" if self.layer else f"the forward of {self.of}")


@dataclass(frozen=True)
class Calls:
    """The calls in their order, the input's shape and type, and the number of the value that is the output."""

    dims: Dims
    dtype: np.dtype[Any]
    calls: tuple[OpCall, ...]
    output: int


@dataclass
class _Run:
    """One forward, being noted."""

    names: Mapping[int, str]
    numbers: dict[int, int]
    kept: list[Any]  # so that nothing else gets the id of what was noted
    inside: list[tuple[str, Module]]
    calls: list[OpCall] = field(default_factory=list)
    reshaped: dict[int, tuple[str, Array]] = field(default_factory=dict)

    def value(self, given: Any) -> Value | None:
        if given is None:
            return None
        self.kept.append(given)
        number = self.numbers.get(id(given))
        if number is not None:
            return Value(number, "", None, tuple(given.shape), given.dtype)
        plain = isinstance(given, int | float)
        array = np.asarray(given.numpy() if isinstance(given, Tensor) else given)
        name, whole = self.reshaped.get(id(given), (self.names.get(id(given), ""), None))
        return Value(None, name, array, array.shape, None if plain else array.dtype, whole)

    def option(self, given: Any) -> Any:
        """An option, in which arrays and tensors are values."""
        if isinstance(given, tuple | list):
            return tuple(map(self.option, given))
        return self.value(given) if isinstance(given, Tensor | np.ndarray) else given

    def note(self, op: str, operands: Sequence[Any], options: Mapping[str, Any], result: Any) -> None:
        values = tuple(map(self.value, operands))
        chosen = {name: self.option(value) for name, value in options.items()}
        if not any(value is not None and value.number is not None for value in _within((values, chosen))):
            if op == "reshape" and values[0] is not None and values[0].name and values[0].array is not None:
                self.kept.append(result)
                self.reshaped[id(result)] = values[0].name, values[0].array
            return
        layer, module = self.inside[-1]
        made = OpCall(op, layer, type(module).__name__, values, chosen, tuple(result.shape), result.dtype)
        self.calls.append(made)
        self.kept.append(result)
        self.numbers[id(result)] = len(self.calls)

    def entering(self, name: str) -> PreHook:
        """A hook that notes that the module of that name was entered."""

        def enter(module: Any, inputs: tuple[Any, ...]) -> None:
            self.inside.append((name, module))

        return enter

    def left(self, name: str, module: Module, inputs: tuple[Any, ...], output: Any) -> None:
        """An embedding takes its rows by NumPy, which no op notes; its layer is known."""
        if isinstance(module, Embedding) and id(inputs[0]) in self.numbers and id(output) not in self.numbers:
            self.note("embedding", (module.weight, inputs[0]), {}, output)
        self.inside.pop()


def calls_of(model: Module, input_shape: Sequence[int], op: str) -> Calls:
    """The calls that the model makes in evaluation mode on inputs (N, *input_shape).

    The input has the type of the parameters, or holds whole numbers if an `Embedding` is the first layer that has any.
    Raises: OptionError for an input_shape that is none; if the output is no tensor that was computed from the input; if a
        constant follows the input, or a size the batch in another way than by its first axis.
    """
    shape = tuple(input_shape) if isinstance(input_shape, Sequence) else ()
    if not shape or not all(isinstance(n, int) and not isinstance(n, bool) and n >= 1 for n in shape):
        raise OptionError(f"{op}: input_shape is that of one input, such as (3, 32, 32), not {input_shape!r}")
    owner = next((module for module in model.modules() if module.own_parameters()), None)
    words = min((each.num_embeddings for each in model.modules() if isinstance(each, Embedding)), default=0)
    dtype = next((each.dtype for each in model.parameters()), np.dtype(np.float32))
    rng, runs = np.random.default_rng(0), []
    for batch in BATCHES:
        if isinstance(owner, Embedding):
            x = rng.integers(0, words, (batch, *shape))
        else:
            x = rng.standard_normal((batch, *shape)).astype(dtype)
        runs.append(_run(model, x, op))
    (calls, output), (others, other) = runs
    if len(calls) != len(others) or output != other or [c.op for c in calls] != [c.op for c in others]:
        raise OptionError(
            f"{op}: {type(model).__name__} computes other things for another input; no graph can say that"
        )
    pairs = zip(calls, others, strict=True)
    return Calls((-1, *shape), x.dtype, tuple(_merged(each, twin, op) for each, twin in pairs), output)


def _run(model: Module, x: Array, op: str) -> tuple[list[OpCall], int]:
    names = {id(value): name for name, value in (*model.named_parameters(), *model.named_buffers())}
    given = Tensor(x)
    run = _Run(names, {id(given): 0}, [given], [("", model)])
    try:
        with evaluating(model), ExitStack() as stack, no_grad():
            for name, module in model.named_modules():
                stack.callback(module.register_forward_pre_hook(run.entering(name)).remove)
            stack.enter_context(watch(model, run.left))
            stack.enter_context(listening(run.note))
            y = model(given)
    except MinidilError as error:
        error.add_note(f"in layer {run.inside[-1][0]!r}, on an input {x.shape} of {x.dtype}")
        raise
    if id(y) not in run.numbers:
        what = "computed from its input by ops of minidil" if isinstance(y, Tensor) else "one tensor"
        raise OptionError(f"{op}: the output of {type(model).__name__} is not {what}")
    return run.calls, run.numbers[id(y)]


def _merged(call: OpCall, twin: OpCall, op: str) -> OpCall:
    """One call of two, in which sizes that follow the batch are known for it."""
    for a, b in zip(_within((call.operands, call.options)), _within((twin.operands, twin.options)), strict=False):
        ours, theirs = (a.array, b.array) if a and b else (None, None)
        same = ours is theirs or (ours is not None and theirs is not None and np.array_equal(ours, theirs, True))
        if (a is None) is not (b is None) or (a and b and a.number != b.number) or not same:
            raise OptionError(
                f"{op}: {call.place()} takes a constant that follows the input, or the batch; no op of minidil computed it"
            )
    operands = tuple(
        _opened(a, b, call, op) if a is not None and b is not None else None
        for a, b in zip(call.operands, twin.operands, strict=False)
    )
    options = dict(call.options)
    shaping = {"shape"} if call.op in ("reshape", "expand") else set()
    for name in options.keys() - shaping:
        if _plain(options[name]) != _plain(twin.options.get(name)):
            raise OptionError(f"{op}: {call.place()} has another {name} for another batch; no graph can say that")
    return OpCall(call.op, call.layer, call.of, operands, options, _open(call.dims, twin.dims, call, op), call.dtype)


def _opened(a: Value, b: Value, call: OpCall, op: str) -> Value:
    return Value(a.number, a.name, a.array, _open(a.dims, b.dims, call, op), a.dtype, a.whole)


def _open(a: Dims, b: Dims, call: OpCall, op: str) -> Dims:
    few, more = BATCHES
    if len(a) != len(b) or any(n != m and (n % few or n // few * more != m) for n, m in zip(a, b, strict=True)):
        raise OptionError(
            f"{op}: {call.place()} has the shapes {a} and {b} for batches of {few} and {more}, which are no multiples of them"
        )
    return tuple(n if n == m else -(n // few) for n, m in zip(a, b, strict=True))


def _within(node: Any) -> Iterable[Value | None]:
    """The values in nested tuples and mappings, and the absent ones among operands."""
    if isinstance(node, Mapping):
        node = tuple(node.values())
    if isinstance(node, tuple):
        for each in node:
            yield from _within(each)
    elif isinstance(node, Value) or node is None:
        yield node


def _plain(option: Any) -> Any:
    """An option with nothing in the place of its values, which were compared already."""
    if isinstance(option, tuple | list):
        return tuple(map(_plain, option))
    return None if isinstance(option, Value) else repr(option) if isinstance(option, slice) else option
