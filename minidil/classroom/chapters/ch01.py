"""Chapter 1, convolution: how many outputs there are, the sum that slides, and all seven loops."""

from typing import Any

import numpy as np

from minidil.array import Array
from minidil.classroom.draw import Draw
from minidil.classroom.exercise import Exercise, Mistake

# What is expected


def output_size(size: int, kernel_size: int, stride: int, padding: int) -> int:
    """The number of positions of the kernel."""
    return (size + 2 * padding - kernel_size) // stride + 1


def correlate(x: Array, w: Array) -> Array:
    """x (S,), w (K,) -> (S - K + 1,)."""
    return np.array([float(x[o : o + len(w)] @ w) for o in range(len(x) - len(w) + 1)])


def conv(x: Array, w: Array, b: Array, stride: int, padding: int) -> Array:
    """x (C, H, W), w (F, C, K, K), b (F,) -> (F, H', W')."""
    kernel = w.shape[-1]
    padded = np.pad(x, ((0, 0), (padding, padding), (padding, padding)))
    height, width = (output_size(size, kernel, stride, padding) for size in x.shape[1:])
    y = np.zeros((len(w), height, width))
    for i, j in np.ndindex(height, width):
        window = padded[:, i * stride : i * stride + kernel, j * stride : j * stride + kernel]
        y[:, i, j] = b + (w * window).sum(axis=(1, 2, 3))
    return y


# How cases are drawn: down to inputs that the kernel only just fits


def _size_cases(draw: Draw) -> dict[str, Any]:
    kernel, padding = draw.integer(1, 5), draw.integer(0, 3)
    size = max(kernel - 2 * padding, 1) + draw.integer(0, 12)
    return {"size": size, "kernel_size": kernel, "stride": draw.integer(1, 4), "padding": padding}


def _row_cases(draw: Draw) -> dict[str, Any]:
    kernel = draw.integer(1, 4)
    return {"x": draw.array(kernel + draw.integer(0, 5)), "w": draw.array(kernel)}


def _conv_cases(draw: Draw) -> dict[str, Any]:
    kernel, padding, channels, filters = draw.integer(1, 3), draw.integer(0, 2), draw.integer(1, 3), draw.integer(1, 3)
    height, width = (max(kernel - 2 * padding, 1) + draw.integer(0, 3) for _ in range(2))
    return {
        "x": draw.array(channels, height, width),
        "w": draw.array(filters, channels, kernel, kernel),
        "b": draw.array(filters),
        "stride": draw.integer(1, 3),
        "padding": padding,
    }


# What students get wrong


def _size_without_one(size: int, kernel_size: int, stride: int, padding: int) -> int:
    return (size + 2 * padding - kernel_size) // stride


def _size_with_one_padding(size: int, kernel_size: int, stride: int, padding: int) -> int:
    return (size + padding - kernel_size) // stride + 1


def _size_rounded_up(size: int, kernel_size: int, stride: int, padding: int) -> int:
    return -(-(size + 2 * padding - kernel_size) // stride) + 1


def _size_divided(size: int, kernel_size: int, stride: int, padding: int) -> float:
    return (size + 2 * padding - kernel_size) / stride + 1


def _one_inside(size: int, kernel_size: int, stride: int, padding: int) -> int:
    return (size + 2 * padding - kernel_size + 1) // stride


def _flipped(x: Array, w: Array) -> Array:
    return correlate(x, w[::-1])


def _last_missing(x: Array, w: Array) -> Array:
    return correlate(x, w)[:-1]


def _same_size(x: Array, w: Array) -> Array:
    return correlate(np.pad(x, ((len(w) - 1) // 2, len(w) // 2)), w)


def _beyond(x: Array, w: Array) -> Array:
    return correlate(np.pad(x, (0, len(w) - 1)), w)


def _without_bias(x: Array, w: Array, b: Array, stride: int, padding: int) -> Array:
    return conv(x, w, 0 * b, stride, padding)


def _last_channel(x: Array, w: Array, b: Array, stride: int, padding: int) -> Array:
    return conv(x[-1:], w[:, -1:], b, stride, padding)


def _last_channel_unbiased(x: Array, w: Array, b: Array, stride: int, padding: int) -> Array:
    return conv(x[-1:], w[:, -1:], 0 * b, stride, padding)


def _bias_per_channel(x: Array, w: Array, b: Array, stride: int, padding: int) -> Array:
    return conv(x, w, len(x) * b, stride, padding)


def _bias_per_product(x: Array, w: Array, b: Array, stride: int, padding: int) -> Array:
    return conv(x, w, w[0].size * b, stride, padding)


def _stride_ignored(x: Array, w: Array, b: Array, stride: int, padding: int) -> Array:
    height, width = (output_size(size, w.shape[-1], stride, padding) for size in x.shape[1:])
    return conv(x, w, b, 1, padding)[:, :height, :width]


def _padded_before(x: Array, w: Array, b: Array, stride: int, padding: int) -> Array:
    return conv(np.pad(x, ((0, 0), (2 * padding, 0), (2 * padding, 0))), w, b, stride, 0)


def _conv_flipped(x: Array, w: Array, b: Array, stride: int, padding: int) -> Array:
    return conv(x, w[:, :, ::-1, ::-1], b, stride, padding)


EXERCISES = (
    Exercise(
        name="ex01_1",
        title="How many outputs?",
        function="my_output_size",
        signature="my_output_size(size, kernel_size, stride, padding)",
        cases=_size_cases,
        expected=output_size,
        hints=(
            "Take 5 numbers and a kernel of 3, and slide it with a pencil. At which positions can it start?",
            "It starts at 0, stride, 2 * stride, ... as long as its last tap is inside. The padding stands on both sides.",
            "The last start is size + 2 * padding - kernel_size. Count how many multiples of the stride are not "
            "beyond it: the 0 is one of them.",
        ),
        mistakes=(
            Mistake(
                "+ 1 forgotten",
                _size_without_one,
                "You count the steps. A kernel that cannot move at all still gives one output.",
            ),
            Mistake(
                "padding counted once",
                _size_with_one_padding,
                "The padding stands before and after the input: how often does it add to its size?",
            ),
            Mistake(
                "rounded up",
                _size_rounded_up,
                "A step that would carry the kernel beyond the end is not made: what is left over there is not read.",
            ),
            Mistake(
                "+ 1 inside the division",
                _one_inside,
                "The 1 is the first output, at position 0. It is there whatever the stride is, so it is not to be divided.",
            ),
            Mistake("/ for //", _size_divided, "A number of outputs is whole. / gives a float; // rounds down."),
        ),
        points=1,
        minutes=10,
    ),
    Exercise(
        name="ex01_2",
        title="A weighted sum that slides",
        function="my_correlate",
        signature="my_correlate(x, w)",
        cases=_row_cases,
        expected=correlate,
        hints=(
            "How many outputs are there? Make an array of zeros of that size, and fill it in a loop over the outputs o.",
            "Output o reads the inputs o, o + 1, ..., o + K - 1, one for each weight.",
            "y[o] += w[k] * x[o + k], in a loop over k inside the loop over o; o runs from 0 to len(x) - len(w), both included.",
        ),
        mistakes=(
            Mistake(
                "kernel flipped",
                _flipped,
                "The weights are met in the opposite order. That is the convolution of mathematics (np.convolve); "
                "here w[0] meets the first input of the window.",
            ),
            Mistake(
                "the last output is missing",
                _last_missing,
                "range(n) ends at n - 1. For 5 inputs and 3 weights there are 3 outputs, not 2.",
            ),
            Mistake(
                "padded to the size of the input",
                _same_size,
                "As many outputs come as there are inputs, so zeros stand at the ends. Only windows that lie inside "
                "are asked for.",
            ),
            Mistake(
                "windows that hang over the end",
                _beyond,
                "The last windows reach beyond the input. Stop when the last tap is on the last number.",
            ),
        ),
        points=2,
        minutes=15,
        forbidden=("numpy.correlate", "numpy.convolve"),
    ),
    Exercise(
        name="ex01_3",
        title="All seven loops",
        function="my_conv",
        signature="my_conv(x, w, b, stride, padding)",
        cases=_conv_cases,
        expected=conv,
        hints=(
            "Pad x with zeros first (np.pad), on both spatial axes and on both sides; then no index can fall outside.",
            "Each output (f, i, j) is b[f] plus a sum over all channels c and taps (u, v).",
            "It is w[f, c, u, v] * padded[c, i * stride + u, j * stride + v] that is added up; b[f] is added once.",
        ),
        mistakes=(
            Mistake(
                "bias forgotten",
                _without_bias,
                "The weighted sum is right. One number per filter is still to be added.",
            ),
            Mistake(
                "only the last channel counts",
                _last_channel,
                "The sum runs over the channels as well. With = in place of +=, or a sum begun anew for each "
                "channel, only the last one is left.",
            ),
            Mistake(
                "only the last channel counts, and the bias is lost",
                _last_channel_unbiased,
                "The sum runs over the channels as well. With = in place of +=, what was there before, the bias too, is lost.",
            ),
            Mistake(
                "bias added once per channel",
                _bias_per_channel,
                "b[f] is inside the loop over the channels. It belongs to an output, not to a channel.",
            ),
            Mistake(
                "bias added with every product",
                _bias_per_product,
                "b[f] is inside the innermost loop. It belongs to an output, not to a product.",
            ),
            Mistake(
                "the stride does not move the window",
                _stride_ignored,
                "There are as many outputs as there should be, but neighbours are one position apart. Where does window i begin?",
            ),
            Mistake(
                "all padding before",
                _padded_before,
                "The zeros stand at one end only. Half of them belong after the input.",
            ),
            Mistake("kernel flipped", _conv_flipped, "Tap (u, v) meets the input from the other end of the window."),
        ),
        points=4,
        minutes=30,
        forbidden=("minidil.functional.conv", "minidil.functional.unfold", "minidil.nn.Conv2d"),
    ),
)
