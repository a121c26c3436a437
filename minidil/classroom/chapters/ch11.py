"""Chapter 11, receptive fields: size, jump and start with strides, the number of paths, and the exact rule about holes."""

import math
from itertools import pairwise
from typing import Any

import numpy as np

from minidil.array import Array
from minidil.classroom.draw import Draw
from minidil.classroom.exercise import Exercise, Mistake

Layers = tuple[tuple[int, int, int, int], ...]
Dilations = tuple[int, ...]


# What is expected


def field(layers: Layers) -> tuple[int, int, int]:
    """(size, jump, start) of layers (kernel size, stride, dilation, padding)."""
    size, jump, start = 1, 1, 0
    for kernel, stride, dilation, padding in layers:
        size, start, jump = size + (kernel - 1) * dilation * jump, start - padding * jump, jump * stride
    return size, jump, start


def paths(kernel_size: int, dilations: Dilations) -> Array:
    """How many paths lead from one output to each input of its field, from the first to the last."""
    found = np.ones(1, int)
    for dilation in dilations:
        found = np.convolve(found, comb(kernel_size, dilation))
    return found


def comb(kernel_size: int, dilation: int) -> Array:
    """1 where there is a tap, 0 between."""
    teeth = np.zeros(dilation * (kernel_size - 1) + 1, int)
    teeth[::dilation] = 1
    return teeth


def without_holes(kernel_size: int, dilations: Dilations) -> bool:
    """Whether a path leads to every input between the first and the last: counted, without any rule."""
    return bool(paths(kernel_size, dilations).all())


# How cases are drawn


def _field_cases(draw: Draw) -> dict[str, Any]:
    count = draw.integer(1, 4)
    layers = ((draw.integer(1, 4), draw.integer(1, 3), draw.integer(1, 3), draw.integer(0, 3)) for _ in range(count))
    return {"layers": tuple(layers)}


def _paths_cases(draw: Draw) -> dict[str, Any]:
    return {"kernel_size": draw.integer(1, 4), "dilations": draw.integers(1, 5, 1, 4)}


def _holes_cases(draw: Draw) -> dict[str, Any]:
    # A rate among those that are just allowed or just not, at any place in the schedule: else nearly all would have holes.
    kernel_size, rates = draw.integer(2, 4), [draw.choice((1, 1, 1, 2))]
    for _ in range(draw.integer(0, 3)):
        reach = 1 + (kernel_size - 1) * sum(rates)
        rates.insert(draw.integer(0, len(rates)), draw.integer(1, reach + 1))
    return {"kernel_size": kernel_size, "dilations": tuple(rates)}


# What students get wrong


def _field_stride_first(layers: Layers) -> tuple[int, int, int]:
    size, jump, start = 1, 1, 0
    for kernel, stride, dilation, padding in layers:
        jump *= stride
        size, start = size + (kernel - 1) * dilation * jump, start - padding * jump
    return size, jump, start


def _field_padding_unscaled(layers: Layers) -> tuple[int, int, int]:
    size, jump, _ = field(layers)
    return size, jump, -sum(padding for *_, padding in layers)


def _field_from_zero(layers: Layers) -> tuple[int, int, int]:
    size, jump, _ = field(layers)
    return size, jump, 0


def _field_start_forwards(layers: Layers) -> tuple[int, int, int]:
    size, jump, start = field(layers)
    return size, jump, -start


def _field_undilated(layers: Layers) -> tuple[int, int, int]:
    return field(tuple((kernel, stride, 1, padding) for kernel, stride, _, padding in layers))


def _field_padded(layers: Layers) -> tuple[int, int, int]:
    size, jump, start = field(layers)
    return size + start, jump, start


def _field_jump_added(layers: Layers) -> tuple[int, int, int]:
    size, jump, start = 1, 1, 0
    for kernel, stride, dilation, padding in layers:
        size, start, jump = size + (kernel - 1) * dilation * jump, start - padding * jump, jump + stride - 1
    return size, jump, start


def _paths_or_none(kernel_size: int, dilations: Dilations) -> Array:
    return np.minimum(paths(kernel_size, dilations), 1)


def _paths_undilated(kernel_size: int, dilations: Dilations) -> Array:
    return paths(kernel_size, (1,) * len(dilations))


def _paths_filled(kernel_size: int, dilations: Dilations) -> Array:
    found = np.ones(1, int)
    for dilation in dilations:
        found = np.convolve(found, np.ones(dilation * (kernel_size - 1) + 1, int))
    return found


def _paths_compounded(kernel_size: int, dilations: Dilations) -> Array:
    return paths(kernel_size, tuple(int(each) for each in np.cumprod(dilations)))


def _paths_kd(kernel_size: int, dilations: Dilations) -> Array:
    surplus = sum(each - 1 for each in dilations)
    return np.append(paths(kernel_size, dilations), np.zeros(surplus, int))


def _paths_of_sets(kernel_size: int, dilations: Dilations) -> Array:
    """Layer by layer every place that has been reached counts once."""
    found = np.ones(1, int)
    for dilation in dilations:
        found = np.convolve(np.minimum(found, 1), comb(kernel_size, dilation))
    return found


def _holes_unsorted(kernel_size: int, dilations: Dilations) -> bool:
    reach = 1
    for dilation in dilations:
        if dilation > reach:
            return False
        reach += (kernel_size - 1) * dilation
    return True


def _holes_by_divisor(kernel_size: int, dilations: Dilations) -> bool:
    return math.gcd(*dilations) == 1


def _holes_by_published_rule(kernel_size: int, dilations: Dilations) -> bool:
    most = dilations[-1]
    for dilation in dilations[-2:0:-1]:
        most = max(most - 2 * dilation, 2 * dilation - most, dilation)
    return most <= kernel_size


def _holes_by_neighbour(kernel_size: int, dilations: Dilations) -> bool:
    rates = sorted(dilations)
    return rates[0] == 1 and all(after <= kernel_size * before for before, after in pairwise(rates))


def _holes_one_more(kernel_size: int, dilations: Dilations) -> bool:
    rates = sorted(dilations)
    reaches = (1 + (kernel_size - 1) * sum(rates[:number]) for number in range(len(rates)))
    return all(rate <= reach + 1 for rate, reach in zip(rates, reaches, strict=True))


def _holes_kd(kernel_size: int, dilations: Dilations) -> bool:
    rates = sorted(dilations)
    reaches = (1 + sum(kernel_size * rate - 1 for rate in rates[:number]) for number in range(len(rates)))
    return all(rate <= reach for rate, reach in zip(rates, reaches, strict=True))


def _holes_with_a_one(kernel_size: int, dilations: Dilations) -> bool:
    return 1 in dilations


def _holes_turned(kernel_size: int, dilations: Dilations) -> bool:
    return not without_holes(kernel_size, dilations)


EXERCISES = (
    Exercise(
        name="ex11_1",
        title="Size, jump and start",
        function="my_field",
        signature="my_field(layers)",
        cases=_field_cases,
        expected=field,
        returns=("size", "jump", "start"),
        hints=(
            "Go from layer to layer and keep three numbers of the present map: how many inputs a position sees, how "
            "far apart in the input two neighbours are, and where the first position begins to read. At first: 1, 1, "
            "0.",
            "One step in the present map is `jump` steps in the input: that holds for the distance of the taps and "
            "for the padding. The stride acts on what comes behind.",
            "For each layer: size += (k - 1) * d * jump, start -= p * jump, and last of all jump *= s.",
        ),
        mistakes=(
            Mistake(
                "the stride of a layer widens its own taps",
                _field_stride_first,
                "The stride says how far apart the outputs of a layer are. Its taps and its padding are steps of its input.",
            ),
            Mistake(
                "padding counted in inputs",
                _field_padding_unscaled,
                "Padding is added to the map that the layer reads. How many inputs is one position of that map?",
            ),
            Mistake(
                "the padding does not move the start",
                _field_from_zero,
                "With padding the first output begins to read before the first input: its start is negative.",
            ),
            Mistake(
                "start has the wrong sign",
                _field_start_forwards,
                "Padding stands before the first input, at the positions -1, -2, ...",
            ),
            Mistake(
                "dilations forgotten",
                _field_undilated,
                "The taps of a layer are `dilation` positions of its input apart.",
            ),
            Mistake(
                "padding makes the field smaller",
                _field_padded,
                "The field keeps its size; with padding a part of it lies outside of the input.",
            ),
            Mistake(
                "strides are added",
                _field_jump_added,
                "A step behind two strides of 2 and 3 is 2 * 3 inputs wide.",
            ),
        ),
        points=3,
        minutes=20,
        forbidden=("minidil.analysis.receptive_field",),
    ),
    Exercise(
        name="ex11_2",
        title="Count the paths",
        function="my_paths",
        signature="my_paths(kernel_size, dilations)",
        cases=_paths_cases,
        expected=paths,
        hints=(
            "A path takes one tap of each layer, and its offset is the sum of the taps' offsets. So one more layer "
            "sends every path that there is to kernel_size places.",
            "Begin with np.array([1]): one path, no layer. A layer with dilation d adds kernel_size shifted copies, "
            "by 0, d, 2d, ... That is a convolution with a comb.",
            "comb = np.zeros(d * (kernel_size - 1) + 1, int); comb[::d] = 1; counts = np.convolve(counts, comb).",
        ),
        mistakes=(
            Mistake(
                "reached or not",
                _paths_or_none,
                "You say whether an input is reached. Asked for is on how many ways.",
            ),
            Mistake(
                "places are counted once a layer",
                _paths_of_sets,
                "Two paths that meet at a place go on as two. Only in the last layer do yours add up.",
            ),
            Mistake(
                "dilations ignored",
                _paths_undilated,
                "Tap number i of a layer with dilation d reads i * d further on.",
            ),
            Mistake(
                "the comb has no gaps",
                _paths_filled,
                "Between two taps that are d apart there are d - 1 positions that the layer does not read.",
            ),
            Mistake(
                "dilations are multiplied up",
                _paths_compounded,
                "A dilation counts positions of the map that the layer reads; without strides each map is as dense "
                "as the input. (Strides are what multiplies.)",
            ),
            Mistake(
                "span k*d",
                _paths_kd,
                "There are zeros at the end: nothing follows the last tap.",
            ),
        ),
        points=3,
        minutes=25,
        forbidden=("minidil.analysis.coverage",),
    ),
    Exercise(
        name="ex11_3",
        title="Which schedules have no holes?",
        function="my_has_no_holes",
        signature="my_has_no_holes(kernel_size, dilations)",
        cases=_holes_cases,
        expected=without_holes,
        hints=(
            "Draw 3 taps with the dilations 1 and 3, then 1 and 4. How far may the second layer step, when the first "
            "sees 3 positions without a gap?",
            "The order of the layers does not change which sums of offsets there are. So sort the dilations, and "
            "compare each one with what all smaller ones see together.",
            "reach = 1; for d in sorted(dilations): if d > reach there is a hole; else reach += (kernel_size - 1) * d.",
        ),
        mistakes=(
            Mistake(
                "the order of the layers counts",
                _holes_unsorted,
                "The offsets of the layers are added, and sums do not know an order: (2, 1) reaches what (1, 2) does.",
            ),
            Mistake(
                "the common divisor decides",
                _holes_by_divisor,
                "A common divisor of all dilations makes holes for certain. But having none is not enough: count (1, 9).",
            ),
            Mistake(
                "the published rule M2 <= K",
                _holes_by_published_rule,
                "That is the rule of hybrid dilated convolution as it was published. It never looks at the first "
                "dilation, and it depends on the order. Chapter 11 counts how often it errs.",
            ),
            Mistake(
                "each compared with the one before only",
                _holes_by_neighbour,
                "You compare with the next smaller dilation. All smaller ones together decide how far a layer may step.",
            ),
            Mistake(
                "one too generous",
                _holes_one_more,
                "Those before see R positions, numbers 0 to R - 1. A step of R joins without a gap; a step of R + 1 does not.",
            ),
            Mistake(
                "span k*d",
                _holes_kd,
                "You let the smaller ones see more than they do: nothing follows the last tap of a layer.",
            ),
            Mistake(
                "a dilation of 1 is enough",
                _holes_with_a_one,
                "Without a dilation of 1 there are holes for certain. With one there may be, too: count (1, 9).",
            ),
            Mistake(
                "True for False",
                _holes_turned,
                "Read the name again: it is True if there is no hole.",
            ),
        ),
        points=3,
        minutes=25,
        forbidden=("minidil.analysis.has_holes", "minidil.analysis.holes", "minidil.analysis.lint"),
    ),
)
