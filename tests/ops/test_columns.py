"""unfold and fold against loops over windows and taps, against each other, and against convolution."""

import numpy as np
import oracles
import pytest
from hypothesis import given
from numpy.testing import assert_allclose, assert_array_equal
from strategies import examples, windows

import minidil as md
import minidil.functional as F
from minidil.errors import OptionError, ShapeError
from minidil.testing import check_adjoint, check_gradients


def drawn(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape)


def options_of(window):
    stride, padding, dilation = window.stride, window.padding, window.dilation
    return {"kernel_size": window.kernel, "stride": stride, "padding": padding, "dilation": dilation}


def entries(channels, window):
    """Row and column of every entry, and the place it is copied from, or None for padding."""
    taps = list(np.ndindex(*window.kernel))
    for c in range(channels):
        for number, tap in enumerate(taps):
            for column, o in enumerate(np.ndindex(*window.out)):
                place = oracles.tap_positions(o, tap, window.stride, window.padding, window.dilation)
                inside = oracles.inside(place, window.size)
                yield c * len(taps) + number, column, (c, *place) if inside else None


@examples(30)
@given(windows())
def test_unfold(backend, window):
    x = drawn(2, 3, *window.size)
    expected = np.zeros((2, 3 * window.taps, int(np.prod(window.out))))
    for row, column, place in entries(3, window):
        if place is not None:
            expected[:, row, column] = x[(slice(None), *place)]
    assert_array_equal(F.unfold(x, **options_of(window)).numpy(), expected)
    check_adjoint(lambda x: F.unfold(x, **options_of(window)), x)


@examples(30)
@given(windows())
def test_fold(backend, window):
    cols = drawn(2, 3 * window.taps, int(np.prod(window.out)))
    expected = np.zeros((2, 3, *window.size))
    for row, column, place in entries(3, window):
        if place is not None:
            expected[(slice(None), *place)] += cols[:, row, column]
    options = {"output_size": window.size, **options_of(window)}
    assert_allclose(F.fold(cols, **options).numpy(), expected, atol=1e-12)
    check_adjoint(lambda cols: F.fold(cols, **options), cols)


def test_gradients(backend):
    options = {"kernel_size": 2, "stride": (2, 1), "padding": ((1, 0), (0, 2)), "dilation": (1, 2)}
    x = drawn(1, 2, 5, 4)
    check_gradients(F.unfold, x, entries=True, **options)
    cols = drawn(*F.unfold(x, **options).shape)
    check_gradients(F.fold, cols, entries=True, output_size=(5, 4), **options)


def test_a_convolution_is_a_product_of_columns(backend):
    x, w = drawn(2, 3, 7, 8), drawn(4, 3, 3, 2, seed=1)
    options = {"stride": (1, 2), "padding": 1, "dilation": 2}
    y = md.tensor(w).reshape(4, -1) @ F.unfold(x, kernel_size=(3, 2), **options)
    expected = F.conv(x, w, **options).numpy()
    assert_allclose(y.reshape(expected.shape).numpy(), expected, atol=1e-12)


def test_folding_what_was_unfolded_counts_the_windows(backend):
    ones = np.ones((1, 1, 5))
    cols = F.unfold(ones, kernel_size=3)
    assert_array_equal(F.fold(cols, output_size=(5,), kernel_size=3).numpy(), [[[1, 2, 3, 2, 1]]])


def test_one_int_stands_for_two_axes(backend):
    cols = drawn(1, 8, 4)
    expected = F.fold(cols, output_size=(4, 4), kernel_size=(2, 2), stride=2).numpy()
    assert_array_equal(F.fold(cols, output_size=4, kernel_size=2, stride=2).numpy(), expected)
    assert F.fold(drawn(1, 8, 8), output_size=4, kernel_size=(2, 2, 2), stride=2).shape == (1, 1, 4, 4, 4)


def test_float32_and_empty_batches(backend):
    x = md.tensor(np.zeros((0, 3, 4, 4), np.float32), requires_grad=True)
    y = F.unfold(x, kernel_size=2)
    F.fold(y, output_size=(4, 4), kernel_size=2).sum().backward()
    assert y.shape == (0, 12, 9)
    assert x.grad.shape == (0, 3, 4, 4)
    assert y.dtype == x.grad.dtype == np.float32


def test_refused(backend):
    with pytest.raises(ShapeError, match=r"unfold: x must be \(N, C, \*S\) with 1 to 3 spatial axes, not \(2, 3\)"):
        F.unfold(drawn(2, 3), kernel_size=1)
    with pytest.raises(ShapeError, match=r"unfold: the dilated kernel spans 3\*\(3-1\)\+1 = 7 .* pad 2 more"):
        F.unfold(drawn(1, 1, 5), kernel_size=3, dilation=3)
    with pytest.raises(ShapeError) as caught:
        F.fold(drawn(1, 9, 4), output_size=(4, 4), kernel_size=2)
    assert str(caught.value) == (
        "fold: the kernel (2, 2) has 4 taps and 9 positions on an output of (4, 4), so cols must be (N, C*4, 9), not (1, 9, 4)"
    )
    with pytest.raises(OptionError, match="fold: output_size must be made of ints >= 1, not 0"):
        F.fold(drawn(1, 8, 4), output_size=0, kernel_size=2)
