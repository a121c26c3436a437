"""What all plans are: steps in order, the memory between them, and what is said of both."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from contextlib import nullcontext
from typing import Any, ClassVar, Generic, Protocol, TypeVar, overload

import numpy as np

from minidil.array import Array
from minidil.deploy.buffers import Life, lives_of, offsets
from minidil.deploy.stages import numbers_in
from minidil.deploy.steps import Plain, Step
from minidil.graph import no_grad
from minidil.kernels.backend import use
from minidil.kernels.cpu import memory
from minidil.kernels.threads import alone, blas_limited, num_threads, run_sliced
from minidil.tensor import Tensor

_IMAGES = 32  # at a time, through all steps: memory does not grow beyond


class Described(Protocol):
    """What is said of a step, and how many numbers it makes; all of it as in `Stage`."""

    @property
    def makes(self) -> int: ...
    @property
    def shape(self) -> tuple[int, ...]: ...
    @property
    def words(self) -> Sequence[str]: ...
    @property
    def layers(self) -> Sequence[str]: ...


D = TypeVar("D", bound=Described)


class Planned(ABC, Generic[D]):
    """Steps that run one after the other on inputs (N, *input_shape) with any N. Several threads may call it at once.

    Where there are as many images as threads, each thread takes its share of them through all steps; with fewer, the threads
    share those steps that are worth it.
    name: of such a plan. model, calls, kept_apart: what it is of, how many calls that makes, and which stayed on their own.
    worth: multiplications of a step; with fewer it takes longer to wake other threads than to do it.
    dtype: the number type of what comes and goes; between: that of the memory between the steps.
    """

    name: ClassVar[str]
    worth: ClassVar[int]
    model: str
    input_shape: tuple[int, ...]
    dtype: np.dtype[Any]
    between: np.dtype[Any]
    calls: int
    kept_apart: tuple[str, ...]

    def _arrange(
        self,
        stages: Sequence[D],
        steps: Sequence[Step | Plain],
        reads: Sequence[Sequence[int]],
        work: Sequence[int],
        output: int,
    ) -> None:
        """Take over the steps: what each is, which values it reads, how many multiplications it takes; and place the values."""
        self.stages, self.steps, self.reads, self.output, self._work = stages, steps, reads, output, work
        made = {stage.makes: stage.shape for stage in self.stages}
        self.output_shape = made.get(self.output, self.input_shape)
        self._last_read = {value: step for step, values in enumerate(self.reads) for value in values}
        self._place()

    def _place(self) -> None:
        """Give every value that needs it a place in memory; steps that may work in place take over that of what they read."""
        pairs = list(zip(self.stages, self.steps, strict=True))
        own = {stage.makes: self._size(stage) for stage, step in pairs if not isinstance(step, Plain)}
        heir: dict[int, int] = {}
        for number, (stage, step) in enumerate(pairs):
            reads = self.reads[number]
            first = reads[0]
            alone_here = self._last_read.get(first) == number and reads.count(first) == 1 and first != self.output
            if step.in_place and first in own and alone_here:
                heir[stage.makes] = first
        lives = lives_of(self.reads, [stage.makes for stage in self.stages], own, self.output)
        joined: dict[int, Life] = {}
        roots = {value: _root(value, heir) for value in own}
        for value, life in lives.items():
            root = roots[value]
            before = joined.get(root, life)
            joined[root] = Life(max(before.size, life.size), min(before.first, life.first), max(before.last, life.last))
        placed, self.numbers = offsets(joined)
        self.places = {value: placed[root] for value, root in roots.items()}
        self.without_reuse = sum(own.values())

    def _size(self, stage: D) -> int:
        """How many numbers of memory the result for an image takes."""
        return numbers_in(stage.shape)

    def _begun(self, x: Array) -> Array:
        """The first value, (N, C, *S), of the images."""
        return x

    def _ended(self, last: Array) -> Array:
        """The result of the last value."""
        return last

    @overload
    def __call__(self, x: Tensor) -> Tensor: ...
    @overload
    def __call__(self, x: Array) -> Array: ...
    def __call__(self, x: Tensor | Array) -> Tensor | Array:
        """The model's result: a tensor of a tensor, an array of an array.

        Raises: ShapeError, DtypeError if x is not (N, *input_shape) of the model's number type.
        """
        images = np.asarray(x.numpy() if isinstance(x, Tensor) else x)
        self._check(images)
        y = np.empty((len(images), *self.output_shape), self.dtype)
        with use("numba"), no_grad():
            if len(images) >= num_threads():
                run_sliced(lambda start, stop: self._share(images, y, start, stop), len(images))
            elif len(images):
                with blas_limited(1):
                    self._run(images, y)
        return Tensor.of(y) if isinstance(x, Tensor) else y

    @abstractmethod
    def _check(self, images: Array) -> None:
        """Raises: ShapeError, DtypeError if they are not (N, *input_shape) of the number type."""

    def _share(self, x: Array, y: Array, start: int, stop: int) -> None:
        with alone():
            for first in range(start, stop, _IMAGES):
                last = min(first + _IMAGES, stop)
                self._run(x[first:last], y[first:last])

    def _run(self, x: Array, y: Array) -> None:
        count = len(x)
        room = memory.empty((count * self.numbers,), self.between)
        values = _Values(self._begun(x))
        for number, reads in enumerate(self.reads):
            with alone() if count * self._work[number] < self.worth else nullcontext():
                self._step(number, values, room)
            for value in reads:
                if self._last_read[value] == number and value != self.output:
                    values.drop(value)
        y[...] = self._ended(values.logical(self.output))

    def _step(self, number: int, values: _Values, room: Array) -> None:
        stage, step, reads = self.stages[number], self.steps[number], self.reads[number]
        if isinstance(step, Plain):
            made = step.call([values.logical(value) for value in reads])
            # A view of what it read would change with the next value that gets that memory.
            values.keep(stage.makes, made.copy() if np.may_share_memory(made, room) else made)
            return
        count = len(values)
        at = self.places[stage.makes] * count
        out = self._made(room[at : at + count * self._size(stage)], stage)
        out = out.reshape(count, *stage.shape[1:], stage.shape[0])
        step.run([values.last(value) for value in reads], out)
        values.place(stage.makes, out)

    def _made(self, memory: Array, stage: D) -> Array:
        """The memory as numbers of the type that the result has."""
        return memory

    def as_dict(self) -> dict[str, Any]:
        """The same as `repr` says, for a JSON document; numbers are those between the steps for one image."""
        steps = [
            {"way": step.way, "calls": stage.words, "layers": stage.layers, "shape": list(stage.shape)}
            for stage, step in zip(self.stages, self.steps, strict=True)
        ]
        sizes = {"numbers": self.numbers, "numbers_without_reuse": self.without_reuse}
        return {"input_shape": list(self.input_shape), "steps": steps, "not_fused": list(self.kept_apart), **sizes}

    def __repr__(self) -> str:
        shape = f"({', '.join(map(str, self.input_shape))})"
        size = self.between.itemsize / 1024
        lines = [
            f"{self.name} of {self.model} for {shape}, {self.between}: {len(self.stages)} steps for {self.calls} calls; "
            f"{self.numbers * size:,.0f} KiB an image between them, {self.without_reuse * size:,.0f} without reuse"
        ]
        rows = [
            (str(n), step.way, " + ".join(stage.words), str(stage.shape), ", ".join(stage.layers))
            for n, (stage, step) in enumerate(zip(self.stages, self.steps, strict=True), 1)
        ]
        widths = [max(len(row[column]) for row in rows) for column in range(4)] if rows else []
        for row in rows:
            cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=False)]
            lines.append(f"  {cells[0].rstrip():>{widths[0]}}  " + "  ".join([*cells[1:], row[4]]).rstrip())
        if self.kept_apart:
            lines += ["not fused:", *(f"  {reason}" for reason in self.kept_apart)]
        return "\n".join(lines)


class _Values:
    """The values of one run, with their channels last or in their logical shape, whichever is asked for."""

    def __init__(self, x: Array) -> None:
        self._images = len(x)
        self._logical: dict[int, Array] = {0: x}
        self._last: dict[int, Array] = {}

    def __len__(self) -> int:
        return self._images

    def keep(self, value: int, logical: Array) -> None:
        self._logical[value] = logical

    def place(self, value: int, last: Array) -> None:
        self._last[value] = last

    def logical(self, value: int) -> Array:
        """(N, C, *S)."""
        if value not in self._logical:
            self._logical[value] = np.moveaxis(self._last[value], -1, 1)
        return self._logical[value]

    def last(self, value: int) -> Array:
        """(N, *S, C), contiguous and writable for compiled code."""
        if value not in self._last:
            moved = np.moveaxis(self._logical[value], 1, -1)
            fit = moved.flags.c_contiguous and moved.flags.writeable and moved.flags.aligned
            self._last[value] = moved if fit else moved.copy(order="C")
        return self._last[value]

    def drop(self, value: int) -> None:
        self._logical.pop(value, None)
        self._last.pop(value, None)


def _root(value: int, heir: dict[int, int]) -> int:
    """Whose memory the value takes over in the end."""
    while value in heir:
        value = heir[value]
    return value
