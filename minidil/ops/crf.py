"""Linear-chain conditional random field: the probability of a sequence of tags, and its gradient, which are marginals.

A path y through the tags of a sequence has the score

    s(y) = start[y_1] + sum_t emissions[t, y_t] + sum_t transitions[y_(t-1), y_t] + end[y_T],

and the probability e^s(y) / Z, where Z is the sum of e^s over all K^T paths.
Padding. A mask says where there is data: all other steps are left out, as if the sequence were without them. A sequence of
padding alone has one path, without a tag, and so the loss 0.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from minidil.array import Array
from minidil.errors import DtypeError, OptionError, ShapeError
from minidil.kernels.backend import active
from minidil.kernels.contract import Kernels
from minidil.ops.common import Vjp, Vjps, check_floating, once

Bools = NDArray[np.bool_]


def crf_loss(
    emissions: Array, transitions: Array, start: Array, end: Array, *, tags: Array, mask: Array | None = None
) -> tuple[Array, Vjps]:
    """-log p(tags) = log Z - s(tags) of every sequence: at least 0.

    Shapes: emissions (T, N, K), transitions (K, K) from the tag of the row to that of the column, start and end (K,), tags
        (T, N) of integers in 0..K-1, mask (T, N) of bools, true where there is data -> (N,).
    Tags at padding may be anything.
    Raises: ShapeError, DtypeError or OptionError if they do not fit together.
    Source: Lafferty, McCallum & Pereira 2001, "Conditional random fields"; forward-backward, Rabiner 1989.
    """
    k = active()
    data = check_chain("crf_loss", emissions, transitions, start, end, mask)
    path = _Path(emissions, tags, data)
    chain = _Chain(k, emissions, transitions, data)
    log_z, alphas = chain.forward(start, end)

    # Z is a sum of e^s(y), so dlog Z/dtheta = sum_y p(y) ds(y)/dtheta: how often a parameter occurs in a path, expected over all
    # paths; less how often it occurs in the tags themselves, of s(tags). The expectations are marginals. With the sums over paths
    #   alpha_t[j], over those that end at step t in j (emissions[t, j] included), and
    #   beta_t[i], over those that go on from i behind step t (end included), both as logarithms,
    # they are, for emissions[t, i] and for one step of transitions[i, j],
    #   p(y_t = i) = e^(alpha_t[i] + beta_t[i]) / Z,
    #   p(y_(t-1) = i, y_t = j) = e^(alpha_(t-1)[i] + transitions[i, j] + emissions[t, j] + beta_t[j]) / Z.
    expected = once(lambda grad: chain.expected(grad, alphas, log_z, end))

    def less_path(number: int) -> Vjp:
        def grad_operand(grad: Array) -> Array:
            index, sequence = path.entries[number]
            counted = k.scatter_add(k.take(grad, (sequence,)), index, shapes[number])
            return k.subtract(expected(grad)[number], counted)

        return grad_operand

    operands = (emissions, transitions, start, end)
    shapes = [operand.shape for operand in operands]
    score = k.constant(np.zeros(emissions.shape[1]), like=emissions)
    for operand, (index, sequence) in zip(operands, path.entries, strict=True):
        score = k.add(score, k.scatter_add(k.take(operand, index), (sequence,), score.shape))
    return k.subtract(log_z, score), tuple(map(less_path, range(4)))


def check_chain(op: str, emissions: Array, transitions: Array, start: Array, end: Array, mask: Array | None) -> Bools:
    """The mask on the host, all true if there is none. Raises: ShapeError or DtypeError if the arrays do not fit together."""
    check_floating(op, emissions=emissions)
    if emissions.ndim != 3:
        raise ShapeError(f"{op}: emissions {emissions.shape} must be (T, N, K)")
    steps, batch, tags = emissions.shape
    for name, array, shape in (
        ("transitions", transitions, (tags, tags)),
        ("start", start, (tags,)),
        ("end", end, (tags,)),
    ):
        if array.shape != shape:
            raise ShapeError(f"{op}: {name} must be {shape} to go with emissions {emissions.shape}, not {array.shape}")
    if mask is None:
        return np.ones((steps, batch), bool)
    if getattr(mask, "dtype", None) != np.dtype(bool):
        kind = getattr(mask, "dtype", type(mask).__name__)
        raise DtypeError(f"{op}: mask must be an array of bools, true where there is data, not {kind}")
    if mask.shape != (steps, batch):
        raise ShapeError(f"{op}: mask must be (T, N) = {(steps, batch)}, not {mask.shape}")
    return np.asarray(mask)


class _Path:
    """Which entries of emissions, transitions, start and end the tags use, and of which sequence each is."""

    def __init__(self, emissions: Array, tags: Array, data: Bools) -> None:
        if getattr(tags, "dtype", np.dtype(object)).kind not in "iu":
            raise DtypeError(f"crf_loss: tags must be integers, not {getattr(tags, 'dtype', type(tags).__name__)}")
        if tags.shape != data.shape:
            raise ShapeError(f"crf_loss: tags must be (T, N) = {data.shape}, not {tags.shape}")
        sequence, step = np.nonzero(data.T)  # sequence by sequence
        y = np.asarray(tags)[step, sequence]
        last_tag = emissions.shape[2] - 1
        if y.size and not 0 <= y.min() <= y.max() <= last_tag:
            raise OptionError(f"crf_loss: tags hold {y.min()}..{y.max()} where there is data, but lie in 0..{last_tag}")
        goes_on = sequence[1:] == sequence[:-1]
        opens, closes = np.append(True, ~goes_on)[: y.size], np.append(~goes_on, True)[: y.size]
        self.entries = (
            ((step, sequence, y), sequence),
            ((y[:-1][goes_on], y[1:][goes_on]), sequence[1:][goes_on]),
            ((y[opens],), sequence[opens]),
            ((y[closes],), sequence[closes]),
        )


class _Chain:
    """Sums over all paths, step by step, as logarithms."""

    def __init__(self, k: Kernels, emissions: Array, transitions: Array, data: Bools) -> None:
        self.k, self.transitions = k, transitions
        self.data = data[:, :, None]
        # 0 in the place of padding, since an infinity there would be computed with, if only to be left out
        self.emissions = emissions if data.all() else k.where(self.data, emissions, k.constant(0, like=emissions))
        self.first: Array = self.data & (np.cumsum(self.data, axis=0) == 1)
        self.later: Array = self.data & ~self.first
        self.some = np.asarray(data.any(axis=0))

    def forward(self, start: Array, end: Array) -> tuple[Array, list[Array]]:
        """log Z (N,), and alpha (N, K) before the first step and after each."""
        k = self.k
        alphas = [k.constant(np.zeros(self.emissions.shape[1:]), like=self.emissions)]
        for t in range(self.emissions.shape[0]):
            before = self._either(self.first[t], start, k.log_matmul(alphas[-1], self.transitions))
            alphas.append(self._either(self.data[t], k.add(before, k.take(self.emissions, t)), alphas[-1]))
        ends = k.log_matmul(alphas[-1], k.reshape(end, (-1, 1)))
        return k.where(self.some, k.reshape(ends, (-1,)), k.constant(0, like=end)), alphas

    def expected(self, grad: Array, alphas: list[Array], log_z: Array, end: Array) -> tuple[Array, Array, Array, Array]:
        """sum_n grad[n] times the expected number of occurrences, of emissions, transitions, start and end."""
        k = self.k
        steps, batch, tags = self.emissions.shape
        impossible, nothing = k.constant(-np.inf, like=end), k.constant(0, like=end)
        turned, weight, log_z = k.transpose(self.transitions), k.reshape(grad, (-1, 1)), k.reshape(log_z, (-1, 1))

        def chances(where: Bools, score: Array, behind: Array) -> Array:
            """e^(score + behind) / Z, or 0, times the weight."""
            score = k.where(where, k.subtract(k.add(score, behind), log_z), impossible)
            return k.multiply(k.exp(score), weight)

        beta = k.broadcast_to(end, (batch, tags))
        ends = k.sum(chances(self.some[:, None], alphas[-1], beta), axis=0)
        if not steps:
            return self.emissions, k.zeros_like(turned), k.zeros_like(end), ends
        betas, behinds = list[Array](), list[Array]()  # from the last step to the first
        for t in reversed(range(steps)):
            betas.append(beta)
            behinds.append(k.add(k.take(self.emissions, t), beta))
            beta = self._either(self.later[t], k.log_matmul(behinds[-1], turned), beta)
        marginals = chances(self.data, k.stack(alphas[1:]), k.stack(betas[::-1]))
        starts = k.sum(k.where(self.first, marginals, nothing), axis=(0, 1))
        befores = k.where(self.later, k.subtract(k.stack(alphas[:-1]), log_z), impossible)
        before, behind = (k.reshape(each, (-1, tags)) for each in (befores, k.stack(behinds[::-1])))
        weights = k.reshape(k.broadcast_to(grad, (steps, batch)), (-1,))
        return marginals, k.path_pairs(before, self.transitions, behind, weights), starts, ends

    def _either(self, where: Bools, a: Array, b: Array) -> Array:
        """a where it is true and b elsewhere, without looking at each where it is the same for all."""
        return a if where.all() else self.k.where(where, a, b) if where.any() else b


def viterbi(
    emissions: Array, transitions: Array, start: Array, end: Array, mask: Array | None = None
) -> list[list[int]]:
    """The most probable path of every sequence, a tag for each step that has data; of equal ones the first in order.

    Shapes as in `crf_loss`; everything is on the host, since a path has no gradient.
    Source: Viterbi 1967, "Error bounds for convolutional codes".
    """
    data = check_chain("viterbi", emissions, transitions, start, end, mask)[:, :, None]
    steps, batch, tags = emissions.shape
    emissions = np.where(data, emissions, emissions.dtype.type(0))
    score = np.zeros((batch, tags), emissions.dtype)
    came_from = np.broadcast_to(np.arange(tags), (steps, batch, tags)).copy()
    first = data & (np.cumsum(data, axis=0) == 1)
    later = data & ~first
    for t in range(steps):
        paths = score[:, :, None] + transitions
        np.copyto(came_from[t], paths.argmax(axis=1), where=later[t])
        before = np.where(first[t], start, paths.max(axis=1))
        score = np.where(data[t], before + emissions[t], score)
    found: list[list[int]] = []
    for n, tag in enumerate((score + end).argmax(axis=1)):
        path = []
        for t in reversed(np.flatnonzero(data[:, n])):
            path.append(int(tag))
            tag = came_from[t, n, tag]
        found.append(path[::-1])
    return found
