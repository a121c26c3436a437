"""The filters of a fast convolution, U = G w G^T for each 3x3 filter w, and their gradient: shared by all that are of this form.

Both are one product with the matrix that does both axes at once, kron(G, G) times the 9 entries of w; threads share the channels
or panels, unless the filters are so few that waking a thread takes longer than the work.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from minidil.array import Array
from minidil.kernels.cpu import memory
from minidil.kernels.threads import blas_limited, run_sliced

_FEW = 1 << 13  # filters of one channel each


def transformed(weight: Array, matrix: Array) -> Array:
    """G w G^T: weight (F, C, 3, 3), matrix G (P, 3) -> (P P, C, F)."""
    filters, channels = weight.shape[:2]
    both_axes = _both_axes(matrix).astype(weight.dtype)
    taps = weight.reshape(filters, channels, 9).transpose(2, 1, 0)
    out = memory.empty((len(both_axes), channels * filters), weight.dtype)

    def work(start: int, stop: int) -> None:
        part = np.ascontiguousarray(taps[:, start:stop]).reshape(9, -1)
        np.matmul(both_axes, part, out=out[:, start * filters : stop * filters])

    _share(work, channels, filters)
    return out.reshape(-1, channels, filters)


def in_panels(weight: Array, matrix: Array, groups: int, wide: int) -> Array:
    """The same in panels of `wide` filters: (P P, groups, panels of a group, C, wide).

    What stands after a group's last filter has no meaning, but is finite if the filters are.
    """
    filters, channels = weight.shape[:2]
    each = filters // groups
    count = -(-each // wide)
    both_axes = _both_axes(matrix).astype(weight.dtype)
    taps = weight.reshape(groups, each, channels, 9)
    out = memory.empty((len(both_axes), groups * count, channels * wide), weight.dtype)

    def work(start: int, stop: int) -> None:
        part = np.zeros((9, channels, wide), weight.dtype)
        for panel in range(start, stop):
            found = taps[panel // count, panel % count * wide :][:wide]
            part[:, :, : len(found)] = found.transpose(2, 1, 0)
            np.matmul(both_axes, part.reshape(9, -1), out=out[:, panel])

    _share(work, groups * count, channels * wide)
    return out.reshape(-1, groups, count, channels, wide)


def gradient(partial: Sequence[Array], matrix: Array) -> Array:
    """dL/dw = G^T dL/dU G: dL/dU as the sum of arrays (P P, C, F), which are used up, -> (F, C, 3, 3)."""
    _, channels, filters = partial[0].shape
    both_axes = _both_axes(matrix).T.astype(partial[0].dtype)
    weight = memory.empty((filters, channels, 9), partial[0].dtype)

    def work(start: int, stop: int) -> None:
        total = partial[0][:, start:stop]
        for part in partial[1:]:
            total += part[:, start:stop]
        taps = np.matmul(both_axes, total.reshape(len(total), -1))
        weight[:, start:stop] = taps.reshape(9, -1, filters).transpose(2, 1, 0)

    _share(work, channels, filters)
    return weight.reshape(filters, channels, 3, 3)


def _both_axes(matrix: Array) -> Array:
    """kron(G, G): entry (i j, k l) is G[i, k] G[j, l]. np.kron takes as long as transforming a thousand filters."""
    rows, taps = matrix.shape
    return np.einsum("ik,jl->ijkl", matrix, matrix).reshape(rows * rows, taps * taps)


def _share(work: Callable[[int, int], None], pieces: int, each: int) -> None:
    if pieces * each > _FEW:
        run_sliced(work, pieces)
    else:
        with blas_limited(1):
            work(0, pieces)
