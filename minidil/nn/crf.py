"""Linear-chain CRF: the layer behind a tagger, which makes its tags depend on their neighbours."""

from __future__ import annotations

import numpy as np

import minidil.functional as F
from minidil.array import Array
from minidil.calls.lift import lift
from minidil.errors import OptionError
from minidil.nn.checks import check_counts
from minidil.nn.module import Module
from minidil.nn.parameter import Parameter
from minidil.ops import crf
from minidil.random import default_rng
from minidil.tensor import Tensor, as_tensor

_crf_loss = lift(crf.crf_loss)


class CRF(Module):
    """loss = crf(emissions, tags) in training, tags = crf.decode(emissions) afterwards.

    The loss is minus the log-likelihood of the tags, log Z - score, which is at least 0 and falls in training. (The module of the
    same name in pytorch-crf gives the log-likelihood itself, and sums it over the batch.)
    Shapes: emissions (T, N, num_tags), a score for every tag at every step, tags (T, N) of integers, mask (T, N) of bools, true
        where there is data; the first two axes exchanged with batch_first. What is not data is left out, wherever it stands.
    reduction: "mean" over the sequences, "sum", or "none": (N,).
    Parameters: start_transitions and end_transitions (num_tags,), transitions (num_tags, num_tags) from the tag of the row to
        that of the column; pytorch-crf's names; drawn by rng uniformly on +-0.1.
    Raises: OptionError, ShapeError or DtypeError if arguments do not fit.
    Source: Lafferty, McCallum & Pereira 2001; behind a network, Collobert et al. 2011, arXiv:1103.0398. The gradient is derived
        in `minidil.ops.crf`.
    """

    def __init__(self, num_tags: int, batch_first: bool = False, *, rng: np.random.Generator | None = None) -> None:
        super().__init__()
        check_counts("CRF", num_tags=num_tags)
        self.num_tags = num_tags
        self.batch_first = batch_first
        generator = default_rng() if rng is None else rng

        def drawn(*shape: int) -> Parameter:
            return Parameter(generator.uniform(-0.1, 0.1, shape).astype(np.float32))

        self.start_transitions, self.end_transitions = drawn(num_tags), drawn(num_tags)
        self.transitions = drawn(num_tags, num_tags)

    def forward(
        self, emissions: Tensor, tags: Tensor | Array, mask: Tensor | Array | None = None, reduction: str = "mean"
    ) -> Tensor:
        if reduction not in ("mean", "sum", "none"):
            raise OptionError(f'CRF: reduction must be "mean", "sum" or "none", not {reduction!r}')
        if self.batch_first:
            emissions, tags, mask = emissions.transpose(1, 0, 2), tags.T, None if mask is None else mask.T
        parameters = (self.transitions, self.start_transitions, self.end_transitions)
        losses: Tensor = _crf_loss(emissions, *parameters, tags=tags, mask=mask)
        return losses if reduction == "none" else F.mean(losses) if reduction == "mean" else F.sum(losses)

    def decode(self, emissions: Tensor, mask: Tensor | Array | None = None) -> list[list[int]]:
        """The most probable tags of every sequence (Viterbi's algorithm): one for each step that has data."""
        scores, data = as_tensor(emissions).numpy(), None if mask is None else np.asarray(mask)
        if self.batch_first:
            scores, data = scores.transpose(1, 0, 2), None if data is None else data.T
        start, end = self.start_transitions.numpy(), self.end_transitions.numpy()
        return crf.viterbi(scores, self.transitions.numpy(), start, end, data)

    def extra_repr(self) -> str:
        return f"{self.num_tags}" + (", batch_first=True" if self.batch_first else "")
