"""One step of a recurrent layer, and its gradient, row by row of a batch. `kernels.reference.recurrent` derives the formulas."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from minidil.array import Array
from minidil.kernels.cpu import memory
from minidil.kernels.cpu.elementwise import sigmoid_into, tanh_into
from minidil.kernels.cpu.flat import LEAST_ELEMENTS
from minidil.kernels.cpu.layout import compiled, writable
from minidil.kernels.threads import run_sliced


def lstm_cell(sums: Array, cell: Array) -> tuple[Array, Array, Array]:
    """The gates i, f, g, o side by side, the new cell and the new hidden state."""
    gates, after, hidden = _run(_lstm_cell, (sums, cell), (sums, cell, cell))
    return gates, after, hidden


def lstm_cell_grad(
    grad_hidden: Array, grad_cell: Array, gates: Array, before: Array, after: Array
) -> tuple[Array, Array]:
    """The gradients of the sums and of the cell before."""
    grad_sums, grad_before = _run(_lstm_cell_grad, (grad_hidden, grad_cell, gates, before, after), (gates, before))
    return grad_sums, grad_before


def gru_cell(from_x: Array, from_hidden: Array, hidden: Array) -> tuple[Array, Array]:
    """The gates r, z, n side by side, and the new hidden state."""
    gates, after = _run(_gru_cell, (from_x, from_hidden, hidden), (from_x, hidden))
    return gates, after


def gru_cell_grad(grad: Array, gates: Array, from_hidden: Array, hidden: Array) -> tuple[Array, Array, Array]:
    """The gradients of from_x, of from_hidden, and of the hidden state before where it enters the sum directly."""
    grad_x, grad_hidden, direct = _run(_gru_cell_grad, (grad, gates, from_hidden, hidden), (gates, gates, hidden))
    return grad_x, grad_hidden, direct


def _run(kernel: Callable[..., None], given: Sequence[Array], like: Sequence[Array]) -> list[Array]:
    """kernel(*given, *outs), its rows shared out among the threads; each out has the shape of one of `like`."""
    arrays = [writable(np.ascontiguousarray(x)) for x in given]
    outs = [memory.empty(x.shape, x.dtype) for x in like]
    if like[-1].size < LEAST_ELEMENTS:
        kernel(*arrays, *outs)
    else:
        run_sliced(lambda start, stop: kernel(*(x[start:stop] for x in (*arrays, *outs))), len(outs[0]))
    return outs


# The loops below go over one row of one gate at a time: with few arrays in a loop, the compiler makes vectors of it.


@compiled
def _lstm_cell(sums: Array, cell: Array, gates: Array, after: Array, hidden: Array) -> None:
    rows, size = cell.shape
    for n in range(rows):
        sigmoid_into(sums[n, : 2 * size], gates[n, : 2 * size])
        tanh_into(sums[n, 2 * size : 3 * size], gates[n, 2 * size : 3 * size])
        sigmoid_into(sums[n, 3 * size :], gates[n, 3 * size :])
        i, f, g = gates[n, :size], gates[n, size : 2 * size], gates[n, 2 * size : 3 * size]
        _sum_of_products(f, cell[n], i, g, after[n])
        tanh_into(after[n], hidden[n])
        _scale(gates[n, 3 * size :], hidden[n])


@compiled
def _lstm_cell_grad(
    grad_hidden: Array,
    grad_cell: Array,
    gates: Array,
    before: Array,
    after: Array,
    grad_sums: Array,
    grad_before: Array,
) -> None:
    rows, size = before.shape
    one = before.dtype.type(1)
    for n in range(rows):
        i, f = gates[n, :size], gates[n, size : 2 * size]
        g, o = gates[n, 2 * size : 3 * size], gates[n, 3 * size :]
        slope, slope_o = grad_before[n], grad_sums[n, 3 * size :]
        tanh_into(after[n], slope)
        for j in range(size):
            bent = slope[j]
            slope[j] = grad_cell[n, j] + grad_hidden[n, j] * o[j] * (one - bent * bent)
            slope_o[j] = grad_hidden[n, j] * bent * o[j] * (one - o[j])
        _through_sigmoid(slope, g, i, grad_sums[n, :size])
        _through_sigmoid(slope, before[n], f, grad_sums[n, size : 2 * size])
        _through_tanh(slope, i, g, grad_sums[n, 2 * size : 3 * size])
        _scale(f, slope)


@compiled
def _gru_cell(from_x: Array, from_hidden: Array, hidden: Array, gates: Array, after: Array) -> None:
    rows, size = hidden.shape
    for m in range(rows):
        both, n = gates[m, : 2 * size], gates[m, 2 * size :]
        for j in range(2 * size):
            both[j] = from_x[m, j] + from_hidden[m, j]
        sigmoid_into(both, both)
        for j in range(size):
            n[j] = from_x[m, 2 * size + j] + both[j] * from_hidden[m, 2 * size + j]
        tanh_into(n, n)
        for j in range(size):
            after[m, j] = n[j] + both[size + j] * (hidden[m, j] - n[j])


@compiled
def _gru_cell_grad(
    grad: Array, gates: Array, from_hidden: Array, hidden: Array, grad_x: Array, grad_hidden: Array, direct: Array
) -> None:
    rows, size = hidden.shape
    one = hidden.dtype.type(1)
    for m in range(rows):
        r, z, n = gates[m, :size], gates[m, size : 2 * size], gates[m, 2 * size :]
        slope, scaled, scratch = grad_x[m, 2 * size :], grad_hidden[m, 2 * size :], direct[m]
        for j in range(size):
            slope[j] = grad[m, j] * (one - z[j]) * (one - n[j] * n[j])
        _through_sigmoid(slope, from_hidden[m, 2 * size :], r, grad_x[m, :size])
        for j in range(size):
            scratch[j] = hidden[m, j] - n[j]
        _through_sigmoid(grad[m], scratch, z, grad_x[m, size : 2 * size])
        grad_hidden[m, : 2 * size] = grad_x[m, : 2 * size]
        for j in range(size):
            scaled[j] = slope[j] * r[j]
            scratch[j] = grad[m, j] * z[j]


@compiled
def _sum_of_products(a: Array, b: Array, c: Array, d: Array, y: Array) -> None:
    for j in range(len(y)):
        y[j] = a[j] * b[j] + c[j] * d[j]


@compiled
def _scale(factor: Array, y: Array) -> None:
    for j in range(len(y)):
        y[j] *= factor[j]


@compiled
def _through_sigmoid(slope: Array, factor: Array, s: Array, y: Array) -> None:
    for j in range(len(y)):
        y[j] = slope[j] * factor[j] * s[j] * (s.dtype.type(1) - s[j])


@compiled
def _through_tanh(slope: Array, factor: Array, t: Array, y: Array) -> None:
    for j in range(len(y)):
        y[j] = slope[j] * factor[j] * (t.dtype.type(1) - t[j] * t[j])
