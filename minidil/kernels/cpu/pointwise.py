"""Convolution with one tap: a linear map of the channels at every position, y[row] = x[row] W.

The input is its own columns, so there is nothing to gather: each thread makes one matrix product of its rows.
Source: Lin, Chen & Yan 2014, "Network in network", arXiv:1312.4400, section 3.1.
"""

from __future__ import annotations

import numpy as np

from minidil.array import Array
from minidil.kernels.cpu import memory
from minidil.kernels.cpu.layout import as_channels, as_rows
from minidil.kernels.geometry import Window
from minidil.kernels.threads import run_sliced


def applies(window: Window) -> bool:
    """Whether output o is made of input o alone: one tap, stride 1, no padding."""
    return window.taps == 1 and window.out == window.size and not any(map(any, window.padding))


def conv_forward(x: Array, weight: Array, window: Window, groups: int = 1, bias: Array | None = None) -> Array:
    """x (N, C, *S), weight (F, C/groups, *1) -> (N, F, *S)."""
    return _product(x, _matrices(weight, groups).transpose(0, 2, 1), window, bias)


def conv_grad_input(grad: Array, weight: Array, window: Window, groups: int = 1) -> Array:
    """dL/dx[row] = G[row] W^T."""
    return _product(grad, _matrices(weight, groups), window, None)


def conv_grad_weight(x: Array, grad: Array, window: Window, groups: int = 1) -> Array:
    """dL/dW^T = G^T x: one partial sum per thread, added in order."""
    source, upstream = _grouped(as_rows(x), groups), _grouped(as_rows(grad), groups)
    parts = run_sliced(
        lambda start, stop: np.matmul(upstream[:, start:stop].transpose(0, 2, 1), source[:, start:stop]),
        source.shape[1],
    )
    return np.asarray(sum(parts)).reshape(grad.shape[1], x.shape[1] // groups, *window.kernel)


def _product(x: Array, matrices: Array, window: Window, bias: Array | None) -> Array:
    """x (N, C, *S) times matrices (groups, C/groups, F/groups), plus bias (F,) -> (N, F, *S)."""
    groups, _, filters = matrices.shape
    rows = as_rows(x)
    y = memory.empty((len(rows), groups * filters), x.dtype)

    def work(start: int, stop: int) -> None:
        np.matmul(_grouped(rows[start:stop], groups), matrices, out=_grouped(y[start:stop], groups))
        if bias is not None:
            y[start:stop] += bias

    run_sliced(work, len(rows))
    return as_channels(y, len(x), window.size)


def _matrices(weight: Array, groups: int) -> Array:
    """(F, C/groups, *1) -> (groups, F/groups, C/groups)."""
    return weight.reshape(groups, weight.shape[0] // groups, weight.shape[1])


def _grouped(rows: Array, groups: int) -> Array:
    """(rows, C) -> a view (groups, rows, C/groups)."""
    return rows.reshape(len(rows), groups, rows.shape[1] // groups).transpose(1, 0, 2)
