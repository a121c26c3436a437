"""A file of ONNX as a module, with its weights under the names that they have there."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

from minidil.array import Array
from minidil.deploy.onnx_file import FileGraph, read
from minidil.deploy.onnx_readers import READERS
from minidil.deploy.onnx_reading import Reading, Run
from minidil.errors import ShapeError
from minidil.nn import Module, Parameter
from minidil.tensor import Tensor, tensor


@dataclass(frozen=True)
class _Step:
    """One node: what it takes and gives by name."""

    inputs: tuple[str, ...]
    output: str
    run: Run


class _Part(Module):
    """What a dotted name of a weight is made of."""


class OnnxModel(Module):
    """What a file of ONNX computes. Parameters and buffers have the file's names; other constants are no part of the state.

    Shapes: those of the file's input and output. It computes the same in training mode: batch norm keeps its statistics, and
    dropout, if the file has any, drops nothing.
    """

    def __init__(self, graph: FileGraph) -> None:
        super().__init__()
        self._input, self._dims, self._output = graph.input, graph.dims, graph.output
        self._owners: dict[str, tuple[Any, str]] = {}
        steps, learnt, counted = [], set[str](), set[str]()
        for node in graph.nodes:
            reading = Reading(node, [graph.arrays.get(name) for name in node.inputs])
            steps.append(_Step(node.inputs, node.output, READERS[node.operator](reading)))
            reading.finish()
            learnt |= {node.inputs[place] for place in reading.learnt}
            counted |= {node.inputs[place] for place in reading.counted}
        self._steps = tuple(steps)
        used = {name for node in graph.nodes for name in node.inputs}
        state = {name for name in learnt | counted if graph.arrays[name].dtype.kind == "f"}
        for name in graph.arrays:
            if name in state:
                self._place(name, graph.arrays[name], name in learnt - counted)
        self._constants = {name: tensor(graph.arrays[name]) for name in graph.arrays if name in used - state}

    def _place(self, name: str, array: Array, learnt: bool) -> None:
        """Put a weight where its dotted name says; a part that would hide something of a module's own gets a line behind it."""
        owner: Module = self
        *parts, last = [part or "_" for part in name.split(".")]
        for part in parts:
            part = _free(owner, part, _Part)
            if part not in vars(owner):
                owner.add_module(part, _Part())
            owner = vars(owner)[part]
        last = _free(owner, last, None)
        if learnt:
            owner.register_parameter(last, Parameter(array))
        else:
            owner.register_buffer(last, array)
        self._owners[name] = (owner, last)

    def forward(self, x: Tensor) -> Tensor:
        dims = self._dims
        if dims and (x.ndim != len(dims) or any(n not in (None, m) for n, m in zip(dims, x.shape, strict=True))):
            raise ShapeError(f"OnnxModel: x must be {dims}, None being any size, and is {x.shape}")
        values: dict[str, Any] = {self._input: x, **self._constants}
        values |= {name: getattr(owner, attribute) for name, (owner, attribute) in self._owners.items()}
        for step in self._steps:
            values[step.output] = step.run(*(values[name] if name else None for name in step.inputs))
        result: Tensor = values[self._output]
        return result


def _free(owner: Module, name: str, reusable: type[Module] | None) -> str:
    """The name, or one like it that the module does not have, or has for what may be used again."""
    while (name in vars(owner) or hasattr(type(owner), name)) and not (
        reusable and isinstance(vars(owner).get(name), reusable)
    ):
        name += "_"
    return name


def from_onnx(path: str | os.PathLike[str]) -> OnnxModel:
    """The model in a file of ONNX that `to_onnx` wrote, or another program with the same operators (opsets 13 to 23).

    All that the file declares is looked at before an array is made; so one that claims more than it has costs no memory. Weights
    are those of the file, bit by bit: of a file of `to_onnx`, `state_dict()` has the names and values of the model's own.
    Raises: CheckpointError for a file that is damaged, cut short or no file of ONNX, for arrays that do not have the bytes that
        their shapes take or that lie in other files, and for operators, attributes and number types that are not read, by name;
        OptionError if the library onnx is not installed; OSError if there is no such file.
    """
    return OnnxModel(read(path, READERS))
