"""Chapter 15, sentiment: the largest feature over the words of a sentence, where padding has no say."""

from typing import Any

import numpy as np

from minidil.array import Array
from minidil.classroom.draw import Draw
from minidil.classroom.exercise import Exercise, Mistake

Pooled = tuple[Array, Array]


# What is expected


def max_over_time(x: Array, mask: Array, grad: Array) -> Pooled:
    """The largest of x (N, C, T) where mask (N, T) holds, (N, C), 0 without a word; and dL/dx for grad = dL/dy."""
    counts = np.broadcast_to(mask[:, None], x.shape)
    y = np.where(np.any(mask, axis=1, keepdims=True), np.where(counts, x, -np.inf).max(axis=2), 0.0)
    return y, _shared(counts & (x == y[:, :, None]), grad)


def _shared(winners: Array, grad: Array) -> Array:
    return winners / np.maximum(winners.sum(axis=2, keepdims=True), 1) * grad[:, :, None]


# How cases are drawn


def _cases(draw: Draw) -> dict[str, Any]:
    sentences, channels, words = draw.integer(1, 3), draw.integer(1, 2), draw.integer(1, 5)
    few = draw.labels(sentences * channels * words, 4)  # values, so that some words share the largest
    return {
        "x": few.reshape(sentences, channels, words) - draw.choice((0.0, 5.0)),
        "mask": draw.labels(sentences * words, 2).reshape(sentences, words) == 1,
        "grad": draw.array(sentences, channels),
    }


# What students get wrong


def _zeros_in_the_padding(x: Array, mask: Array, grad: Array) -> Pooled:
    kept = x * mask[:, None]
    y = kept.max(axis=2)
    return y, _shared(mask[:, None] & (kept == y[:, :, None]), grad)


def _without_the_mask(x: Array, mask: Array, grad: Array) -> Pooled:
    y = x.max(axis=2)
    return y, _shared(x == y[:, :, None], grad)


def _by_lengths(x: Array, mask: Array, grad: Array) -> Pooled:
    return max_over_time(x, np.arange(mask.shape[1]) < mask.sum(axis=1)[:, None], grad)


def _infinite_without_a_word(x: Array, mask: Array, grad: Array) -> Pooled:
    y, dx = max_over_time(x, mask, grad)
    return np.where(np.any(mask, axis=1, keepdims=True), y, -np.inf), dx


def _whole_to_every_winner(x: Array, mask: Array, grad: Array) -> Pooled:
    y, _ = max_over_time(x, mask, grad)
    return y, (mask[:, None] & (x == y[:, :, None])) * grad[:, :, None]


def _whole_to_the_first(x: Array, mask: Array, grad: Array) -> Pooled:
    y, _ = max_over_time(x, mask, grad)
    winners = mask[:, None] & (x == y[:, :, None])
    return y, (winners & (winners.cumsum(axis=2) == 1)) * grad[:, :, None]


def _to_padding_as_large(x: Array, mask: Array, grad: Array) -> Pooled:
    y, _ = max_over_time(x, mask, grad)
    return y, _shared(x == y[:, :, None], grad)


EXERCISES = (
    Exercise(
        name="ex15_3",
        title="The largest over time",
        function="my_max_over_time",
        signature="my_max_over_time(x, mask, grad)",
        cases=_cases,
        expected=max_over_time,
        returns=("y", "dx"),
        hints=(
            "Which number is smaller than every feature, negative ones too? What is y where there is no word at all?",
            "Put -inf where mask[:, None] is false, take the maximum over the last axis, and put 0 into the rows without a word. "
            "Which places then have x equal to y, and are words?",
            "winners are mask[:, None] & (x == y[:, :, None]); dx is grad[:, :, None] there, divided by their number along "
            "the last axis (at least 1), and 0 elsewhere.",
        ),
        mistakes=(
            Mistake(
                "zeros in the padding",
                _zeros_in_the_padding,
                "A 0 is larger than every negative feature: where all words have negative ones, padding wins.",
            ),
            Mistake("the mask is not used", _without_the_mask, "The largest is taken over padding, too."),
            Mistake(
                "the mask is taken for lengths",
                _by_lengths,
                "The first sum(mask) places were taken. The mask says which places are words: padding may stand in front.",
            ),
            Mistake(
                "minus infinity without a word",
                _infinite_without_a_word,
                "The maximum of nothing is -inf here; the next layer would make NaN of it. Such a sentence gets 0.",
            ),
            Mistake(
                "every winner gets the whole gradient",
                _whole_to_every_winner,
                "If k features are the largest together, they share the gradient: 1/k each, or it counts k times.",
            ),
            Mistake(
                "the first winner gets all",
                _whole_to_the_first,
                "That is a subgradient as well, but the exercise shares it equally among the winners.",
            ),
            Mistake(
                "padding that is as large wins, too",
                _to_padding_as_large,
                "A place of padding that happens to hold the largest value is no winner: the mask belongs into the gradient.",
            ),
        ),
        points=3,
        minutes=20,
        forbidden=("minidil.text.max_over_time",),
    ),
)
