"""Embedding: a table of vectors, one for each number of a vocabulary."""

from __future__ import annotations

from typing import Any

import numpy as np

import minidil.functional as F
from minidil.array import Array
from minidil.errors import DtypeError, OptionError
from minidil.nn.checks import check_counts
from minidil.nn.module import Module
from minidil.nn.parameter import Parameter
from minidil.random import default_rng
from minidil.tensor import Tensor


class Embedding(Module):
    """The rows of a trained table that the ids name: y[i] = weight[ids[i]].

    The gradient of the table is dense: each row collects the sum over the places that took it, dL/dweight[v] =
    sum of dL/dy[i] over ids[i] = v, and a row that none took gets 0. It is that of `functional.getitem`.
    Shapes: ids (...) of integers in 0..num_embeddings-1 -> (..., embedding_dim).
    Parameters: weight (num_embeddings, embedding_dim), drawn from the standard normal distribution by rng.
    Raises: OptionError unless both sizes are ints >= 1, or an id has no row; DtypeError if ids are no integers.
    Source: Bengio et al. 2003, "A neural probabilistic language model"; as in PyTorch, with its names.
    """

    casts = False

    def __init__(self, num_embeddings: int, embedding_dim: int, *, rng: np.random.Generator | None = None) -> None:
        super().__init__()
        check_counts("Embedding", num_embeddings=num_embeddings, embedding_dim=embedding_dim)
        self.num_embeddings = num_embeddings
        self.embedding_dim = embedding_dim
        generator = default_rng() if rng is None else rng
        self.weight = Parameter(generator.standard_normal((num_embeddings, embedding_dim)).astype(np.float32))

    def forward(self, ids: Tensor | Array) -> Tensor:
        rows: Any = ids.numpy() if isinstance(ids, Tensor) else np.asarray(ids)
        if rows.dtype.kind not in "iu":
            raise DtypeError(f"Embedding: ids must be integers, not {rows.dtype}; use astype('int64')")
        if rows.size and not 0 <= rows.min() <= rows.max() < self.num_embeddings:
            last = self.num_embeddings - 1
            raise OptionError(f"Embedding: ids must lie in 0..{last}, but run from {rows.min()} to {rows.max()}")
        return F.getitem(self.weight, index=(rows.astype(np.int64),))

    def extra_repr(self) -> str:
        return f"{self.num_embeddings}, {self.embedding_dim}"
