"""Gathering and scattering by tables of positions, and one-hot labels.

The host turns any NumPy index into positions in the row of elements. Gathering is one thread for each element taken. Scattering
adds up what lands on the same element; instead of atomic additions, whose order changes from run to run, the host sorts the
table, and one thread adds up everything that goes to its element, in order.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from minidil.kernels.cuda.array import DeviceArray, empty, indices_to_device, to_device, to_host
from minidil.kernels.cuda.copy import full, put_slice, take_slice
from minidil.kernels.cuda.device import Array, row_major, run_each, thread_index, types
from minidil.kernels.cuda.launch import kernel
from minidil.kernels.cuda.seam import uint32


@kernel(*map(types, ("fif", "iii", "bib")))
def gather(x: Array, positions: Array, y: Array) -> None:
    i = thread_index()
    if i < y.size:
        y[i] = x[uint32(positions[i])]


@kernel(types("fiiif"))
def add_segments(grad: Array, order: Array, starts: Array, targets: Array, y: Array) -> None:
    """Thread i adds up grad[order[starts[i]]], ..., grad[order[starts[i + 1] - 1]], in this order, into y[targets[i]]."""
    i = thread_index()
    if i < targets.size:
        total = grad[uint32(order[uint32(starts[i])])]
        for j in range(uint32(starts[i] + 1), uint32(starts[uint32(i + uint32(1))])):
            total += grad[uint32(order[j])]
        y[uint32(targets[i])] = total


@kernel(*map(types, ("ifuu", "iiuu", "ibuu")))
def mark_classes(labels: Array, y: Array, classes: int, inner: int) -> None:
    """y (N, classes, inner) from labels (N, inner)."""
    i = thread_index()
    if i < y.size:
        rest, s = uint32(i // inner), uint32(i % inner)
        label = labels[uint32(uint32(rest // classes) * inner + s)]
        y[i] = label == uint32(rest % classes)


def take(x: Array, index: Any) -> Array:
    """x[index], for any index that NumPy knows."""
    entries = _entries(index)
    if _is_basic(entries):
        return take_slice(x, entries)
    positions = _positions(x.shape, entries)
    y = empty(positions.shape, x.dtype)
    run_each(gather, y.size, x, to_device(positions), y)
    return y


def scatter_add(grad: Array, index: Any, shape: Sequence[int]) -> Array:
    """The adjoint of `take`: zeros of `shape`, plus grad added at `index`, as often as an element is named there."""
    y = full(shape, 0, grad.dtype)
    entries = _entries(index)
    if _is_basic(entries):
        put_slice(y, entries, grad)
        return y
    positions = _positions(shape, entries).ravel()
    if positions.size:
        order = np.argsort(positions, kind="stable")
        targets, starts = np.unique(positions[order], return_index=True)
        tables = (to_device(t.astype(np.int32)) for t in (order, np.append(starts, positions.size), targets))
        run_each(add_segments, targets.size, grad, *tables, y)
    return y


def one_hot(labels: Array | NDArray[Any], classes: int, dtype: DTypeLike) -> Array:
    """Labels (N, *S) -> (N, classes, *S), 1 where the class axis equals the label and 0 elsewhere."""
    y = empty((labels.shape[0], classes, *labels.shape[1:]), dtype)
    inner = math.prod(labels.shape[1:])
    run_each(mark_classes, y.size, indices_to_device(labels), y, np.uint32(classes), np.uint32(inner))
    return y


def _entries(index: Any) -> tuple[Any, ...]:
    """The index as a tuple, with the arrays in it on the host."""
    entries = index if isinstance(index, tuple) else (index,)
    return tuple(to_host(entry) if isinstance(entry, DeviceArray) else entry for entry in entries)


def _is_basic(entries: tuple[Any, ...]) -> bool:
    kinds = int | np.integer | slice
    return all(entry is None or entry is Ellipsis or isinstance(entry, kinds) for entry in entries) and not any(
        isinstance(entry, bool) for entry in entries
    )


def _positions(shape: Sequence[int], entries: tuple[Any, ...]) -> NDArray[np.int32]:
    """For every element that the index selects, its position in the row of elements.

    NumPy applies the index to the coordinates along each axis, which are repeated over the others without using memory.
    """
    total = np.zeros((), np.int64)
    for axis, (n, step) in enumerate(zip(shape, row_major(shape), strict=True)):
        coordinate = np.arange(n).reshape(-1, *(1,) * (len(shape) - axis - 1))
        total = total + np.broadcast_to(coordinate, tuple(shape))[entries] * step
    return np.asarray(total, np.int32)
