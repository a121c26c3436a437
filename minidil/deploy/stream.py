"""A causal network on a signal that has not ended: samples go in, answers come out, and nothing is computed twice."""

from __future__ import annotations

import math
from collections.abc import Mapping
from importlib import import_module
from typing import Any

import numpy as np

from minidil.analysis.tables import as_html, as_text
from minidil.array import Array
from minidil.deploy.causal import Layer, Planned
from minidil.errors import CheckpointError, DtypeError, ShapeError
from minidil.kernels.backend import backend
from minidil.kernels.reference import stream as program
from minidil.nn import Module
from minidil.tensor import Tensor

_BLOCK = 48  # positions that all layers work on before the next ones
_LINE = 64  # bytes of a line of the cache: numbers that begin with one are read faster
_HEAD = ("layer", "channels", "kernel", "dilation", "stride", "keeps")
_STATE = ("seen", "geometry", "rings")


def stream(model: Module) -> Stream:
    """What feeds a signal to a causal model piece by piece; all answers together are those to the whole signal.

    The model is a Sequential of Conv1d (any kernel, dilation, stride and groups), AvgPool1d and MaxPool1d without padding on the
    right, BatchNorm in evaluation mode, activations, dropout, which does nothing, and Residual blocks of these. Without padding
    ("valid") a layer answers late; with stride s, every s-th time. Weights are copied: what is trained later needs a new stream.
    It computes with Numba if that is the active backend or CUDA is, else with NumPy.
    Raises: OptionError, naming the layer, for one that sees what is yet to come, or that is not known.
    Source: Paine et al. 2016, "Fast WaveNet generation algorithm", arXiv:1611.09482.
    """
    return Stream(Planned(model))


class Stream:
    """A model that remembers what it has seen: (K - 1) d rows of its input for each layer. Printed, it is a table of them.

    channels, filters: numbers in a sample, and in an answer. start, step: the answers belong to the samples start, start + step,
    ... seen: how many samples it was given.
    """

    def __init__(self, planned: Planned) -> None:
        self.channels, self.filters = planned.channels, planned.output.channels
        self.start, self.step = planned.output.start, planned.output.step
        self.dtype = planned.dtype
        self.seen = self._given = 0
        self._model = type(planned.model).__name__
        self._layers = planned.layers
        kind = "reference" if backend() == "numpy" else "cpu"
        kernels = import_module(f"minidil.kernels.{kind}.stream")
        memory, wide, table, weights = _packed(planned, kernels.WIDTH_BYTES)
        self._memory, self._ring_starts = memory, table[:, program.RING].tolist()
        self._counters = np.zeros((len(table), 2), np.int64)
        self._advance = kernels.advance
        self._settings = (memory, weights, table, self._counters, _BLOCK, wide)
        self.reset()

    def push(self, x: Any) -> Array:
        """Take in one sample (C,), or n of them (C, n), and give the answers that are due, (F, m) with 0 <= m.

        Raises: ShapeError, or DtypeError if x has not the number type of the parameters; nothing has been taken in then.
        """
        given = x.numpy() if isinstance(x, Tensor) else np.asarray(x)
        if given.shape == (self.channels,):
            given = given[:, None]
        if given.ndim != 2 or given.shape[0] != self.channels:
            raise ShapeError(
                f"stream: x must be one sample ({self.channels},) or a piece ({self.channels}, n), not {given.shape}"
            )
        if given.dtype != self.dtype:
            raise DtypeError(f"stream: x must be {self.dtype}, as the model is, not {given.dtype}; use x.astype")
        if not (given.flags.c_contiguous and given.flags.writeable):
            given = given.copy()
        seen = self.seen + given.shape[1]
        due = _count(seen, self.start, self.step)
        y = np.empty((self.filters, due - self._given), self.dtype)
        self._advance(given, y, *self._settings)
        self.seen, self._given = seen, due
        return y

    def reset(self) -> None:
        """Forget what was seen: the next sample is the first."""
        self._resume(0, [np.full_like(ring, _before_the_start(layer)) for layer, ring in self._each_ring()])

    def state(self) -> dict[str, Array]:
        """All that is remembered, as arrays that np.savez can keep: `load_state` goes on from there with the same bits."""
        heads = self._counters[:, program.HEAD]
        rings = [np.roll(ring, -head, axis=0) for head, (_, ring) in zip(heads, self._each_ring(), strict=True)]
        return {
            "seen": np.array(self.seen),
            "geometry": self._geometry(),
            "rings": np.concatenate([ring.reshape(-1) for ring in rings]),
        }

    def load_state(self, state: Mapping[str, Array]) -> None:
        """Go on from a `state()` of this model's, of this stream or of another one.

        Raises: CheckpointError if it is not one, or another model's; the stream is as it was then.
        """
        missing = [name for name in _STATE if name not in state]
        if missing:
            raise CheckpointError(f"stream: the state has no {', '.join(missing)}; it needs {', '.join(_STATE)}")
        seen, geometry, rings = (np.asarray(state[name]) for name in _STATE)
        if not np.array_equal(geometry, self._geometry()):
            raise CheckpointError("stream: the state is of a model with other layers")
        if seen.shape != () or seen.dtype.kind not in "iu" or seen < 0:
            raise CheckpointError(f"stream: the state's seen must be a whole number >= 0, not {seen!r}")
        sizes = [ring.size for _, ring in self._each_ring()]
        if rings.shape != (sum(sizes),) or rings.dtype != self.dtype:
            raise CheckpointError(
                f"stream: the state's rings must be {sum(sizes)} numbers of type {self.dtype}, not {rings.shape} of {rings.dtype}"
            )
        self._resume(int(seen), np.split(rings, np.cumsum(sizes)[:-1]))

    def _resume(self, seen: int, rings: list[Array]) -> None:
        for (layer, ring), kept, counter in zip(self._each_ring(), rings, self._counters, strict=True):
            ring[...] = kept.reshape(ring.shape)  # the oldest row first
            came = _count(seen, *layer.reads)
            counter[program.HEAD] = 0
            counter[program.WAIT] = (layer.wait - came) if came <= layer.wait else (layer.wait - came) % layer.stride
        self.seen, self._given = seen, _count(seen, self.start, self.step)

    def _each_ring(self) -> list[tuple[Layer, Array]]:
        rings = []
        for layer, start in zip(self._layers, self._ring_starts, strict=True):
            shape = (layer.behind, layer.channels)
            rings.append((layer, self._memory[start : start + math.prod(shape)].reshape(shape)))
        return rings

    def _geometry(self) -> Array:
        return np.array([(each.kind, each.channels, each.taps, each.dilation, each.stride) for each in self._layers])

    def _table(self) -> list[tuple[str, ...]]:
        rows: list[tuple[str, ...]] = [_HEAD]
        for layer in self._layers:
            if layer.kind <= program.LARGEST:
                settings = (layer.taps, layer.dilation, layer.stride)
                numbers = (f"{layer.channels} -> {layer.filters}", *map(str, settings), f"{layer.behind:,} rows")
                rows.append((layer.name, *numbers))
        return rows

    def _notes(self) -> list[str]:
        kept, size = sum(layer.behind for layer in self._layers), sum(ring.nbytes for _, ring in self._each_ring())
        answers = "an answer a sample" if self.step == 1 else f"an answer every {self.step} samples"
        late = f", the first to sample {self.start}" if self.start else ""
        return [f"{self._model}: {answers}{late}; keeps {kept:,} rows, {size:,} bytes; {self.seen:,} samples seen"]

    def __repr__(self) -> str:
        return as_text(self._table(), 2, self._notes())

    def _repr_html_(self) -> str:
        return as_html(self._table(), 2, self._notes())


def _packed(planned: Planned, width_bytes: int) -> tuple[Array, int, Array, Array]:
    """Memory, the numbers in a row of a slot in it, the program, and all weights in one array."""
    lanes = max(1, width_bytes // planned.dtype.itemsize)
    line = _LINE // planned.dtype.itemsize
    table = np.zeros((len(planned.layers), program.FIELDS), np.int64)
    widest = max(planned.channels, *(layer.filters for layer in planned.layers))
    wide = _up_to(widest, max(lanes, line))
    size = planned.slots * _BLOCK * wide
    parts: list[tuple[int, Array]] = []
    length = 0
    for layer, row in zip(planned.layers, table, strict=True):
        across = _up_to(layer.filters, lanes) if layer.kind == program.CONV else layer.filters // layer.groups
        row[: program.RING] = (
            *(layer.kind, layer.source, layer.target, layer.other, layer.channels, layer.filters),
            *(layer.taps, layer.dilation, layer.stride, layer.groups),
        )
        row[program.RING], row[program.ACROSS] = size, across
        size += layer.behind * layer.channels
        for column, numbers in ((program.WEIGHT, layer.matrix), (program.BIAS, layer.bias)):
            row[column] = length
            if numbers is not None:
                filled = np.zeros((*numbers.shape[:-1], max(across, numbers.shape[-1])), planned.dtype)
                filled[..., : numbers.shape[-1]] = numbers
                parts.append((length, filled.reshape(-1)))
                length += _up_to(filled.size, line)
    weights, memory = _zeros(length, planned.dtype), _zeros(size, planned.dtype)
    for at, filled in parts:
        weights[at : at + filled.size] = filled
    return memory, wide, table, weights


def _zeros(size: int, dtype: np.dtype[Any]) -> Array:
    """An array that begins with a line of the cache."""
    room = np.zeros(size * dtype.itemsize + _LINE, np.uint8)
    start = -room.ctypes.data % _LINE
    return room[start : start + size * dtype.itemsize].view(dtype)


def _count(seen: int, start: int, step: int) -> int:
    """How many of start, start + step, ... are below `seen`."""
    return max(0, -(-(seen - start) // step))


def _up_to(number: int, multiple: int) -> int:
    return -(-number // multiple) * multiple


def _before_the_start(layer: Layer) -> float:
    """What a window finds before the first row: what it is padded with."""
    return -np.inf if layer.kind == program.LARGEST else 0
