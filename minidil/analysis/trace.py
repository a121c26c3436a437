"""Running a model once to learn which op computed what from what, and in which layer.

It is the calls themselves that are noted, with shapes and options; so whatever a forward does, a sum around a block, a module
called twice or plain arithmetic, is followed as it happened.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import numpy as np

from minidil.analysis.call import Call, Unknown
from minidil.analysis.layout import Layout
from minidil.analysis.rules import answer
from minidil.analysis.taps import Taps
from minidil.calls.listen import listening
from minidil.errors import MinidilError, OptionError
from minidil.graph import no_grad
from minidil.nn import Module, watch
from minidil.nn.hook import PreHook
from minidil.nn.modes import evaluating
from minidil.tensor import Tensor


@dataclass(frozen=True)
class Step:
    """One op: the layer in which it ran, the layout and shape of its result, and what it reads of which earlier value."""

    op: str
    layer: str
    layout: Layout
    shape: tuple[int, ...]
    reads: tuple[tuple[int, list[Taps]], ...]


@dataclass(frozen=True)
class Visit:
    """One call of a module: its name, and the numbers of the values that went in and came out."""

    name: str
    module: Module
    inputs: tuple[int, ...]
    output: int
    shape: tuple[int, ...]


@dataclass(frozen=True)
class Trace:
    """The values in the order of their making: number 0 is the model's input, number n the result of steps[n - 1]."""

    model: str
    shape: tuple[int, ...]
    steps: tuple[Step, ...]
    visits: tuple[Visit, ...]
    output: int
    input_layout: Layout

    def layout(self, value: int) -> Layout:
        """What the axes of a value stand for."""
        return self.steps[value - 1].layout if value else self.input_layout


def trace(model: Module, input_shape: Sequence[int], op: str = "receptive_field") -> Trace:
    """Run the model on zeros of (1, *input_shape) in evaluation mode, and note what happens to its positions.

    Raises: OptionError for an input_shape that is none, for an op whose reach is not known, with the layer in which it ran,
        and if the output does not come from the input.
    """
    shape = tuple(input_shape) if isinstance(input_shape, Sequence) else ()
    if len(shape) < 2 or not all(isinstance(n, int) and n >= 1 for n in shape):
        raise OptionError(
            f"{op}: input_shape is (C, *S) with at least one spatial axis, all ints >= 1, not {input_shape!r}"
        )
    dtype = next((parameter.dtype for parameter in model.parameters()), np.dtype(np.float32))
    x = Tensor(np.zeros((1, *shape), dtype))
    layout = Layout.of_input((1, *shape))
    numbers, kept, steps, visits, inside = {id(x): 0}, [x], [], [], [""]
    layouts = [layout]

    def note(name: str, operands: Sequence[Any], options: Mapping[str, Any], result: Any) -> None:
        known = {place: numbers[id(value)] for place, value in enumerate(operands) if id(value) in numbers}
        if not known:
            return
        shapes = tuple(tuple(getattr(value, "shape", ())) for value in operands)
        call = Call(name, shapes, options, tuple(result.shape))
        try:
            after, maps = answer(call, {place: layouts[number] for place, number in known.items()})
        except Unknown as reason:
            where = f"layer {inside[-1]!r}" if inside[-1] else f"the forward of {type(model).__name__}"
            raise OptionError(f"{op}: {name} in {where} {reason}; nothing can be said about this model") from None
        reads = tuple((known[place], each) for place, each in maps.items())
        steps.append(Step(name, inside[-1], after, call.result, reads))
        kept.append(result)  # so that no other tensor gets its id
        layouts.append(after)
        numbers[id(result)] = len(steps)

    def left(name: str, module: Module, inputs: tuple[Any, ...], output: Any) -> None:
        inside.pop()
        if id(output) in numbers:
            known = tuple(numbers[id(value)] for value in inputs if id(value) in numbers)
            visits.append(Visit(name, module, known, numbers[id(output)], tuple(output.shape)))

    try:
        with evaluating(model), ExitStack() as stack, no_grad():
            for name, module in model.named_modules():
                stack.callback(module.register_forward_pre_hook(_telling(inside, name)).remove)
            stack.enter_context(watch(model, left))
            stack.enter_context(listening(note))
            y = model(x)
    except MinidilError as error:
        if inside[-1]:
            error.add_note(f"in layer {inside[-1]!r}")
        raise
    if id(y) not in numbers:
        raise OptionError(
            f"{op}: the output of {type(model).__name__} was not computed from its input by ops of minidil"
        )
    return Trace(type(model).__name__, shape, tuple(steps), tuple(visits), numbers[id(y)], layout)


def _telling(inside: list[str], name: str) -> PreHook:
    """A hook that notes that the module of that name was entered."""

    def enter(module: Any, inputs: tuple[Any, ...]) -> None:
        inside.append(name)

    return enter
