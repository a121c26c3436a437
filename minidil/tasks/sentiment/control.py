"""The control that needs no network: how often words and pairs of words occur, and a line between the classes.

    x_t = c_t (ln((1 + N)/(1 + N_t)) + 1), divided by the norm of x      c_t times term t in the text, in N_t of the N texts
    minimise  |w|^2 / (2 C) + sum over texts of log(1 + exp(-y (w . x + b)))      y = +1 or -1

which is what scikit-learn computes (TfidfVectorizer, LogisticRegression), but for the words, which are those of `text.words`.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple, Self

import numpy as np
import numpy.typing as npt

from minidil import text
from minidil.data import TextDataset
from minidil.errors import DataError

_STRENGTHS = (0.3, 1.0, 3.0, 10.0)  # C, of which the one that does best on dev is taken
_STEPS, _CLOSE = 50, 1e-5  # at most, of Newton's method, which ends when no slope is larger
Floats = npt.NDArray[np.float64]


class Rows(NamedTuple):
    """A sparse matrix: row, column and value of each of its elements; and the number of rows."""

    row: npt.NDArray[np.int64]
    column: npt.NDArray[np.int64]
    value: Floats
    rows: int

    def times(self, weights: Floats) -> Floats:
        """X w."""
        return np.bincount(self.row, self.value * weights[self.column], self.rows).astype(float, copy=False)

    def transposed_times(self, each: Floats, columns: int) -> Floats:
        """X^T g."""
        return np.bincount(self.column, self.value * each[self.row], columns).astype(float, copy=False)


@dataclass(frozen=True, eq=False)
class BagOfWords:
    """Two classes told apart by the terms of a text. terms: the column of each; idf: its factor; weights and bias of the line."""

    terms: dict[str, int]
    idf: Floats
    weights: Floats
    bias: float
    strength: float

    @classmethod
    def fitted(cls, learn: TextDataset, choose: TextDataset | None = None) -> Self:
        """Learnt from texts of two classes. choose: decides between strengths C, of 0.3, 1, 3 and 10; without it, C = 1.

        Raises: DataError unless there are two classes.
        """
        if len(learn.classes) != 2:
            raise DataError(f"BagOfWords: tells 2 classes apart, and {learn.name} has {len(learn.classes)}")
        counted = [_terms(sentence) for sentence in learn.texts]
        having = Counter(term for terms in counted for term in terms)
        terms = {term: column for column, term in enumerate(sorted(having))}
        idf = np.log((1 + len(counted)) / (1 + np.array([having[term] for term in terms]))) + 1
        rows, signs = _rows(counted, terms, idf), np.where(learn.labels == 1, 1.0, -1.0)
        found = [
            cls(terms, idf, *_line(rows, signs, strength), strength) for strength in (_STRENGTHS if choose else (1.0,))
        ]
        return max(found, key=lambda each: each.accuracy(choose)) if choose else found[0]

    def scores(self, texts: Iterable[str]) -> Floats:
        """w . x + b, positive for class 1. A term that was not learnt counts for nothing, also in the norm."""
        rows = _rows([_terms(sentence) for sentence in texts], self.terms, self.idf)
        return rows.times(self.weights) + self.bias

    def predict(self, texts: Iterable[str]) -> npt.NDArray[np.int64]:
        """The number of the class of each text."""
        return (self.scores(texts) > 0).astype(np.int64)

    def accuracy(self, dataset: TextDataset) -> float:
        """The share of the texts whose class is found."""
        return float((self.predict(dataset.texts) == dataset.labels).mean())


def _terms(sentence: str) -> Counter[str]:
    """Words, and pairs of words beside each other."""
    words = text.words(sentence)
    return Counter([*words, *map(" ".join, pairwise(words))])


def _rows(counted: Sequence[Counter[str]], terms: dict[str, int], idf: Floats) -> Rows:
    found = [
        (row, terms[term], count)
        for row, counts in enumerate(counted)
        for term, count in counts.items()
        if term in terms
    ]
    table = np.array(found, np.int64).reshape(-1, 3)
    value = table[:, 2] * idf[table[:, 1]]
    norm = np.sqrt(np.bincount(table[:, 0], value**2, len(counted)))
    return Rows(table[:, 0], table[:, 1], value / norm[table[:, 0]], len(counted))


def _line(rows: Rows, signs: Floats, strength: float) -> tuple[Floats, float]:
    """Weights and bias of the least loss, by Newton's method.

    With s = 1/(1 + exp(y (w . x + b))):  dL/dw = w/C - X^T (y s),  dL/db = -sum y s,  and the second derivative is I/C (not for
    b) + X^T diag(s (1 - s)) X, X having a column of ones for b. Each step solves H d = -dL by conjugate gradients.
    """
    decay = np.full(int(rows.column.max(initial=-1)) + 2, 1 / strength)
    decay[-1] = 0

    def along(theta: Floats) -> Floats:
        return rows.times(theta[:-1]) + theta[-1]

    def back(each: Floats) -> Floats:
        return np.append(rows.transposed_times(each, len(decay) - 1), each.sum())

    theta = np.zeros(len(decay))
    for _ in range(_STEPS):
        share = 1 / (1 + np.exp(signs * along(theta)))
        slope = decay * theta - back(signs * share)
        if np.abs(slope).max() < _CLOSE:
            break
        curved = share * (1 - share)

        def hessian(step: Floats, curved: Floats = curved) -> Floats:
            return decay * step + back(curved * along(step))

        theta = theta - _solved(hessian, slope)
    return theta[:-1], float(theta[-1])


def _solved(times: Callable[[Floats], Floats], target: Floats) -> Floats:
    """x with A x = target to a tenth, A being symmetric and positive: conjugate gradients."""
    x, rest = np.zeros_like(target), target
    step, size = rest, float(rest @ rest)
    enough = 0.01 * size
    while size > enough:
        image = times(step)
        length = size / float(step @ image)
        x, rest = x + length * step, rest - length * image
        before, size = size, float(rest @ rest)
        step = rest + size / before * step
    return x
