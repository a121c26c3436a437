"""Chapter 6, layers and initialisation: He's standard deviation, batch norm's running statistics, a field with strides."""

import math
from typing import Any

import numpy as np

from minidil.array import Array
from minidil.classroom.draw import Draw
from minidil.classroom.exercise import Exercise, Mistake
from minidil.nn import init

Layers = tuple[tuple[int, int, int], ...]


# What is expected


def he_std(in_channels: int, out_channels: int, kernel_size: int, dilation: int, groups: int) -> float:
    """Of the weight (F, C/groups, K, K) of a convolution that ReLU follows."""
    shape = (out_channels, in_channels // groups, kernel_size, kernel_size)
    return math.sqrt(2 / init.fans(shape, groups).fan_in)


def running(x: Array, running_mean: Array, running_var: Array, momentum: float) -> tuple[Array, Array]:
    """Batch norm's running statistics after the batch x (N, C, H, W)."""
    mean, var = x.mean(axis=(0, 2, 3)), x.var(axis=(0, 2, 3), ddof=1)
    return (1 - momentum) * running_mean + momentum * mean, (1 - momentum) * running_var + momentum * var


def field(layers: Layers) -> int:
    """Of a stack of layers (kernel size, stride, dilation): how many inputs along an axis one output sees."""
    size, jump = 1, 1
    for kernel, stride, dilation in layers:
        size, jump = size + (kernel - 1) * dilation * jump, jump * stride
    return size


# How cases are drawn


def _he_cases(draw: Draw) -> dict[str, Any]:
    groups = draw.integer(1, 4)
    return {
        "in_channels": groups * draw.integer(1, 5),
        "out_channels": groups * draw.integer(1, 5),
        "kernel_size": draw.integer(1, 5),
        "dilation": draw.integer(1, 4),
        "groups": groups,
    }


def _running_cases(draw: Draw) -> dict[str, Any]:
    channels = draw.integer(1, 3)
    return {
        "x": draw.reals(draw.integer(2, 4), channels, draw.integer(1, 3), draw.integer(1, 3)),
        "running_mean": draw.reals(channels),
        "running_var": np.abs(draw.reals(channels)),
        "momentum": draw.choice((0.1, 0.25, 0.5, 1.0)),
    }


def _field_cases(draw: Draw) -> dict[str, Any]:
    count = draw.integer(1, 4)
    return {"layers": tuple((draw.integer(1, 5), draw.integer(1, 3), draw.integer(1, 4)) for _ in range(count))}


# What students get wrong


def _he_ungrouped(in_channels: int, out_channels: int, kernel_size: int, dilation: int, groups: int) -> float:
    return math.sqrt(2 / (in_channels * kernel_size**2))


def _he_fan_out(in_channels: int, out_channels: int, kernel_size: int, dilation: int, groups: int) -> float:
    return math.sqrt(2 / (out_channels // groups * kernel_size**2))


def _he_without_taps(in_channels: int, out_channels: int, kernel_size: int, dilation: int, groups: int) -> float:
    return math.sqrt(2 / (in_channels // groups))


def _he_one_axis(in_channels: int, out_channels: int, kernel_size: int, dilation: int, groups: int) -> float:
    return math.sqrt(2 / (in_channels // groups * kernel_size))


def _he_of_span(in_channels: int, out_channels: int, kernel_size: int, dilation: int, groups: int) -> float:
    return math.sqrt(2 / (in_channels // groups * (dilation * (kernel_size - 1) + 1) ** 2))


def _he_variance(in_channels: int, out_channels: int, kernel_size: int, dilation: int, groups: int) -> float:
    return 2 / (in_channels // groups * kernel_size**2)


def _he_linear(in_channels: int, out_channels: int, kernel_size: int, dilation: int, groups: int) -> float:
    return math.sqrt(1 / (in_channels // groups * kernel_size**2))


def _mixed(old: tuple[Array, Array], new: tuple[Array, Array], share: float) -> tuple[Array, Array]:
    return (1 - share) * old[0] + share * new[0], (1 - share) * old[1] + share * new[1]


def _running_exchanged(x: Array, running_mean: Array, running_var: Array, momentum: float) -> tuple[Array, Array]:
    new = x.mean(axis=(0, 2, 3)), x.var(axis=(0, 2, 3), ddof=1)
    return _mixed((running_mean, running_var), new, 1 - momentum)


def _running_biased(x: Array, running_mean: Array, running_var: Array, momentum: float) -> tuple[Array, Array]:
    return _mixed((running_mean, running_var), (x.mean(axis=(0, 2, 3)), x.var(axis=(0, 2, 3))), momentum)


def _running_of_batch(x: Array, running_mean: Array, running_var: Array, momentum: float) -> tuple[Array, Array]:
    return x.mean(axis=(0, 2, 3)), x.var(axis=(0, 2, 3), ddof=1)


def _running_of_samples(x: Array, running_mean: Array, running_var: Array, momentum: float) -> tuple[Array, Array]:
    old = running_mean[:, None, None], running_var[:, None, None]
    return _mixed(old, (x.mean(axis=0), x.var(axis=0, ddof=1)), momentum)


def _running_std(x: Array, running_mean: Array, running_var: Array, momentum: float) -> tuple[Array, Array]:
    new = x.mean(axis=(0, 2, 3)), x.std(axis=(0, 2, 3), ddof=1)
    return _mixed((running_mean, running_var), new, momentum)


def _running_sum(x: Array, running_mean: Array, running_var: Array, momentum: float) -> tuple[Array, Array]:
    mean, var = x.mean(axis=(0, 2, 3)), x.var(axis=(0, 2, 3), ddof=1)
    return momentum * running_mean + mean, momentum * running_var + var


def _field_unstrided(layers: Layers) -> int:
    return 1 + sum((kernel - 1) * dilation for kernel, _, dilation in layers)


def _field_undilated(layers: Layers) -> int:
    return field(tuple((kernel, stride, 1) for kernel, stride, _ in layers))


def _field_jump_first(layers: Layers) -> int:
    size, jump = 1, 1
    for kernel, stride, dilation in layers:
        jump *= stride
        size += (kernel - 1) * dilation * jump
    return size


def _field_kd(layers: Layers) -> int:
    size, jump = 1, 1
    for kernel, stride, dilation in layers:
        size, jump = size + (kernel * dilation - 1) * jump, jump * stride
    return size


def _field_last_stride(layers: Layers) -> int:
    strides = (1, *(stride for _, stride, _ in layers))
    return 1 + sum((kernel - 1) * dilation * strides[number] for number, (kernel, _, dilation) in enumerate(layers))


def _field_jump_grows_by_dilation(layers: Layers) -> int:
    size, jump = 1, 1
    for kernel, stride, dilation in layers:
        size, jump = size + (kernel - 1) * dilation * jump, jump * stride * dilation
    return size


EXERCISES = (
    Exercise(
        name="ex06_1",
        title="How large are the first weights?",
        function="my_he_std",
        signature="my_he_std(in_channels, out_channels, kernel_size, dilation, groups)",
        cases=_he_cases,
        expected=he_std,
        hints=(
            "One output is a sum of products of a weight and an input. How many products? That is fan_in.",
            "A filter of a grouped convolution sees the channels of its own group only, and its taps along both "
            "axes. Moving the taps apart changes neither number.",
            "fan_in = in_channels / groups * kernel_size ** 2. The variance is 2 / fan_in, for ReLU keeps half of "
            "the mean square; asked for is its square root.",
        ),
        mistakes=(
            Mistake(
                "groups forgotten",
                _he_ungrouped,
                "All channels are counted, but with groups a filter sees only those of its own group.",
            ),
            Mistake(
                "fan_out for fan_in",
                _he_fan_out,
                "You count the outputs that an input reaches; that keeps the size of gradients. For the signal count "
                "the products in one output.",
            ),
            Mistake(
                "the taps are not counted",
                _he_without_taps,
                "Only channels are counted. How many taps of each channel enter one output?",
            ),
            Mistake(
                "taps along one axis only",
                _he_one_axis,
                "The kernel is kernel_size times kernel_size: how many taps are these?",
            ),
            Mistake(
                "the span is counted for the taps",
                _he_of_span,
                "Dilation moves the taps apart. What lies between them is not multiplied by any weight.",
            ),
            Mistake(
                "variance for standard deviation",
                _he_variance,
                "That is the variance. Asked for is the standard deviation.",
            ),
            Mistake(
                "ReLU is not accounted for",
                _he_linear,
                "That is right for a linear layer. ReLU sets half of the signal to 0: what happens to the mean square?",
            ),
        ),
        minutes=10,
    ),
    Exercise(
        name="ex06_2",
        title="Batch norm's running statistics",
        function="my_running",
        signature="my_running(x, running_mean, running_var, momentum)",
        cases=_running_cases,
        expected=running,
        returns=("running_mean", "running_var"),
        hints=(
            "First mean and variance of this batch: one number a channel. Over which axes of (N, C, H, W) do you take them?",
            "momentum is the share of the new: new = (1 - momentum) * old + momentum * batch. The variance that is "
            "remembered is divided by n - 1, where n is the number of values in a channel.",
            "x.mean(axis=(0, 2, 3)) and x.var(axis=(0, 2, 3), ddof=1); mix each with the old ones and return both.",
        ),
        mistakes=(
            Mistake(
                "momentum the wrong way round",
                _running_exchanged,
                "Here momentum is the share of the new batch, not of what is remembered (an optimizer's momentum is "
                "the other way round).",
            ),
            Mistake(
                "the variance is divided by n",
                _running_biased,
                "The batch is normalised with the variance divided by n, but what is remembered is an estimate for "
                "images that are still to come: it is divided by n - 1.",
            ),
            Mistake(
                "the old statistics are forgotten",
                _running_of_batch,
                "These are the statistics of this batch alone. What has been seen before is to keep its share.",
            ),
            Mistake(
                "statistics for every position",
                _running_of_samples,
                "The mean is taken over the images only. Batch norm has one mean a channel, over images, rows and columns.",
            ),
            Mistake(
                "standard deviation for variance",
                _running_std,
                "What is remembered is the variance; the root is taken when it is used.",
            ),
            Mistake(
                "the batch is added whole",
                _running_sum,
                "The two shares are to add up to 1. Here the batch counts whole, and the statistics grow.",
            ),
        ),
        points=2,
        minutes=20,
        tolerance=1e-7,
    ),
    Exercise(
        name="ex06_3",
        title="The receptive field of a stack",
        function="my_field",
        signature="my_field(layers)",
        cases=_field_cases,
        expected=field,
        hints=(
            "Two taps of a layer that are next to each other in its input are not next to each other in the image: "
            "what has made the distance larger?",
            "Keep two numbers while you go through the layers: the field so far, and the jump, which is the distance "
            "in the image between two neighbouring positions of the present map. Both start at 1.",
            "For each layer first size += (kernel - 1) * dilation * jump, then jump *= stride: a layer's own stride "
            "moves its outputs apart, not its taps.",
        ),
        mistakes=(
            Mistake(
                "strides forgotten",
                _field_unstrided,
                "Behind a stride of 2 a step in the map is two steps in the image. What does that do to the later layers?",
            ),
            Mistake(
                "dilations forgotten",
                _field_undilated,
                "The taps of a layer are `dilation` positions of its input apart.",
            ),
            Mistake(
                "the stride of a layer widens its own taps",
                _field_jump_first,
                "The stride says how far apart the outputs of a layer are. For which layers does it matter?",
            ),
            Mistake(
                "span k*d",
                _field_kd,
                "Nothing follows the last tap: there are K taps, but how many gaps between them?",
            ),
            Mistake(
                "only the stride of the layer before counts",
                _field_last_stride,
                "Two strides of 2 make a step of 4 in the image: the jump is a product over all layers before.",
            ),
            Mistake(
                "dilation is taken for a stride",
                _field_jump_grows_by_dilation,
                "A dilation moves the taps of its own layer apart. The outputs of this layer stand as close as before.",
            ),
        ),
        points=2,
        minutes=20,
    ),
)
