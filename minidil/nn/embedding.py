"""Embedding: a table of vectors, one for each number of a vocabulary."""

from __future__ import annotations

from typing import Any

import numpy as np

from minidil.array import Array
from minidil.calls.lift import lift
from minidil.errors import DtypeError, OptionError
from minidil.nn.checks import check_counts
from minidil.nn.module import Module
from minidil.nn.parameter import Parameter
from minidil.ops.embedding import embedding
from minidil.random import default_rng
from minidil.tensor import Tensor

_embedding = lift(embedding)


class Embedding(Module):
    """The rows of a trained table that the ids name: y[i] = weight[ids[i]].

    The gradient of the table: each row collects the sum over the places that took it, dL/dweight[v] = sum of dL/dy[i] over
    ids[i] = v, and a row that none took gets 0.
    Shapes: ids (...) of integers in 0..num_embeddings-1 -> (..., embedding_dim).
    padding_idx: an id that stands for no word: its row starts at 0, and gets no gradient.
    sparse: keep only the rows of the gradient that were taken. An optimizer then moves these alone, see `Optimizer.step`; that
        is quick where the vocabulary is much larger than a batch, and for SGD without momentum and decay the same. On the host.
    Parameters: weight (num_embeddings, embedding_dim), drawn from the standard normal distribution by rng.
    Raises: OptionError unless both sizes are ints >= 1 and padding_idx has a row, or an id has no row; DtypeError if ids are no
        integers.
    Source: Bengio et al. 2003, "A neural probabilistic language model"; as in PyTorch, with its names.
    """

    casts = False

    def __init__(
        self,
        num_embeddings: int,
        embedding_dim: int,
        padding_idx: int | None = None,
        *,
        sparse: bool = False,
        rng: np.random.Generator | None = None,
    ) -> None:
        super().__init__()
        check_counts("Embedding", num_embeddings=num_embeddings, embedding_dim=embedding_dim)
        self.num_embeddings = num_embeddings
        self.embedding_dim = embedding_dim
        if padding_idx is not None and not -num_embeddings <= padding_idx < num_embeddings:
            raise OptionError(f"Embedding: padding_idx {padding_idx!r} is no id in 0..{num_embeddings - 1}")
        self.padding_idx = None if padding_idx is None else int(padding_idx) % num_embeddings
        self.sparse = sparse
        generator = default_rng() if rng is None else rng
        table = generator.standard_normal((num_embeddings, embedding_dim)).astype(np.float32)
        if self.padding_idx is not None:
            table[self.padding_idx] = 0
        self.weight = Parameter(table)

    def forward(self, ids: Tensor | Array) -> Tensor:
        rows: Any = ids.numpy() if isinstance(ids, Tensor) else np.asarray(ids)
        if rows.dtype.kind not in "iu":
            raise DtypeError(f"Embedding: ids must be integers, not {rows.dtype}; use astype('int64')")
        if rows.size and not 0 <= rows.min() <= rows.max() < self.num_embeddings:
            last = self.num_embeddings - 1
            raise OptionError(f"Embedding: ids must lie in 0..{last}, but run from {rows.min()} to {rows.max()}")
        return _embedding(self.weight, index=rows.astype(np.int64), padding_idx=self.padding_idx, sparse=self.sparse)

    def extra_repr(self) -> str:
        padding = "" if self.padding_idx is None else f", padding_idx={self.padding_idx}"
        return f"{self.num_embeddings}, {self.embedding_dim}{padding}{', sparse=True' if self.sparse else ''}"
