"""Chapter 19, a language model: words cut into pieces, attention that leaves padding out, and the gradient of attention."""

from collections.abc import Callable
from typing import Any

import numpy as np

from minidil.array import Array
from minidil.classroom.draw import Draw
from minidil.classroom.exercise import Exercise, Mistake

Gradients = tuple[Array, Array, Array]


# What is expected


def pieces(word: str, vocabulary: tuple[str, ...]) -> str:
    """The pieces of a word with spaces between, cut greedily from the left, or [UNK]."""
    return _cut(word, vocabulary, lambda word, start: range(len(word), start, -1), "##")


def attention(q: Array, k: Array, v: Array, counts: Array) -> Array:
    """Every query's mean of the values that count, weighed by softmax(q k^T / sqrt(E)): (T, E), (T, E), (T, V) -> (T, V)."""
    return _softmax(np.where(counts, q @ k.T / np.sqrt(q.shape[1]), -np.inf)) @ v


def gradients(q: Array, k: Array, v: Array, grad: Array) -> Gradients:
    """Of attention without padding, for dL/dy = grad: dL/dq, dL/dk and dL/dv."""
    return _gradients(q, k, v, grad, _slope)


def _cut(word: str, vocabulary: tuple[str, ...], ends: Callable[[str, int], range], mark: str) -> str:
    found: list[str] = []
    start = 0
    while start < len(word):
        before = mark if start else ""
        end = next((end for end in ends(word, start) if before + word[start:end] in vocabulary), None)
        if end is None:
            return "[UNK]"
        found.append(before + word[start:end])
        start = end
    return " ".join(found)


def _softmax(z: Array, axis: int = -1) -> Array:
    e = np.exp(z - z.max(axis=axis, keepdims=True))
    return e / e.sum(axis=axis, keepdims=True)


def _slope(p: Array, slope: Array) -> Array:
    """From the gradient of the weights P to that of the scores."""
    return p * (slope - (p * slope).sum(axis=1, keepdims=True))


def _gradients(q: Array, k: Array, v: Array, grad: Array, slope_of: Callable[[Array, Array], Array]) -> Gradients:
    p = _softmax(q @ k.T / np.sqrt(q.shape[1]))
    d = slope_of(p, grad @ v.T) / np.sqrt(q.shape[1])
    return d @ k, d.T @ q, p.T @ grad


# How cases are drawn


def _pieces_cases(draw: Draw) -> dict[str, Any]:
    vocabularies = (
        ("a", "b", "##a", "##b"),
        ("a", "ab", "##b", "##ab", "b"),
        ("a", "ab", "##bb"),
        ("b", "ba", "##a", "##aba", "##ab"),
    )
    word = "".join("ab"[letter] for letter in draw.integers(0, 1, least=1, most=6))
    return {"word": word, "vocabulary": draw.choice(vocabularies)}


def _attention_cases(draw: Draw) -> dict[str, Any]:
    places, width = draw.integer(2, 4), draw.integer(1, 4)
    counts = np.arange(places) < draw.integer(1, places)
    return {
        "q": draw.reals(places, width),
        "k": draw.reals(places, width),
        "v": draw.reals(places, draw.integer(1, 3)),
        "counts": counts,
    }


def _gradients_cases(draw: Draw) -> dict[str, Any]:
    places, width, values = draw.integer(2, 4), draw.integer(2, 4), draw.integer(1, 3)
    return {
        "q": draw.reals(places, width) / 4,
        "k": draw.reals(places, width) / 4,
        "v": draw.reals(places, values),
        "grad": draw.reals(places, values),
    }


# What students get wrong


def _shortest_first(word: str, vocabulary: tuple[str, ...]) -> str:
    return _cut(word, vocabulary, lambda word, start: range(start + 1, len(word) + 1), "##")


def _unmarked(word: str, vocabulary: tuple[str, ...]) -> str:
    return _cut(word, vocabulary, lambda word, start: range(len(word), start, -1), "")


def _rest_unknown(word: str, vocabulary: tuple[str, ...]) -> str:
    end = next((end for end in range(len(word), 0, -1) if pieces(word[:end], vocabulary) != "[UNK]"), 0)
    known = pieces(word[:end], vocabulary) if end else ""
    return known if end == len(word) else f"{known} [UNK]".strip()


def _best_spelling(word: str, vocabulary: tuple[str, ...]) -> str:
    """The spelling of the fewest pieces, where there is one."""
    best: list[list[str] | None] = [[]]
    for end in range(1, len(word) + 1):
        found = [
            [*before, ("##" if start else "") + word[start:end]]
            for start, before in enumerate(best)
            if before is not None and ("##" if start else "") + word[start:end] in vocabulary
        ]
        best.append(min(found, key=len) if found else None)
    whole = best[-1]
    return "[UNK]" if whole is None else " ".join(whole)


def _scores_with(scale: Callable[[int], float]) -> Callable[..., Array]:
    def wrong(q: Array, k: Array, v: Array, counts: Array) -> Array:
        return _softmax(np.where(counts, q @ k.T * scale(q.shape[1]), -np.inf)) @ v

    return wrong


def _masked_by_zero(q: Array, k: Array, v: Array, counts: Array) -> Array:
    return _softmax(np.where(counts, q @ k.T / np.sqrt(q.shape[1]), 0.0)) @ v


def _masked_afterwards(q: Array, k: Array, v: Array, counts: Array) -> Array:
    return np.where(counts, _softmax(q @ k.T / np.sqrt(q.shape[1])), 0.0) @ v


def _queries_masked(q: Array, k: Array, v: Array, counts: Array) -> Array:
    return _softmax(np.where(counts[:, None], q @ k.T / np.sqrt(q.shape[1]), -np.inf)) @ v


def _unmasked(q: Array, k: Array, v: Array, counts: Array) -> Array:
    return attention(q, k, v, np.ones_like(counts))


def _softmax_of_columns(q: Array, k: Array, v: Array, counts: Array) -> Array:
    return np.where(counts, _softmax(q @ k.T / np.sqrt(q.shape[1]), axis=0), 0.0) @ v


def _roles_swapped(q: Array, k: Array, v: Array, counts: Array) -> Array:
    return attention(k, q, v, counts)


def _slopes_with(slope_of: Callable[[Array, Array], Array]) -> Callable[..., Gradients]:
    def wrong(q: Array, k: Array, v: Array, grad: Array) -> Gradients:
        return _gradients(q, k, v, grad, slope_of)

    return wrong


def _unscaled(q: Array, k: Array, v: Array, grad: Array) -> Gradients:
    dq, dk, dv = gradients(q, k, v, grad)
    return dq * np.sqrt(q.shape[1]), dk * np.sqrt(q.shape[1]), dv


def _not_transposed(q: Array, k: Array, v: Array, grad: Array) -> Gradients:
    p = _softmax(q @ k.T / np.sqrt(q.shape[1]))
    d = _slope(p, grad @ v.T) / np.sqrt(q.shape[1])
    return d @ k, d @ q, p.T @ grad


def _values_not_transposed(q: Array, k: Array, v: Array, grad: Array) -> Gradients:
    dq, dk, _ = gradients(q, k, v, grad)
    return dq, dk, _softmax(q @ k.T / np.sqrt(q.shape[1])) @ grad


EXERCISES = (
    Exercise(
        name="ex19_1",
        title="A word in pieces",
        function="my_pieces",
        signature="my_pieces(word, vocabulary)",
        cases=_pieces_cases,
        expected=pieces,
        hints=(
            "At every place, which pieces come into question, and in which order do you try them? What if none fits?",
            'From the place `start` try the ends len(word), len(word) - 1, ... down to start + 1; behind the first place "##" '
            "stands before the piece. If none is in the vocabulary, the whole word is [UNK].",
            'while start < len(word): for end in range(len(word), start, -1): piece = ("##" if start else "") + word[start:end]; '
            'if it is in the vocabulary, keep it, set start = end and break; a for without a break (else:) returns "[UNK]".',
        ),
        mistakes=(
            Mistake(
                "the shortest piece first",
                _shortest_first,
                "Greedy means the longest piece that the vocabulary has, at every place.",
            ),
            Mistake(
                "pieces within a word have no mark",
                _unmarked,
                "A piece that goes on a word is another entry than one that begins it: ## stands before it.",
            ),
            Mistake(
                "only the rest is unknown",
                _rest_unknown,
                "A word that cannot be cut to its end is [UNK] as a whole, and none of its pieces is kept.",
            ),
            Mistake(
                "the best spelling is searched",
                _best_spelling,
                "That is a better algorithm than the one asked for: WordPiece never takes a piece back.",
            ),
        ),
        points=2,
        minutes=20,
        forbidden=("minidil.text.WordPiece", "minidil.text.wordpiece.WordPiece"),
    ),
    Exercise(
        name="ex19_2",
        title="Attention that leaves padding out",
        function="my_attention",
        signature="my_attention(q, k, v, counts)",
        cases=_attention_cases,
        expected=attention,
        hints=(
            "Which score gives a key the weight 0 exactly? Over which axis do the weights of one query add up to 1?",
            "Scores q @ k.T / sqrt(E); -inf where a key does not count, before the softmax; the softmax along each row.",
            "z = np.where(counts, q @ k.T / np.sqrt(q.shape[1]), -np.inf); e = np.exp(z - z.max(axis=1, keepdims=True)); "
            "return e / e.sum(axis=1, keepdims=True) @ v",
        ),
        mistakes=(
            Mistake("the scores are not scaled", _scores_with(lambda e: 1.0), "The scores are divided by sqrt(E)."),
            Mistake(
                "divided by E",
                _scores_with(lambda e: 1 / e),
                "A sum of E products has the standard deviation sqrt(E), not E.",
            ),
            Mistake("padding counts", _unmasked, "Keys that do not count must have the weight 0."),
            Mistake(
                "the score 0 in place of none",
                _masked_by_zero,
                "A score of 0 is a score like others: e^0 = 1 still takes its share. Only -inf gives the weight 0.",
            ),
            Mistake(
                "queries are taken out in place of keys",
                _queries_masked,
                "counts is about keys: whoever asks, a key that does not count weighs 0. That is a column of q @ k.T; you take "
                "out rows, and the softmax of nothing is nan.",
            ),
            Mistake(
                "padding is taken out behind the softmax",
                _masked_afterwards,
                "Then the weights that are left no longer add up to 1: padding has had its share.",
            ),
            Mistake(
                "the softmax along the queries",
                _softmax_of_columns,
                "The weights of one *query* add up to 1, over the keys: along a row of q @ k.T.",
            ),
            Mistake("queries and keys are swapped", _roles_swapped, "Row l of the scores belongs to query l: q @ k.T."),
        ),
        points=2,
        minutes=20,
        forbidden=("minidil.functional.scaled_dot_product_attention",),
    ),
    Exercise(
        name="ex19_3",
        title="The gradient of attention",
        function="my_gradients",
        signature="my_gradients(q, k, v, grad)",
        cases=_gradients_cases,
        expected=gradients,
        returns=("dq", "dk", "dv"),
        hints=(
            "Y = P V and Z = q k^T / sqrt(E) are matrix products, a softmax of every row between. Begin at the end.",
            "dL/dV = P^T G and dL/dP = G V^T; a softmax has dp_s/dz_r = p_s ([s = r] - p_r), so D = P (dP - sum_s P dP) by rows.",
            "D = P * (dP - (P * dP).sum(axis=1, keepdims=True)) / np.sqrt(q.shape[1]); dq = D @ k; dk = D.T @ q; dv = P.T @ grad",
        ),
        mistakes=(
            Mistake(
                "the softmax passes the slope on as it is",
                _slopes_with(lambda p, slope: slope),
                "Between the weights and the scores lies a softmax, whose slope is p_s ([s = r] - p_r).",
            ),
            Mistake(
                "the sum in the softmax's slope is forgotten",
                _slopes_with(lambda p, slope: p * slope),
                "A larger score makes all other weights smaller: each row of D must sum to 0.",
            ),
            Mistake(
                "the sum runs over the queries",
                _slopes_with(lambda p, slope: p * (slope - (p * slope).sum(axis=0, keepdims=True))),
                "Weights add up to 1 along a row, over the keys, and so does the sum in their slope.",
            ),
            Mistake(
                "the sum is not weighed",
                _slopes_with(lambda p, slope: p * (slope - slope.sum(axis=1, keepdims=True))),
                "The sum is of P dP, not of dP alone.",
            ),
            Mistake(
                "the scale is forgotten", _unscaled, "The scores were divided by sqrt(E), and so are their gradients."
            ),
            Mistake(
                "D is not transposed for the keys",
                _not_transposed,
                "Key s was asked by all queries: it collects column s of D, which is row s of D.T.",
            ),
            Mistake(
                "P is not transposed for the values",
                _values_not_transposed,
                "Value s went to all queries: it collects column s of P.",
            ),
        ),
        points=3,
        minutes=30,
    ),
)
