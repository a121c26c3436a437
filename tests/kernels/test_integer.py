"""Compiled convolution in whole numbers, bit for bit against the reference."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from kernel_checks import using_threads
from strategies import windows

pytest.importorskip("numba")
from minidil.kernels.cpu import integer_direct, integer_winograd, winograd_plan
from minidil.kernels.cpu.integer import Residual, add_lines, channel_sums, packed, to_grid
from minidil.kernels.cpu.phases import three
from minidil.kernels.geometry import Window
from minidil.kernels.reference.integer import Requantise, conv_sums, requantise

EXTREMES = st.sampled_from(["any", "largest", "smallest"])


def arrays(rng, kind, shape, low, high, dtype):
    if kind == "any":
        return rng.integers(low, high, shape, endpoint=True).astype(dtype)
    return np.full(shape, high if kind == "largest" else low, dtype)


def case(window, channels, filters, groups=1, seed=0, images="any", weights="any"):
    rng = np.random.default_rng(seed)
    x = arrays(rng, images, (2, channels, *window.size), 0, 255, np.uint8)
    weight = arrays(rng, weights, (filters, channels // groups, *window.kernel), -127, 127, np.int8)
    zero, y_zero = (int(n) for n in rng.integers(0, 256, 2))
    bias = rng.integers(-(2**20), 2**20, filters).astype(np.int32)
    multiplier = rng.uniform(1e-6, 1e-2, filters).astype(np.float32)
    ending = Requantise(bias, multiplier, y_zero, int(rng.integers(0, y_zero + 1)), 255)
    return x, zero, weight, ending


def last(x):
    return np.ascontiguousarray(np.moveaxis(x, 1, -1))


def by_direct(x, zero, weight, window, ending, groups=1, dtype=np.uint8, residual=None):
    prepared = integer_direct.prepare(weight, window, groups)
    source = last(x).reshape(len(x), *three(window.size), x.shape[1])
    y = np.empty((len(x), math.prod(window.out), len(weight)), dtype)
    integer_direct.convolve(source, zero, prepared, ending, y, residual)
    return np.moveaxis(y.reshape(len(x), *window.out, -1), -1, 1)


def by_tiles(x, zero, prepared, window, ending, residual=None):
    y = np.empty((len(x), *window.out, prepared.filters), np.uint8)
    integer_winograd.convolve(last(x), zero, prepared, ending, y, residual)
    return np.moveaxis(y, -1, 1)


@st.composite
def planes(draw):
    """A 3x3 window of stride 1, down to images that it only just fits."""
    dilation, padding, size = [], [], []
    for _ in range(2):
        d, before, after = draw(st.integers(1, 5)), draw(st.integers(0, 6)), draw(st.integers(0, 6))
        dilation.append(d), padding.append((before, after))
        size.append(max(2 * d + 1 - before - after + draw(st.integers(0, 12)), 1))
    return Window.of(size, 3, 1, padding, dilation)


@given(
    window=windows(),
    groups=st.integers(1, 3),
    depth=st.integers(1, 5),
    each=st.sampled_from([1, 3, 8, 19]),
    images=EXTREMES,
    weights=EXTREMES,
    seed=st.integers(0, 99),
)
def test_the_direct_kernel(window, groups, depth, each, images, weights, seed):
    x, zero, weight, ending = case(window, depth * groups, each * groups, groups, seed, images, weights)
    expected = requantise(conv_sums(x, zero, weight, window, groups), ending)
    np.testing.assert_array_equal(by_direct(x, zero, weight, window, ending, groups), expected)


@given(
    window=planes(),
    channels=st.sampled_from([1, 5, 17]),
    filters=st.sampled_from([1, 8, 21]),
    images=EXTREMES,
    weights=EXTREMES,
    seed=st.integers(0, 99),
)
def test_winograd_is_exact(window, channels, filters, images, weights, seed):
    x, zero, weight, ending = case(window, channels, filters, 1, seed, images, weights)
    prepared = integer_winograd.prepare_four_by_four(weight, window)
    expected = requantise(conv_sums(x, zero, weight, window), ending)
    np.testing.assert_array_equal(by_tiles(x, zero, prepared, window, ending), expected)


@given(
    dilation=st.tuples(st.integers(1, 5), st.integers(1, 5)),
    missing=st.tuples(st.integers(0, 4), st.integers(0, 4)),
    channels=st.sampled_from([1, 20]),
    images=EXTREMES,
    weights=EXTREMES,
    seed=st.integers(0, 99),
)
def test_two_by_two_is_exact(dilation, missing, channels, images, weights, seed):
    size = [2 * d - min(m, d - 1) for d, m in zip(dilation, missing, strict=True)]
    window = Window.of(size, 3, 1, dilation, dilation)
    x, zero, weight, ending = case(window, channels, 11, 1, seed, images, weights)
    prepared = integer_winograd.prepare_two_by_two(weight, window)
    expected = requantise(conv_sums(x, zero, weight, window), ending)
    np.testing.assert_array_equal(by_tiles(x, zero, prepared, window, ending), expected)


def at_the_bound(more: int):
    """A filter with 255 sum |w| just below 2^25, or `more` above that, on an image and a zero that reach it."""
    window, total = Window.of((4, 4), 3, 1, 1, 1), (2**25 - 1) // 255 + more
    weight = np.zeros((1, 116, 3, 3), np.int8)
    weight.reshape(-1)[: total // 127] = 127
    weight.reshape(-1)[total // 127] = total % 127
    ending = Requantise(np.array([-255 * total + 100], np.int32), np.ones(1, np.float32), 0)
    return np.full((1, 116, 4, 4), 255, np.uint8), weight, window, ending


def test_at_the_bound_winograd_is_exact_and_beyond_it_is_not_taken():
    x, weight, window, ending = at_the_bound(0)
    assert integer_winograd.is_exact(weight)
    prepared = integer_winograd.prepare_four_by_four(weight, window)
    for filters, image in ((weight, x), (-weight, x)):
        assert integer_winograd.is_exact(filters)
        prepared = integer_winograd.prepare_four_by_four(filters, window)
        sign = 1 if filters is weight else -1
        own = ending._replace(bias=sign * ending.bias)
        expected = requantise(conv_sums(image, 0, filters, window), own)
        np.testing.assert_array_equal(by_tiles(image, 0, prepared, window, own), expected)
        assert expected[0, 0, 1, 1] == (100 if sign > 0 else 0)
    x, weight, window, ending = at_the_bound(1)
    assert not integer_winograd.is_exact(weight)
    assert winograd_plan.applies(window)
    expected = requantise(conv_sums(x, 0, weight, window), ending)
    assert expected[0, 0, 1, 1] == 100
    np.testing.assert_array_equal(by_direct(x, 0, weight, window, ending), expected)
    wrong = by_tiles(x, 0, integer_winograd.prepare_four_by_four(weight, window), window, ending)
    assert wrong[0, 0, 1, 1] != 100


@pytest.mark.parametrize("filters", [16, 21])
def test_a_residual_is_added_before_rounding(filters):
    """Its product is rounded before it is added: fused into one operation, some results would be others."""
    window = Window.of((80, 90), 3, 1, 2, 2)
    x, zero, weight, ending = case(window, 5, filters, seed=3)
    ending = ending._replace(bias=ending.bias // 64, multiplier=np.full(filters, 2e-3, np.float32), low=0)
    added = np.random.default_rng(4).integers(0, 256, (2, filters, *window.out), np.uint8)
    residual, line = Residual(last(added), 77, 0.37), (-1, 1, 1)
    sums = (conv_sums(x, zero, weight, window) + ending.bias.reshape(line)).astype(np.float32)
    value, centred = sums * ending.multiplier.reshape(line), added.astype(np.float32) - np.float32(77)
    expected, fused = (
        np.clip(np.rint(each) + np.float32(ending.zero), ending.low, ending.high)
        for each in (
            value + centred * np.float32(0.37),
            (sums.astype(float) * ending.multiplier.reshape(line) + centred * np.float32(0.37)).astype(np.float32),
        )
    )
    assert (fused != expected).any()
    np.testing.assert_array_equal(by_direct(x, zero, weight, window, ending, residual=residual), expected)
    prepared = integer_winograd.prepare_four_by_four(weight, window)
    np.testing.assert_array_equal(by_tiles(x, zero, prepared, window, ending, residual), expected)


@pytest.mark.parametrize("images", [1, 9])
def test_results_as_float32_are_multiplied_and_no_more(images):
    window = Window.of((1,), 1)
    x, zero, weight, ending = case(window, 37, 10)
    x = np.repeat(x, 5, axis=0)[:images]
    sums = (conv_sums(x, zero, weight, window) + ending.bias.reshape(-1, 1)).astype(np.float32)
    found = by_direct(x, zero, weight, window, ending, dtype=np.float32)
    np.testing.assert_array_equal(found, sums * ending.multiplier.reshape(-1, 1))


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_threads_share_tiles_or_filters(threads):
    for size in ((5, 6), (40, 41)):  # few tiles, and many
        window = Window.of(size, 3, 1, 1, 1)
        x, zero, weight, ending = case(window, 6, 40)
        prepared = integer_winograd.prepare_four_by_four(weight, window)
        expected = requantise(conv_sums(x, zero, weight, window), ending)
        with using_threads(threads):
            np.testing.assert_array_equal(by_tiles(x, zero, prepared, window, ending), expected)
            np.testing.assert_array_equal(by_direct(x, zero, weight, window, ending), expected)


def test_pairs_lie_side_by_side():
    panels = packed(np.arange(1, 7).reshape(3, 2), 4)
    assert panels.dtype == np.int16
    assert panels.tolist() == [[1, 3, 2, 4, 0, 0, 0, 0, 5, 0, 6, 0, 0, 0, 0, 0]]


@pytest.mark.parametrize("count", [3, 8, 29_999])
def test_lines_are_added_on_their_grids(count):
    rng = np.random.default_rng(count)
    one, other = rng.integers(0, 256, (2, count), np.uint8)
    a, b = np.float32(0.31), np.float32(1.7)
    for second in (other, other[:0]):
        y = np.empty(count, np.uint8)
        limits = np.float32(30), np.float32(4), np.float32(200)
        add_lines(one, np.float32(100), a, second, np.float32(9), b, y, *limits, 0, count)
        value = (one.astype(np.float32) - 100) * a
        if second.size:
            value += (second.astype(np.float32) - 9) * b
        np.testing.assert_array_equal(y, np.clip(np.rint(value) + 30, 4, 200))


def test_sums_of_channels():
    x = np.random.default_rng(0).integers(0, 256, (2, 50, 7), np.uint8)
    sums = np.empty((2, 7), np.int32)
    channel_sums(x, sums)
    np.testing.assert_array_equal(sums, x.sum(axis=1, dtype=np.int64))


def test_numbers_on_a_grid():
    x = np.array([[[-9.0, -0.25, 0.25, 0.75, 1e9]]], np.float32)
    y = np.empty((1, 5, 1), np.uint8)
    grid = np.float32(0.5), np.float32(3), np.float32(15)
    assert not to_grid(x, *grid, y)
    assert y.reshape(-1).tolist() == [0, 3, 3, 5, 15]
    x[0, 0, 1] = np.nan
    assert to_grid(x, *grid, y)
