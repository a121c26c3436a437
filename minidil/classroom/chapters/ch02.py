"""Chapter 2, dilation: span, padding that keeps the size, a convolution that does not see the future, receptive fields."""

from typing import Any

import numpy as np

from minidil.array import Array
from minidil.classroom.draw import Draw
from minidil.classroom.exercise import Exercise, Mistake
from minidil.kernels.geometry import Window

# What is expected


def span(kernel_size: int, dilation: int) -> int:
    """From the first tap to the last, both counted."""
    return dilation * (kernel_size - 1) + 1


def same_padding(size: int, kernel_size: int, stride: int, dilation: int) -> tuple[int, int]:
    """(before, after), so that there are ceil(size / stride) outputs."""
    return Window.of((size,), kernel_size, stride, "same", dilation).padding[0]


def dilated(x: Array, w: Array, dilation: int) -> Array:
    """x (S,), w (K,) -> (S - span + 1,), without padding."""
    count = len(x) - span(len(w), dilation) + 1
    if count < 0:
        raise ValueError("the dilated kernel does not fit")
    return np.array([sum(float(w[k] * x[o + k * dilation]) for k in range(len(w))) for o in range(count)])


def causal_conv(x: Array, w: Array, dilation: int) -> Array:
    """x (T,), w (K,) -> (T,): output t reads nothing after t."""
    return dilated(np.pad(x, (dilation * (len(w) - 1), 0)), w, dilation)


def receptive_field(kernel_size: int, dilations: tuple[int, ...]) -> int:
    """Of a stack of layers with stride 1: how many inputs one output sees."""
    return 1 + (kernel_size - 1) * sum(dilations)


# How cases are drawn


def _span_cases(draw: Draw) -> dict[str, Any]:
    return {"kernel_size": draw.integer(1, 9), "dilation": draw.integer(1, 9)}


def _same_cases(draw: Draw) -> dict[str, Any]:
    return {
        "size": draw.integer(1, 14),
        "kernel_size": draw.integer(1, 5),
        "stride": draw.integer(1, 4),
        "dilation": draw.integer(1, 4),
    }


def _causal_cases(draw: Draw) -> dict[str, Any]:
    return {"x": draw.array(draw.integer(1, 8)), "w": draw.array(draw.integer(1, 4)), "dilation": draw.integer(1, 4)}


def _field_cases(draw: Draw) -> dict[str, Any]:
    return {"kernel_size": draw.integer(1, 5), "dilations": draw.integers(1, 8, 1, 5)}


# What students get wrong


def _span_kd(kernel_size: int, dilation: int) -> int:
    return kernel_size * dilation


def _span_of_steps(kernel_size: int, dilation: int) -> int:
    return dilation * (kernel_size - 1)


def _span_of_holes(kernel_size: int, dilation: int) -> int:
    return (dilation + 1) * (kernel_size - 1) + 1


def _span_plus_holes(kernel_size: int, dilation: int) -> int:
    return kernel_size + dilation - 1


def _same_undilated(size: int, kernel_size: int, stride: int, dilation: int) -> tuple[int, int]:
    return same_padding(size, kernel_size, stride, 1)


def _same_unstrided(size: int, kernel_size: int, stride: int, dilation: int) -> tuple[int, int]:
    total = dilation * (kernel_size - 1)
    return total // 2, total - total // 2


def _same_surplus_before(size: int, kernel_size: int, stride: int, dilation: int) -> tuple[int, int]:
    return same_padding(size, kernel_size, stride, dilation)[::-1]


def _same_unclipped(size: int, kernel_size: int, stride: int, dilation: int) -> tuple[int, int]:
    total = (-(-size // stride) - 1) * stride + span(kernel_size, dilation) - size
    return total // 2, total - total // 2


def _same_halves(size: int, kernel_size: int, stride: int, dilation: int) -> tuple[int, int]:
    before = same_padding(size, kernel_size, stride, dilation)[0]
    return before, before


def _causal_undilated(x: Array, w: Array, dilation: int) -> Array:
    return dilated(np.pad(x, (len(w) - 1, 0)), w, dilation)


def _causal_undilated_beyond(x: Array, w: Array, dilation: int) -> Array:
    padded = np.pad(x, (len(w) - 1, 0))
    return np.array([sum(float(w[k] * padded[t + k * dilation]) for k in range(len(w))) for t in range(len(x))])


def _causal_both_sides(x: Array, w: Array, dilation: int) -> Array:
    total = dilation * (len(w) - 1)
    return dilated(np.pad(x, (total // 2, total - total // 2)), w, dilation)


def _causal_after(x: Array, w: Array, dilation: int) -> Array:
    return dilated(np.pad(x, (0, dilation * (len(w) - 1))), w, dilation)


def _causal_uncut(x: Array, w: Array, dilation: int) -> Array:
    total = dilation * (len(w) - 1)
    return dilated(np.pad(x, (total, total)), w, dilation)


def _causal_from_the_end(x: Array, w: Array, dilation: int) -> Array:
    last = len(w) - 1
    return np.array([sum(w[k] * x[t - (last - k) * dilation] for k in range(len(w))) for t in range(len(x))])


def _causal_flipped(x: Array, w: Array, dilation: int) -> Array:
    return causal_conv(x, w[::-1], dilation)


def _field_of_largest(kernel_size: int, dilations: tuple[int, ...]) -> int:
    return span(kernel_size, max(dilations))


def _field_of_spans(kernel_size: int, dilations: tuple[int, ...]) -> int:
    return sum(span(kernel_size, dilation) for dilation in dilations)


def _field_kd(kernel_size: int, dilations: tuple[int, ...]) -> int:
    return 1 + kernel_size * sum(dilations)


def _field_of_product(kernel_size: int, dilations: tuple[int, ...]) -> int:
    return int(np.prod([span(kernel_size, dilation) for dilation in dilations]))


def _field_without_one(kernel_size: int, dilations: tuple[int, ...]) -> int:
    return (kernel_size - 1) * sum(dilations)


EXERCISES = (
    Exercise(
        name="ex02_1",
        title="The span of a dilated kernel",
        function="my_span",
        signature="my_span(kernel_size, dilation)",
        cases=_span_cases,
        expected=span,
        hints=(
            "Draw three taps with dilation 2 on squared paper, and count the squares from the first to the last.",
            "The taps are at 0, d, 2d, ... Where is the last one? How many positions are there from 0 to it?",
            "The last of K taps is at d * (K - 1); positions 0 to n are n + 1 positions.",
        ),
        mistakes=(
            Mistake(
                "span k*d", _span_kd, "Nothing follows the last tap: there are K taps, but how many gaps between them?"
            ),
            Mistake(
                "+ 1 forgotten",
                _span_of_steps,
                "You count the way from the first tap to the last, not the positions on it.",
            ),
            Mistake(
                "dilation taken for the number of holes",
                _span_of_holes,
                "Taps with dilation d are d apart, so there are d - 1 holes between two of them; d = 1 is the ordinary kernel.",
            ),
            Mistake(
                "the dilation is added once",
                _span_plus_holes,
                "There is a gap between every two neighbouring taps, and the dilation makes each of them wider.",
            ),
        ),
        points=1,
        minutes=5,
    ),
    Exercise(
        name="ex02_2",
        title="Padding that keeps the size",
        function="my_same_padding",
        signature="my_same_padding(size, kernel_size, stride, dilation)",
        cases=_same_cases,
        expected=same_padding,
        hints=(
            "There are to be ceil(size / stride) outputs. How long must the padded input be for so many?",
            "The last window starts at (outputs - 1) * stride and spans d * (K - 1) + 1 positions. What the input "
            "lacks is padding.",
            "total = max((outputs - 1) * stride + span - size, 0); before = total // 2, and the rest goes after.",
        ),
        mistakes=(
            Mistake(
                "the dilation is ignored",
                _same_undilated,
                "The padding fits a kernel without holes. Which span has it?",
            ),
            Mistake(
                "the stride is ignored",
                _same_unstrided,
                "d * (K - 1) is right for stride 1. With a larger stride the last window starts earlier, and less is lacking.",
            ),
            Mistake(
                "the odd zero before",
                _same_surplus_before,
                "If the zeros cannot be halved, the additional one goes after.",
            ),
            Mistake(
                "the odd zero is lost",
                _same_halves,
                "If the number of zeros is odd, both sides together must still have them all.",
            ),
            Mistake(
                "negative padding",
                _same_unclipped,
                "If the stride is larger than the span, the input may be longer than what is read. Then nothing is lacking: 0.",
            ),
        ),
        points=2,
        minutes=20,
    ),
    Exercise(
        name="ex02_3",
        title="A convolution that does not see the future",
        function="my_causal_conv",
        signature="my_causal_conv(x, w, dilation)",
        cases=_causal_cases,
        expected=causal_conv,
        hints=(
            "Output t may read x[t] and what is before it. Which of the weights meets x[t]?",
            "The last weight, w[K - 1], meets x[t], the one before it x[t - d], and so on. Before the beginning there are zeros.",
            "Put d * (K - 1) zeros before x and none after; then y[t] is the sum of w[k] * padded[t + k * d] over k.",
        ),
        mistakes=(
            Mistake(
                "k - 1 zeros, whatever the dilation",
                _causal_undilated,
                "So many zeros are enough for dilation 1. How far back does the first tap reach with dilation d?",
            ),
            Mistake(
                "k - 1 zeros, and windows beyond the end",
                _causal_undilated_beyond,
                "So many zeros are enough for dilation 1. How far back does the first tap reach with dilation d?",
            ),
            Mistake(
                "half of the zeros on either side",
                _causal_both_sides,
                'The size is right, but output t reads inputs after t. That is padding "same", and it sees the future.',
            ),
            Mistake(
                "the zeros after", _causal_after, "With the zeros after x, output t reads x[t] and what comes later."
            ),
            Mistake(
                "zeros on both sides, and nothing cut off",
                _causal_uncut,
                "There are more outputs than inputs: those at the end read the padding after x. One output per input "
                "is asked for.",
            ),
            Mistake(
                "an index below 0",
                _causal_from_the_end,
                "x[-1] is the last entry of x, and not a zero before the first. What should be read where the index is below 0?",
            ),
            Mistake(
                "kernel flipped",
                _causal_flipped,
                "w[0] meets the newest input here. In a correlation it meets the oldest, as in x[o + k * d].",
            ),
        ),
        points=3,
        minutes=20,
        forbidden=("minidil.functional.conv", "minidil.nn.Conv1d", "minidil.functional.unfold"),
    ),
    Exercise(
        name="ex02_4",
        title="How far does a stack see?",
        function="my_receptive_field",
        signature="my_receptive_field(kernel_size, dilations)",
        cases=_field_cases,
        expected=receptive_field,
        hints=(
            "One layer sees its span. What does a second layer on top of it add?",
            "Every output of the second layer sees span(d2) positions of the first, and the outermost two of them "
            "lie d2 * (K - 1) apart.",
            "Each layer adds d * (K - 1) to what is seen; without any layer it is 1.",
        ),
        mistakes=(
            Mistake(
                "only the largest dilation counts",
                _field_of_largest,
                "That is the span of one layer. The layers below it see further than one position.",
            ),
            Mistake(
                "spans added up",
                _field_of_spans,
                "The 1 of the spans is counted in every layer: two layers with K = 1 see one position, not two.",
            ),
            Mistake(
                "k*d for each layer",
                _field_kd,
                "A layer adds the way from its first tap to its last: how many gaps have K taps?",
            ),
            Mistake(
                "spans multiplied", _field_of_product, "Each layer widens what is seen by its own reach: that is added."
            ),
            Mistake("+ 1 forgotten", _field_without_one, "A stack of layers with K = 1 sees one position, not none."),
        ),
        points=2,
        minutes=15,
        forbidden=("minidil.analysis.receptive_field",),
    ),
)
