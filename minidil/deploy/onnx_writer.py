"""A graph of ONNX in the making: its nodes, and the arrays that they take."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from minidil.array import Array
from minidil.deploy.onnx_calls import Dims, OpCall, Value

INPUT, OUTPUT = "x", "y"


class NoEquivalentError(Exception):
    """What ONNX has no operator for, with the reason."""


@dataclass
class Writer:
    """Nodes as (operator, inputs, output, attributes), arrays by name, and how the values of the calls are named here."""

    nodes: list[tuple[str, list[str], str, dict[str, Any]]] = field(default_factory=list)
    arrays: dict[str, Array] = field(default_factory=dict)
    values: dict[int, str] = field(default_factory=dict)
    _taken: set[str] = field(default_factory=lambda: {INPUT, OUTPUT})

    def add(self, operator: str, call: OpCall, inputs: Sequence[str], **attributes: Any) -> str:
        """A node; its output is named after the layer. "" among the inputs is one that is left out."""
        output = self._unused(f"{call.layer or 'model'}/{operator}")
        self.nodes.append((operator, list(inputs), output, attributes))
        return output

    def constant(self, value: Any, name: str = "", dtype: Any = None) -> str:
        """The name of an array. One that has a name of its own, that of a parameter or a buffer, is kept once."""
        array = np.asarray(value, dtype)
        kept = self.arrays.get(name)
        if name in ("", INPUT, OUTPUT) or (kept is not None and kept.dtype != array.dtype):
            name = self._unused("constant")
        self.arrays[name] = array
        self._taken.add(name)
        return name

    def ints(self, values: Sequence[int]) -> str:
        """The name of a vector of int64, as shapes, axes and widths are given."""
        return self.constant(values, dtype=np.int64)

    def of(self, call: OpCall, value: Value | None, dtype: Any = None) -> str:
        """The name of what a call takes, made that number type; "" for nothing."""
        if value is None:
            return ""
        if value.whole is not None:
            whole = self.constant(value.whole, value.name, dtype)
            return self.add("Reshape", call, [whole, self.ints(value.dims)])
        if value.number is None:
            return self.constant(value.array, value.name, dtype)
        name = self.values[value.number]
        return name if dtype in (None, value.dtype) else self.add("Cast", call, [name], to=np.dtype(dtype))

    def reshaped(self, call: OpCall, name: str, before: Dims, after: Dims) -> str:
        """The value in another shape. Raises: NoEquivalentError if more than one of its sizes follows the batch."""
        if before == after:
            return name
        if 0 in after:
            raise NoEquivalentError(f"a shape {after} without numbers in it")
        sizes = [n if n > 0 else 0 if before[place : place + 1] == (n,) else -1 for place, n in enumerate(after)]
        if sizes.count(-1) > 1:
            raise NoEquivalentError(f"several sizes of the shape {after} follow the batch")
        return self.add("Reshape", call, [name, self.ints(sizes)])

    def mapped(self, call: OpCall, name: str, dims: Dims, axis: int, matrix: Array) -> str:
        """matrix (O, S) times the value along an axis."""
        rows = self.constant(np.ascontiguousarray(matrix.T), dtype=call.dtype)
        last = len(dims) - 1
        if axis == last:
            return self.add("MatMul", call, [name, rows])
        order = [last if place == axis else axis if place == last else place for place in range(len(dims))]
        swapped = self.add("Transpose", call, [name], perm=order)
        return self.add("Transpose", call, [self.add("MatMul", call, [swapped, rows])], perm=order)

    def size(self) -> int:
        """The bytes of all arrays."""
        return sum(math.prod(each.shape) * each.dtype.itemsize for each in self.arrays.values())

    def _unused(self, name: str) -> str:
        number, chosen = 1, name
        while chosen in self._taken:
            number += 1
            chosen = f"{name}_{number}"
        self._taken.add(chosen)
        return chosen
