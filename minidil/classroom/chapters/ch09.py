"""Chapter 9, fast on a CPU: the roof over a layer, two outputs with three products, and a dilated convolution by phases."""

from collections.abc import Callable
from typing import Any

import numpy as np

from minidil.array import Array
from minidil.classroom.chapters.ch02 import dilated
from minidil.classroom.draw import Draw
from minidil.classroom.exercise import Exercise, Mistake

Roof = tuple[float, float]


# What is expected


def roof(images: int, channels: int, filters: int, kernel_size: int, side: int, peak: float, bandwidth: float) -> Roof:
    """FLOP a byte, and the most GFLOP/s, of a layer in float32 whose stride is 1 and whose padding keeps side x side pixels.

    peak: in GFLOP/s; bandwidth: in GB/s. A multiply-add is two FLOP; x, w and y are moved once each.
    """
    moved = 4 * (images * (channels + filters) * side**2 + filters * channels * kernel_size**2)
    return _under(_flop(images, channels, filters, kernel_size, side) / moved, peak, bandwidth)


def products(x: Array, w: Array) -> Array:
    """m (3,) of inputs x (3,) and taps w (2,), for which m[0] + m[1] and m[1] + m[2] are the two outputs.

    The moves of the chapter with the points 0, 1 and infinity: s_0 = s(0), s_1 = s(1) - s(0) - s(inf), s_2 = s(inf).
    """
    return np.array([w[0] * (x[0] - x[1]), (w[0] + w[1]) * x[1], w[1] * (x[2] - x[1])])


def _flop(images: int, channels: int, filters: int, kernel_size: int, side: int) -> int:
    return 2 * images * filters * side**2 * channels * kernel_size**2


def _under(intensity: float, peak: float, bandwidth: float) -> Roof:
    return intensity, min(peak, bandwidth * intensity)


# How cases are drawn


def _roof_cases(draw: Draw) -> dict[str, Any]:
    return {
        "images": draw.integer(1, 4),
        "channels": draw.integer(1, 16),
        "filters": draw.integer(1, 16),
        "kernel_size": draw.choice((1, 3, 5)),
        "side": draw.integer(1, 9),
        "peak": draw.choice((100.0, 50.0)),
        "bandwidth": draw.choice((10.0, 25.0, 200.0)),
    }


def _product_cases(draw: Draw) -> dict[str, Any]:
    return {"x": draw.array(3), "w": draw.array(2)}


def _phase_cases(draw: Draw) -> dict[str, Any]:
    taps, dilation = draw.integer(1, 4), draw.integer(1, 4)
    return {"x": draw.array(dilation * (taps - 1) + draw.integer(1, 7)), "w": draw.array(taps), "dilation": dilation}


# What students get wrong


def _intensity_times(factor: float) -> Callable[..., Roof]:
    def wrong(
        images: int, channels: int, filters: int, kernel_size: int, side: int, peak: float, bandwidth: float
    ) -> Roof:
        intensity, _ = roof(images, channels, filters, kernel_size, side, peak, bandwidth)
        return _under(factor * intensity, peak, bandwidth)

    return wrong


def _taps_along_one_axis(
    images: int, channels: int, filters: int, kernel_size: int, side: int, peak: float, bandwidth: float
) -> Roof:
    return _intensity_times(1 / kernel_size)(images, channels, filters, kernel_size, side, peak, bandwidth)


def _without_the_output(
    images: int, channels: int, filters: int, kernel_size: int, side: int, peak: float, bandwidth: float
) -> Roof:
    moved = 4 * (images * channels * side**2 + filters * channels * kernel_size**2)
    return _under(_flop(images, channels, filters, kernel_size, side) / moved, peak, bandwidth)


def _weights_for_every_image(
    images: int, channels: int, filters: int, kernel_size: int, side: int, peak: float, bandwidth: float
) -> Roof:
    return roof(1, channels, filters, kernel_size, side, peak, bandwidth)


def _the_higher_of_both(
    images: int, channels: int, filters: int, kernel_size: int, side: int, peak: float, bandwidth: float
) -> Roof:
    intensity, _ = roof(images, channels, filters, kernel_size, side, peak, bandwidth)
    return intensity, max(peak, bandwidth * intensity)


def _of_polynomials(x: Array, w: Array) -> Array:
    return np.array([w[0] * x[0], (w[0] + w[1]) * (x[0] + x[1]), w[1] * x[1]])


def _nothing_taken_off(x: Array, w: Array) -> Array:
    return np.array([w[0] * x[0], (w[0] + w[1]) * x[1], w[1] * x[2]])


def _taken_off_the_wrong_way(x: Array, w: Array) -> Array:
    return products(x, w) * [-1, 1, -1]


def _in_blocks(x: Array, w: Array, dilation: int) -> Array:
    y = dilated(x, w, dilation)
    return np.concatenate([y[phase::dilation] for phase in range(dilation)])


def _first_phase(x: Array, w: Array, dilation: int) -> Array:
    return dilated(x, w, dilation)[::dilation]


def _convolved(x: Array, w: Array, dilation: int) -> Array:
    return dilated(x, w[::-1], dilation)


def _not_dilated(x: Array, w: Array, dilation: int) -> Array:
    return dilated(x, w, 1)


EXERCISES = (
    Exercise(
        name="ex09_1",
        title="The roof over a layer",
        function="my_roof",
        signature="my_roof(images, channels, filters, kernel_size, side, peak, bandwidth)",
        cases=_roof_cases,
        expected=roof,
        returns=("intensity", "speed"),
        hints=(
            "How many multiply-adds does one output take, and how many outputs are there? How many numbers have x, w and y?",
            "2 FLOP for each of images * filters * side^2 * channels * kernel_size^2 products; 4 bytes for each number of x, w "
            "and y. Which is less: what the arithmetic allows, or the bytes a second times the FLOP a byte?",
            "intensity = flop / (4 * (images * channels * side ** 2 + filters * channels * kernel_size ** 2 + images * filters * "
            "side ** 2)); speed = min(peak, bandwidth * intensity)",
        ),
        mistakes=(
            Mistake(
                "a multiply-add counted once",
                _intensity_times(1 / 2),
                "A multiply-add is a multiplication and an addition: two FLOP.",
            ),
            Mistake(
                "numbers in place of bytes",
                _intensity_times(4),
                "You divide by numbers that are moved. How many bytes has each?",
            ),
            Mistake(
                "taps along one axis",
                _taps_along_one_axis,
                "The kernel is kernel_size times kernel_size, and each of its taps is multiplied.",
            ),
            Mistake(
                "the output is not moved",
                _without_the_output,
                "x and w have to be fetched, and y has to be stored: that goes through the memory, too.",
            ),
            Mistake(
                "the weights once an image",
                _weights_for_every_image,
                "The weights are the same for all images: they are fetched once.",
            ),
            Mistake(
                "the higher of both limits",
                _the_higher_of_both,
                "Both limits hold at the same time, so what counts is the lower one.",
            ),
        ),
        points=2,
        minutes=15,
    ),
    Exercise(
        name="ex09_2",
        title="Two outputs with three products",
        function="my_products",
        signature="my_products(x, w)",
        cases=_product_cases,
        expected=products,
        hints=(
            "Follow the two moves of section 6 with one tap less: now the product of the polynomials has three coefficients, and "
            "the points 0, 1 and infinity are enough.",
            "s_0 = s(0), s_2 = s(inf), s_1 = s(1) - s(0) - s(inf). Transposed, s(1) meets x_1, s(0) meets x_0 - x_1. What "
            "does s(inf) meet?",
            "m = (w_0 (x_0 - x_1), (w_0 + w_1) x_1, w_1 (x_2 - x_1)). Add up m_0 + m_1 on paper.",
        ),
        mistakes=(
            Mistake(
                "not transposed",
                _of_polynomials,
                "These are the products that multiply two polynomials, the first move. The second is missing: transpose.",
            ),
            Mistake(
                "nothing is taken off",
                _nothing_taken_off,
                "The middle product is right, but in y_0 nobody wants its w_0 x_1, and in y_1 nobody its w_1 x_1: take them off "
                "in the other two.",
            ),
            Mistake(
                "taken off the wrong way round",
                _taken_off_the_wrong_way,
                "The middle product is right; the other two have the wrong sign. Add up m_0 + m_1: what is left of w_0 x_0?",
            ),
        ),
        points=3,
        minutes=25,
    ),
    Exercise(
        name="ex09_3",
        title="A dilated convolution by phases",
        function="my_by_phases",
        signature="my_by_phases(x, w, dilation)",
        cases=_phase_cases,
        expected=dilated,
        hints=(
            "Output o reads x[o], x[o + d], x[o + 2d], ... Which other outputs read some of these?",
            "Phase p is x[p::dilation]. Its outputs are an ordinary correlation with w, and belong to y[p::dilation]. With fewer "
            "entries than taps a phase has none.",
            "y = np.zeros(len(x) - dilation * (len(w) - 1)); for p in range(min(dilation, len(y))): "
            'y[p::dilation] = np.correlate(x[p::dilation], w, "valid")',
        ),
        mistakes=(
            Mistake(
                "phase behind phase",
                _in_blocks,
                "All outputs are right, but those of one phase stand together. They lie `dilation` apart, as their inputs do.",
            ),
            Mistake(
                "the first phase alone",
                _first_phase,
                "These are the outputs of one phase. There are `dilation` of them.",
            ),
            Mistake("kernel flipped", _convolved, "np.convolve turns the kernel round; a layer of a network does not."),
            Mistake("not dilated", _not_dilated, "Neighbouring taps look at entries that lie `dilation` apart."),
        ),
        points=2,
        minutes=20,
        forbidden=("minidil.functional.conv", "minidil.nn.Conv1d", "minidil.functional.unfold"),
    ),
)
