"""Rows of a table by their numbers."""

from __future__ import annotations

from typing import Any, cast

import numpy as np

from minidil.array import Array, OnDevice
from minidil.errors import BackendError
from minidil.kernels.backend import active
from minidil.ops.common import Vjps
from minidil.rows import Rows


def embedding(
    weight: Array, *, index: Array, padding_idx: int | None = None, sparse: bool = False
) -> tuple[Array, Vjps]:
    """y[i] = weight[index[i]].

    Shapes: weight (V, *D), index (*S) of integers in 0..V-1, on the host -> (*S, *D).
    padding_idx: a row that gets no gradient. sparse: whether the gradient is `Rows`, of those that were taken alone.
    Raises: BackendError if a sparse gradient is wanted of a table in a device's memory.
    """
    if sparse and isinstance(weight, OnDevice):
        raise BackendError('embedding: sparse gradients are on the host; leave out sparse=True, or use("numba")')
    k = active()
    shape = weight.shape

    # y names row v wherever index[i] = v, so dL/dweight[v] = sum of G[i] over those places. That is a sum of rows which is
    # short where few rows are named: with `named` the rows, and place[i] where among them index[i] is, it is
    #   dL/dweight[named[u]] = sum of G[i] over place[i] = u,       and 0 elsewhere.
    def grad_weight(grad: Array) -> Array:
        flat, slopes = index.reshape(-1), k.reshape(grad, (index.size, *shape[1:]))
        if padding_idx is not None:
            kept = np.flatnonzero(flat != padding_idx)
            flat, slopes = flat[kept], k.take(slopes, (kept,))
        if not sparse:
            return k.scatter_add(slopes, (flat,), shape)
        named, place = np.unique(flat, return_inverse=True)
        values = k.scatter_add(slopes, (place.reshape(-1),), (len(named), *shape[1:]))
        return cast(Any, Rows(named, values, shape))

    return k.take(weight, (index,)), (grad_weight,)
