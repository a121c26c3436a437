"""A node of a file of ONNX while it is read.

All that it tells is looked at, and what is not known is refused, before anything is computed: an attribute that were passed over
would make a graph that runs and is wrong.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from minidil.array import Array
from minidil.deploy.onnx_file import FileNode
from minidil.errors import CheckpointError

Run: TypeAlias = Callable[..., Any]
"""The node's inputs, tensors or None, in; its result out."""

LARGEST = 2**31  # numbers that a node may ask for by itself


@dataclass
class Reading:
    """A node being read. constants: those of its inputs that are known. learnt, counted: the places of its inputs that become
    parameters and buffers."""

    node: FileNode
    constants: Sequence[Array | None]
    learnt: set[int] = field(default_factory=set)
    counted: set[int] = field(default_factory=set)
    _seen: set[str] = field(default_factory=set)

    def refuse(self, why: str) -> CheckpointError:
        return CheckpointError(f"{self.node.place}: {why}")

    def attribute(self, name: str, default: Any = None) -> Any:
        """An attribute, which is then known."""
        self._seen.add(name)
        value = self.node.attributes.get(name, default)
        kinds = (list, tuple) if isinstance(default, list) else (int, float) if isinstance(default, float) else ()
        if default is not None and not isinstance(value, kinds or type(default)):
            raise self.refuse(f"its {name} is {value!r}")
        return list(value) if isinstance(default, list) else value

    def only(self, **values: Any) -> None:
        """Attributes that may have one value."""
        for name, wanted in values.items():
            found = self.attribute(name, wanted)
            if found != wanted:
                raise self.refuse(f"{name}={found!r} is not read, only {wanted!r}")

    def finish(self) -> None:
        """Raises: CheckpointError for an attribute that no one asked for."""
        if unknown := sorted(self.node.attributes.keys() - self._seen):
            raise self.refuse(f"its attribute {', '.join(unknown)} is not read")

    def given(self, place: int) -> bool:
        return place < len(self.node.inputs) and bool(self.node.inputs[place])

    def numbers(self, place: int, what: str) -> list[int] | None:
        """The whole numbers of an input that must be constant; None if it is left out."""
        if not self.given(place):
            return None
        array = self.constants[place]
        if array is None or array.dtype.kind not in "iu":
            raise self.refuse(f"its {what} must be whole numbers in the file, and are computed")
        return [int(n) for n in array.reshape(-1)]

    def learn_all(self) -> None:
        """Arrays of numbers with a fraction that arithmetic takes are learnt, unless they are `to_onnx`'s own constants."""
        own = re.compile(r"constant(_\d+)?")
        for place, (name, array) in enumerate(zip(self.node.inputs, self.constants, strict=True)):
            if array is not None and array.dtype.kind == "f" and array.ndim and not own.fullmatch(name):
                self.learnt.add(place)

    def weight(self, place: int, ndim: int | None = None) -> Array:
        """An input that must be a constant and is learnt."""
        array = self.constants[place] if self.given(place) else None
        if array is None or (ndim is not None and array.ndim != ndim):
            raise self.refuse(
                f"input {place} must be an array in the file" + (f" with {ndim} axes" if ndim is not None else "")
            )
        self.learn_all()
        return array

    def bounded(self, sizes: Sequence[int]) -> None:
        """Raises: CheckpointError for sizes below 0, or that make more numbers than a node may ask for."""
        if min(sizes, default=0) < 0 or math.prod(max(n, 1) for n in sizes) > LARGEST:
            raise self.refuse(f"it asks for the sizes {list(sizes)}; at most {LARGEST:,} numbers are made")


Reader: TypeAlias = Callable[[Reading], Run]
