"""Chapter 13, faster inference: batch norm folded into a convolution, numbers on a ruler of few marks, a ring of rows."""

from collections.abc import Callable
from typing import Any

import numpy as np

from minidil.array import Array
from minidil.classroom.draw import Draw
from minidil.classroom.exercise import Exercise, Mistake

Folded = tuple[Array, Array]
Marks = tuple[Array, float, int]


# What is expected


def folded(weight: Array, bias: Array, gamma: Array, beta: Array, mean: Array, var: Array, eps: float) -> Folded:
    """weight (F, C, K, K) and bias (F,) of the convolution that does what it and the batch norm behind it do."""
    scale = gamma / np.sqrt(var + eps)
    return weight * _of_filters(scale), scale * (bias - mean) + beta


def on_marks(x: Array, bits: int) -> Marks:
    """The nearest of the 2^bits marks for each number, int64; the distance of the marks; and the mark that stands for 0."""
    return _marks(x, min(x.min(), 0.0), max(x.max(), 0.0), bits)


def step(rows: Array, t: int, row: Array, weight: Array, dilation: int) -> tuple[Array, Array]:
    """The answer (F,) to sample number t of a causal convolution, and the ring ((K - 1) d, C) after it."""
    taps = weight.shape[2]
    looked_at = [rows[(t - (taps - 1 - k) * dilation) % len(rows)] for k in range(taps - 1)]
    return _summed(weight, [*looked_at, row]), _replaced(rows, t, row)


def _of_filters(scale: Array) -> Array:
    return scale[:, None, None, None]


def _marks(x: Array, low: float, high: float, bits: int) -> Marks:
    most = 2**bits - 1
    scale = float((high - low) / most) or 1.0
    zero = int(np.rint(-low / scale))
    return np.clip(np.rint(x / scale) + zero, 0, most).astype(np.int64), scale, zero


def _summed(weight: Array, looked_at: list[Array]) -> Array:
    return np.asarray(np.einsum("fck,kc->f", weight, np.stack(looked_at)))


def _replaced(rows: Array, place: int, row: Array) -> Array:
    after = rows.copy()
    after[place % len(rows)] = row
    return after


# How cases are drawn


def _folded_cases(draw: Draw) -> dict[str, Any]:
    filters = draw.integer(1, 3)
    size = draw.integer(1, 3)
    return {
        "weight": draw.reals(filters, draw.integer(1, 3), size, size),
        "bias": draw.reals(filters),
        "gamma": draw.reals(filters),
        "beta": draw.reals(filters),
        "mean": draw.reals(filters),
        "var": np.abs(draw.reals(filters, power=2)),
        "eps": draw.choice((1e-5, 0.5)),
    }


def _marks_cases(draw: Draw) -> dict[str, Any]:
    return {"x": draw.reals(draw.integer(1, 6)) + draw.choice((0.0, 5.0, -20.0)), "bits": draw.choice((8, 2, 3, 4))}


def _step_cases(draw: Draw) -> dict[str, Any]:
    taps, dilation, channels = draw.integer(2, 4), draw.integer(1, 3), draw.integer(1, 2)
    return {
        "rows": draw.array((taps - 1) * dilation, channels),
        "t": draw.integer(0, 12),
        "row": draw.array(channels),
        "weight": draw.array(draw.integer(1, 2), channels, taps),
        "dilation": dilation,
    }


# What students get wrong


def _folded_with(scale_of: Callable[[Array, Array, float], Array]) -> Callable[..., Folded]:
    def wrong(weight: Array, bias: Array, gamma: Array, beta: Array, mean: Array, var: Array, eps: float) -> Folded:
        scale = scale_of(gamma, var, eps)
        return weight * _of_filters(scale), scale * (bias - mean) + beta

    return wrong


def _bias_with(bias_of: Callable[[Array, Array, Array, Array], Array]) -> Callable[..., Folded]:
    def wrong(weight: Array, bias: Array, gamma: Array, beta: Array, mean: Array, var: Array, eps: float) -> Folded:
        scale = gamma / np.sqrt(var + eps)
        return weight * _of_filters(scale), bias_of(scale, bias, beta, mean)

    return wrong


def _range_without_zero(x: Array, bits: int) -> Marks:
    return _marks(x, float(x.min()), float(x.max()), bits)


def _one_mark_too_many(x: Array, bits: int) -> Marks:
    low, high = min(x.min(), 0.0), max(x.max(), 0.0)
    scale = float((high - low) / 2**bits) or 1.0
    zero = int(np.rint(-low / scale))
    return np.clip(np.rint(x / scale) + zero, 0, 2**bits - 1).astype(np.int64), scale, zero


def _cut_off(x: Array, bits: int) -> Marks:
    _, scale, zero = on_marks(x, bits)
    return np.clip(np.trunc(x / scale) + zero, 0, 2**bits - 1).astype(np.int64), scale, zero


def _symmetric(x: Array, bits: int) -> Marks:
    most = 2 ** (bits - 1) - 1
    scale = float(np.abs(x).max() / most) or 1.0
    return np.rint(x / scale).astype(np.int64), scale, 0


def _zero_subtracted(x: Array, bits: int) -> Marks:
    _, scale, zero = on_marks(x, bits)
    return np.clip(np.rint(x / scale) - zero, 0, 2**bits - 1).astype(np.int64), scale, zero


def _zero_forgotten(x: Array, bits: int) -> Marks:
    _, scale, zero = on_marks(x, bits)
    return np.clip(np.rint(x / scale), 0, 2**bits - 1).astype(np.int64), scale, zero


def _step_reversed(rows: Array, t: int, row: Array, weight: Array, dilation: int) -> tuple[Array, Array]:
    return step(rows, t, row, weight[:, :, ::-1], dilation)


def _step_overwritten(rows: Array, t: int, row: Array, weight: Array, dilation: int) -> tuple[Array, Array]:
    after = _replaced(rows, t, row)
    return step(after, t, row, weight, dilation)[0], after


def _step_undilated(rows: Array, t: int, row: Array, weight: Array, dilation: int) -> tuple[Array, Array]:
    return step(rows, t, row, weight, 1)[0], _replaced(rows, t, row)


def _step_moved(rows: Array, t: int, row: Array, weight: Array, dilation: int) -> tuple[Array, Array]:
    y, _ = step(rows, 0, row, weight, dilation)
    return y, np.concatenate([rows[1:], row[None]])


def _step_at_the_place_of_a_tap(rows: Array, t: int, row: Array, weight: Array, dilation: int) -> tuple[Array, Array]:
    return step(rows, t, row, weight, dilation)[0], _replaced(rows, t % weight.shape[2], row)


def _step_kept(rows: Array, t: int, row: Array, weight: Array, dilation: int) -> tuple[Array, Array]:
    return step(rows, t, row, weight, dilation)[0], rows.copy()


EXERCISES = (
    Exercise(
        name="ex13_1",
        title="Batch norm folded into a convolution",
        function="my_folded",
        signature="my_folded(weight, bias, gamma, beta, mean, var, eps)",
        cases=_folded_cases,
        expected=folded,
        returns=("weight", "bias"),
        hints=(
            "Write batch norm in evaluation mode as s v + t for each channel. What are s and t? Then put v = w * x + b into it.",
            "s = gamma / sqrt(var + eps) and t = beta - s mean. The convolution is linear: s may be drawn into its weights.",
            "weight * s[:, None, None, None] and s * (bias - mean) + beta: a filter makes a channel, so s stands on axis 0.",
        ),
        mistakes=(
            Mistake(
                "the root is forgotten",
                _folded_with(lambda gamma, var, eps: gamma / (var + eps)),
                "Batch norm divides by the standard deviation. You divide by the variance.",
            ),
            Mistake(
                "eps is added to the standard deviation",
                _folded_with(lambda gamma, var, eps: gamma / (np.sqrt(var) + eps)),
                "eps is added to the variance, under the root.",
            ),
            Mistake(
                "eps is forgotten",
                _folded_with(lambda gamma, var, eps: gamma / np.sqrt(np.maximum(var, 1e-300))),
                "Batch norm adds eps to the variance, and a small variance makes the difference.",
            ),
            Mistake(
                "gamma is forgotten",
                _folded_with(lambda gamma, var, eps: 1 / np.sqrt(var + eps)),
                "What is normalised is multiplied by gamma.",
            ),
            Mistake(
                "the convolution's own bias is not scaled",
                _bias_with(lambda scale, bias, beta, mean: bias - scale * mean + beta),
                "Batch norm scales all that comes out of the convolution, its bias, too.",
            ),
            Mistake(
                "the convolution's own bias is lost",
                _bias_with(lambda scale, bias, beta, mean: beta - scale * mean),
                "The convolution had a bias, which batch norm scales and keeps.",
            ),
            Mistake(
                "the mean is not scaled",
                _bias_with(lambda scale, bias, beta, mean: scale * bias - mean + beta),
                "The mean is subtracted before the scale is applied.",
            ),
            Mistake(
                "the mean is added",
                _bias_with(lambda scale, bias, beta, mean: scale * (bias + mean) + beta),
                "Batch norm subtracts the mean.",
            ),
        ),
        points=2,
        minutes=20,
    ),
    Exercise(
        name="ex13_2",
        title="A ruler with few marks",
        function="my_marks",
        signature="my_marks(x, bits)",
        cases=_marks_cases,
        expected=on_marks,
        returns=("q", "scale", "zero"),
        hints=(
            "How many marks are there, and how many distances between them? Between which two numbers, so that 0 is one of them?",
            "low = min(x.min(), 0) and high = max(x.max(), 0) lie 2^bits - 1 distances apart. Which mark, rounded, stands for 0?",
            "scale = (high - low) / (2 ** bits - 1), or 1.0 if that is 0; zero = int(np.rint(-low / scale)); "
            "q = np.clip(np.rint(x / scale) + zero, 0, 2 ** bits - 1), as int64.",
        ),
        mistakes=(
            Mistake(
                "the range need not hold 0",
                _range_without_zero,
                "0 must be one of the marks, since convolutions pad with it: the range reaches to it, whatever x is.",
            ),
            Mistake(
                "as many distances as marks",
                _one_mark_too_many,
                "2^bits marks have one distance less between them: a fence of four posts has three gaps.",
            ),
            Mistake(
                "cut off instead of rounded",
                _cut_off,
                "The nearest mark is wanted; yours is the nearest on the side of 0, up to a whole step away.",
            ),
            Mistake(
                "symmetric, as weights are",
                _symmetric,
                "That is the ruler of weights, with zero point 0. Here the marks begin at low, and all 2^bits of them are used.",
            ),
            Mistake(
                "the zero point is subtracted",
                _zero_subtracted,
                "x = scale (q - zero), so zero is added on the way to q.",
            ),
            Mistake(
                "the zero point is not used",
                _zero_forgotten,
                "x = scale (q - zero): q is counted from low, not from 0.",
            ),
        ),
        points=3,
        minutes=25,
        forbidden=("minidil.deploy.quantize",),
    ),
    Exercise(
        name="ex13_3",
        title="A ring of rows",
        function="my_step",
        signature="my_step(rows, t, row, weight, dilation)",
        cases=_step_cases,
        expected=step,
        returns=("y", "rows"),
        hints=(
            "Tap k looks at sample t - (K - 1 - k) d. Which tap looks at the new row? At which places of the ring do the others?",
            "Sample number s lies at place s % len(rows). Negative numbers are no problem: Python's % is never negative. "
            "When must the new row be written?",
            "y = weight[:, :, -1] @ row, and for each k < K - 1 weight[:, :, k] @ rows[(t - (K - 1 - k) * dilation) % len(rows)] "
            "is added; then a copy of rows with row at place t % len(rows).",
        ),
        mistakes=(
            Mistake(
                "taps in reverse",
                _step_reversed,
                "The last tap looks at the new row, the first one furthest back.",
            ),
            Mistake(
                "the oldest row is overwritten before it is read",
                _step_overwritten,
                "The new row takes the place of the oldest, which the first tap still needs for this answer.",
            ),
            Mistake(
                "the taps are not dilated",
                _step_undilated,
                "Neighbouring taps look at samples that lie `dilation` apart.",
            ),
            Mistake(
                "the rows are moved along",
                _step_moved,
                "In a ring nothing moves: one row is replaced, at place t % len(rows), and all others stay where they are.",
            ),
            Mistake(
                "the place is counted in taps",
                _step_at_the_place_of_a_tap,
                "The ring has (K - 1) d rows, and its places are counted modulo that.",
            ),
            Mistake(
                "the new row is not kept", _step_kept, "Later samples look back at this one: it must be in the ring."
            ),
        ),
        points=3,
        minutes=25,
        forbidden=("minidil.deploy.stream",),
    ),
)
