"""Chapter 3, im2col: the size of the columns, making them, adding them back, and a convolution that is fast because of them."""

import math
from typing import Any

import numpy as np

from minidil.array import Array
from minidil.classroom.draw import Draw
from minidil.classroom.exercise import Exercise, Mistake
from minidil.classroom.speed import speed_check
from minidil.kernels.geometry import Window
from minidil.kernels.reference import conv as reference

# What is expected


def columns_shape(
    shape: tuple[int, int, int], kernel_size: int, stride: int, padding: int, dilation: int
) -> tuple[int, int]:
    """Of one image (C, H, W): C K^2 rows, one column per output."""
    window = Window.of(shape[1:], kernel_size, stride, padding, dilation)
    return shape[0] * window.taps, math.prod(window.out)


def im2col(x: Array, kernel_size: int, stride: int, dilation: int) -> Array:
    """x (C, H, W) -> (C K^2, number of outputs)."""
    return reference.im2col(x[None], Window.of(x.shape[1:], kernel_size, stride, 0, dilation))[0]


def col2im(cols: Array, shape: tuple[int, int, int], kernel_size: int, stride: int, dilation: int) -> Array:
    """cols (C K^2, number of outputs) -> (C, H, W): the adjoint of im2col."""
    return reference.col2im(cols[None], shape[0], Window.of(shape[1:], kernel_size, stride, 0, dilation))[0]


def conv_by_loops(x: Array, weight: Array, dilation: int) -> Array:
    """x (C, H, W), weight (F, C, K, K) -> (F, H', W'): every product by itself."""
    filters, channels, kernel, _ = weight.shape
    height, width = (size - dilation * (kernel - 1) for size in x.shape[1:])
    y = np.zeros((filters, height, width))
    for f in range(filters):
        for i in range(height):
            for j in range(width):
                for c in range(channels):
                    for u in range(kernel):
                        for v in range(kernel):
                            y[f, i, j] += weight[f, c, u, v] * x[c, i + u * dilation, j + v * dilation]
    return y


# How cases are drawn: down to inputs that the dilated kernel only just fits


def _window(draw: Draw) -> dict[str, int]:
    return {"kernel_size": draw.integer(1, 3), "stride": draw.integer(1, 3), "dilation": draw.integer(1, 3)}


def _image(draw: Draw, window: dict[str, int], padding: int = 0) -> tuple[int, int, int]:
    span = window["dilation"] * (window["kernel_size"] - 1) + 1
    least = max(span - 2 * padding, 1)
    return draw.integer(1, 3), least + draw.integer(0, 4), least + draw.integer(0, 4)


def _shape_cases(draw: Draw) -> dict[str, Any]:
    window, padding = _window(draw), draw.integer(0, 2)
    return {
        "shape": _image(draw, window, padding),
        "kernel_size": window["kernel_size"],
        "stride": window["stride"],
        "padding": padding,
        "dilation": window["dilation"],
    }


def _im2col_cases(draw: Draw) -> dict[str, Any]:
    window = _window(draw)
    return {"x": draw.array(*_image(draw, window)), **window}


def _col2im_cases(draw: Draw) -> dict[str, Any]:
    window = _window(draw)
    shape = _image(draw, window)
    return {"cols": draw.array(*columns_shape(shape, padding=0, **window)), "shape": shape, **window}


def _conv_cases(draw: Draw) -> dict[str, Any]:
    kernel, dilation, channels = draw.integer(1, 3), draw.integer(1, 3), draw.integer(1, 2)
    height, width = (dilation * (kernel - 1) + 1 + draw.integer(0, 3) for _ in range(2))
    weight = draw.array(draw.integer(1, 2), channels, kernel, kernel)
    return {"x": draw.array(channels, height, width), "weight": weight, "dilation": dilation}


def _large() -> dict[str, Any]:
    rng = np.random.default_rng(3)
    return {"x": rng.standard_normal((4, 18, 18)), "weight": rng.standard_normal((6, 4, 3, 3)), "dilation": 2}


# What students get wrong


def _shape_without_channels(shape: Any, kernel_size: int, stride: int, padding: int, dilation: int) -> tuple[int, int]:
    rows, columns = columns_shape(shape, kernel_size, stride, padding, dilation)
    return rows // shape[0], columns


def _shape_turned(shape: Any, kernel_size: int, stride: int, padding: int, dilation: int) -> tuple[int, ...]:
    return columns_shape(shape, kernel_size, stride, padding, dilation)[::-1]


def _shape_with_span_kd(shape: Any, kernel_size: int, stride: int, padding: int, dilation: int) -> tuple[int, int]:
    height, width = ((size + 2 * padding - dilation * kernel_size) // stride + 1 for size in shape[1:])
    return shape[0] * kernel_size**2, height * width


def _shape_with_one_padding(shape: Any, kernel_size: int, stride: int, padding: int, dilation: int) -> tuple[int, int]:
    height, width = ((size + padding - dilation * (kernel_size - 1) - 1) // stride + 1 for size in shape[1:])
    return shape[0] * kernel_size**2, height * width


def _taps_first(x: Array, kernel_size: int, stride: int, dilation: int) -> Array:
    right = im2col(x, kernel_size, stride, dilation)
    return right.reshape(len(x), kernel_size**2, -1).swapaxes(0, 1).reshape(right.shape)


def _outputs_first(x: Array, kernel_size: int, stride: int, dilation: int) -> Array:
    return im2col(x, kernel_size, stride, dilation).T


def _undilated(x: Array, kernel_size: int, stride: int, dilation: int) -> Array:
    window = Window.of(x.shape[1:], kernel_size, stride, 0, dilation)
    taps = [
        [x[c, i * stride + u, j * stride + v] for i in range(window.out[0]) for j in range(window.out[1])]
        for c in range(len(x))
        for u in range(kernel_size)
        for v in range(kernel_size)
    ]
    return np.array(taps)


def _columns_by_column(x: Array, kernel_size: int, stride: int, dilation: int) -> Array:
    return im2col(x.swapaxes(1, 2), kernel_size, stride, dilation)


def _exchanged(x: Array, kernel_size: int, stride: int, dilation: int) -> Array:
    window = Window.of(x.shape[1:], kernel_size, stride, 0, dilation)
    taps = [
        [
            x[c, i * dilation + u * stride, j * dilation + v * stride]
            for i in range(window.out[0])
            for j in range(window.out[1])
        ]
        for c in range(len(x))
        for u in range(kernel_size)
        for v in range(kernel_size)
    ]
    return np.array(taps)


def _unstrided(x: Array, kernel_size: int, stride: int, dilation: int) -> Array:
    window = Window.of(x.shape[1:], kernel_size, stride, 0, dilation)
    dense = im2col(x, kernel_size, 1, dilation)
    outputs = Window.of(x.shape[1:], kernel_size, 1, 0, dilation).out
    return dense.reshape(len(dense), *outputs)[:, : window.out[0], : window.out[1]].reshape(len(dense), -1)


def _span_kd(x: Array, kernel_size: int, stride: int, dilation: int) -> Array:
    outputs = [(size - kernel_size * dilation) // stride + 1 for size in x.shape[1:]]
    cols = np.zeros((len(x), kernel_size, kernel_size, *outputs))  # which are negative where only the true span fits
    for u, v, i, j in np.ndindex(kernel_size, kernel_size, *outputs):
        cols[:, u, v, i, j] = x[:, i * stride + u * dilation, j * stride + v * dilation]
    return cols.reshape(len(x) * kernel_size**2, outputs[0] * outputs[1])


def _scattered(cols: Array, shape: Any, kernel_size: int, stride: int, dilation: int, add: bool) -> Array:
    """col2im in the order of rows, then of columns, with += or with =."""
    window = Window.of(shape[1:], kernel_size, stride, 0, dilation)
    image = np.zeros(shape)
    spread = cols.reshape(shape[0], kernel_size, kernel_size, *window.out)
    for u, v in np.ndindex(kernel_size, kernel_size):
        rows = slice(u * dilation, u * dilation + stride * (window.out[0] - 1) + 1, stride)
        columns = slice(v * dilation, v * dilation + stride * (window.out[1] - 1) + 1, stride)
        image[:, rows, columns] = spread[:, u, v] + (image[:, rows, columns] if add else 0)
    return image


def _overwritten(cols: Array, shape: Any, kernel_size: int, stride: int, dilation: int) -> Array:
    return _scattered(cols, shape, kernel_size, stride, dilation, add=False)


def _overwritten_by_position(cols: Array, shape: Any, kernel_size: int, stride: int, dilation: int) -> Array:
    """The same with the loops the other way round: outputs outside, taps inside."""
    window = Window.of(shape[1:], kernel_size, stride, 0, dilation)
    image = np.zeros(shape)
    spread = cols.reshape(shape[0], kernel_size, kernel_size, *window.out)
    for i, j in np.ndindex(*window.out):
        for u, v in np.ndindex(kernel_size, kernel_size):
            image[:, i * stride + u * dilation, j * stride + v * dilation] = spread[:, u, v, i, j]
    return image


def _averaged(cols: Array, shape: Any, kernel_size: int, stride: int, dilation: int) -> Array:
    ones = col2im(np.ones_like(cols), shape, kernel_size, stride, dilation)
    return col2im(cols, shape, kernel_size, stride, dilation) / np.maximum(ones, 1)


def _back_undilated(cols: Array, shape: Any, kernel_size: int, stride: int, dilation: int) -> Array:
    window = Window.of(shape[1:], kernel_size, stride, 0, dilation)
    image = np.zeros(shape)
    spread = cols.reshape(shape[0], kernel_size, kernel_size, *window.out)
    for u, v in np.ndindex(kernel_size, kernel_size):
        for i, j in np.ndindex(*window.out):
            image[:, i * stride + u, j * stride + v] += spread[:, u, v, i, j]
    return image


def _back_unstrided(cols: Array, shape: Any, kernel_size: int, stride: int, dilation: int) -> Array:
    window = Window.of(shape[1:], kernel_size, stride, 0, dilation)
    image = np.zeros(shape)
    spread = cols.reshape(shape[0], kernel_size, kernel_size, *window.out)
    for u, v, i, j in np.ndindex(kernel_size, kernel_size, *window.out):
        image[:, i + u * dilation, j + v * dilation] += spread[:, u, v, i, j]
    return image


def _back_taps_first(cols: Array, shape: Any, kernel_size: int, stride: int, dilation: int) -> Array:
    turned = cols.reshape(kernel_size**2, shape[0], -1).swapaxes(0, 1).reshape(cols.shape)
    return col2im(turned, shape, kernel_size, stride, dilation)


def _conv_flipped(x: Array, weight: Array, dilation: int) -> Array:
    return conv_by_loops(x, weight[:, :, ::-1, ::-1], dilation)


def _conv_undilated(x: Array, weight: Array, dilation: int) -> Array:
    height, width = (size - dilation * (weight.shape[-1] - 1) for size in x.shape[1:])
    return conv_by_loops(x, weight, 1)[:, :height, :width]


def _conv_weight_turned(x: Array, weight: Array, dilation: int) -> Array:
    return conv_by_loops(x, weight.swapaxes(2, 3), dilation)


EXERCISES = (
    Exercise(
        name="ex03_1",
        title="How large are the columns?",
        function="my_columns_shape",
        signature="my_columns_shape(shape, kernel_size, stride, padding, dilation)",
        cases=_shape_cases,
        expected=columns_shape,
        hints=(
            "A column holds everything that one output reads. How many outputs are there, and how many numbers does one read?",
            "The number of outputs along an axis is that of chapter 2: the dilated kernel spans d(K - 1) + 1 "
            "positions, and the padding stands on both sides.",
            "rows = C * K * K; columns = outputs along the height times outputs along the width, each (size + 2 * "
            "padding - span) // stride + 1.",
        ),
        mistakes=(
            Mistake(
                "channels forgotten in the rows",
                _shape_without_channels,
                "One output reads its window in every channel, not only in one: what does that do to the length of a column?",
            ),
            Mistake(
                "rows and columns exchanged",
                _shape_turned,
                "Both numbers are right, but the first is to be the rows (what one output reads), the second the columns.",
            ),
            Mistake(
                "span k*d",
                _shape_with_span_kd,
                "The kernel seems to span K * d positions. Draw three taps with dilation 2: nothing follows the last one.",
            ),
            Mistake(
                "padding counted once",
                _shape_with_one_padding,
                "The padding stands before and after the image: how often does it add to its size?",
            ),
        ),
        minutes=10,
    ),
    Exercise(
        name="ex03_2",
        title="Write im2col",
        function="my_im2col",
        signature="my_im2col(x, kernel_size, stride, dilation)",
        cases=_im2col_cases,
        expected=im2col,
        hints=(
            "Begin with loops: for every row of the result (a channel c and a tap u, v) and every column (an output "
            "i, j) there is exactly one entry of x. Which?",
            "It is x[c, i * stride + u * dilation, j * stride + v * dilation]. In the rows v runs fastest, then u, "
            "then c; in the columns j runs fastest, then i.",
            "Fill an array of shape (C, K, K, H', W'), where H' and W' are the outputs along the axes, and reshape "
            "it at the end to (C * K * K, H' * W'). For one tap all outputs are one slice of x: along the height it "
            "is u*d : u*d + stride*(H'-1) + 1 : stride.",
        ),
        mistakes=(
            Mistake(
                "the dilation is ignored",
                _undilated,
                "The taps of the window stand next to each other. With dilation d, tap number u reads u * d further on.",
            ),
            Mistake(
                "stride and dilation exchanged",
                _exchanged,
                "The output number is multiplied by the dilation and the tap by the stride. Which of them moves the window?",
            ),
            Mistake(
                "taps before channels in the rows",
                _taps_first,
                "All entries are there, but the rows are in the order tap, channel. The weight (F, C, K, K), "
                "reshaped to (F, C*K*K), has the channel outermost, and the rows must stand as its entries do.",
            ),
            Mistake(
                "the stride does not move the window",
                _unstrided,
                "There are as many columns as there should be, but neighbouring windows are one position apart. Where does "
                "window i begin?",
            ),
            Mistake(
                "span k*d",
                _span_kd,
                "Outputs are missing: the kernel seems to span K * d positions. Nothing follows the last tap.",
            ),
            Mistake(
                "transposed: one row per output",
                _outputs_first,
                "Every output has a row here; it is to have a column, so that weight @ cols is a matrix product.",
            ),
            Mistake(
                "height and width exchanged",
                _columns_by_column,
                "The image is read with its two axes exchanged. In the columns the position along the width runs "
                "fastest, and so does the tap v in the rows.",
            ),
        ),
        points=4,
        minutes=30,
        forbidden=(
            "minidil.functional.unfold",
            "minidil.kernels.reference.conv.im2col",
        ),
    ),
    Exercise(
        name="ex03_3",
        title="Write col2im, the adjoint",
        function="my_col2im",
        signature="my_col2im(cols, shape, kernel_size, stride, dilation)",
        cases=_col2im_cases,
        expected=col2im,
        hints=(
            "im2col copies: it writes cols[r, o] = x[place]. Its adjoint sends every entry back to the place it was "
            "copied from. What if several entries come from one place?",
            "Start with an image of zeros of the given shape and add every entry: image[place] += cols[r, o], with "
            "the same place as in im2col.",
            "Reshape cols to (C, K, K, H', W'). For every tap (u, v): image[:, u*d : u*d + stride*(H'-1) + 1 : "
            "stride, (the same with v and W')] += cols[:, u, v]. Within one tap no place is met twice, so += on a "
            "slice is safe.",
        ),
        mistakes=(
            Mistake(
                "= for +=",
                _overwritten,
                "Where windows overlap, an image entry comes back from several columns. With = the last one wins, "
                "and the others are lost: their contributions must be added up.",
            ),
            Mistake(
                "= for +=, output by output",
                _overwritten_by_position,
                "Where windows overlap, an image entry comes back from several columns. With = the last one wins, "
                "and the others are lost: their contributions must be added up.",
            ),
            Mistake(
                "divided by how often a place is read",
                _averaged,
                "That undoes im2col (its inverse), but the adjoint only adds up: in <im2col(x), c> = <x, col2im(c)> "
                "nothing is divided.",
            ),
            Mistake(
                "the dilation is ignored",
                _back_undilated,
                "The entries come back to places next to each other, but they were taken from places that are d apart.",
            ),
            Mistake(
                "the stride does not move the window",
                _back_unstrided,
                "The columns come back to windows that are one position apart, but they were taken stride apart.",
            ),
            Mistake(
                "taps before channels in the rows",
                _back_taps_first,
                "The rows of cols are read in the order tap, channel. In im2col the channel is outermost.",
            ),
        ),
        points=4,
        minutes=30,
        forbidden=(
            "minidil.functional.fold",
            "minidil.kernels.reference.conv.col2im",
        ),
    ),
    Exercise(
        name="ex03_4",
        title="Make the loops 20 times faster",
        function="my_fast_conv",
        signature="my_fast_conv(x, weight, dilation)",
        cases=_conv_cases,
        expected=conv_by_loops,
        hints=(
            "Python's loops are what takes the time. Which of the six can NumPy run for you in one call?",
            "For a fixed tap (u, v) the products of all outputs, filters and channels are one matrix product of "
            "weight[:, :, u, v] with a slice of x: only K * K steps of a Python loop remain.",
            "cols = my_im2col(x, K, 1, dilation); y = weight.reshape(F, -1) @ cols; then reshape y to (F, H', W').",
        ),
        mistakes=(
            Mistake(
                "kernel flipped",
                _conv_flipped,
                "The kernel is mirrored before it is applied. Deep-learning libraries correlate: tap u reads i + u * d.",
            ),
            Mistake(
                "the dilation is ignored",
                _conv_undilated,
                "The taps stand next to each other. Tap number u reads u * d further on.",
            ),
            Mistake(
                "height and width of the kernel exchanged",
                _conv_weight_turned,
                "The kernel is transposed: tap (u, v) of the weight belongs to row u and column v of the window.",
            ),
        ),
        points=3,
        minutes=20,
        forbidden=("minidil.functional.conv", "minidil.functional.unfold", "minidil.kernels.reference.conv.im2col"),
        check=speed_check(conv_by_loops, _large, 20),
    ),
)
