"""Which numbers a convolution in registers reads, tile sizes, and when it is chosen; its results are in test_cpu_conv.py."""

from collections import Counter
from math import prod

import numpy as np
import pytest
from hypothesis import given
from strategies import windows

from minidil.kernels.algorithm import conv_algorithm
from minidil.kernels.cpu import direct, im2col, pointwise, winograd
from minidil.kernels.cpu.conv import _plain, _way_for
from minidil.kernels.cpu.layout import tap_places
from minidil.kernels.cpu.padded import as_one
from minidil.kernels.cpu.phases import backward, forward, three
from minidil.kernels.cpu.registers import BYTES, COLUMNS, lanes, tile_for, tile_or_half_for, width_of
from minidil.kernels.geometry import Window


def read(reading, channels=1):
    """(result, tap, place in the padded source) of every number that is read, runs taken apart."""
    found = []
    taps = reading.taps.reshape(-1, reading.joined)
    for start, result in zip(reading.starts, reading.places, strict=True):
        for t, offset in enumerate(reading.offsets):
            for i, tap in enumerate(taps[t]):
                found.append((int(result), int(tap), int(start + offset + i)))
    return found


def unpadded(reading, size):
    """The place in an image of `size` for every place in the padded one; -1 on the padding."""
    places = np.full(reading.padded, -1)
    inside = tuple(slice(b, b + n) for b, n in zip(reading.before, three(size), strict=True))
    places[inside] = np.arange(prod(size)).reshape(three(size))
    return places.reshape(-1)


@given(window=windows())
def test_the_forward_pass_reads_what_the_geometry_says(window):
    reading = forward(window, 1)
    place = unpadded(reading, window.size)
    expected = tap_places(window)
    found = read(reading)
    assert len(found) == expected.size
    for result, tap, at in found:
        assert place[at] == expected[result, tap]


@given(window=windows())
def test_the_phases_read_each_slope_that_reaches_an_input_once(window):
    met = Counter()
    for reading in backward(window, 1):
        place = unpadded(reading, window.out)
        met.update((int(place[at]), tap, result) for result, tap, at in read(reading) if place[at] >= 0)
    table = tap_places(window)
    expected = {(o, k, int(i)) for (o, k), i in np.ndenumerate(table) if i >= 0}
    assert met == Counter(dict.fromkeys(expected, 1))


def test_neighbouring_taps_are_one_run_unless_channels_are_in_groups():
    window = Window.of((9, 9), 3, 1, 1, 1)
    assert (forward(window, 1).joined, len(forward(window, 1).offsets)) == (3, 3)
    assert (forward(window, 2).joined, len(forward(window, 2).offsets)) == (1, 9)
    assert forward(Window.of((9, 9), 3, 1, 2, 2), 1).joined == 1
    assert [phase.joined for phase in backward(Window.of((8,), 4, 2, 1, 1), 1)] == [2, 2]


def test_small_images_are_one_where_a_result_takes_one_position():
    images, point = np.arange(3 * 4 * 2.0).reshape(3, 1, 2, 2, 2), Window.of((2, 2), 1)
    one, along = as_one(images, point)
    assert (one.shape, along) == ((1, 1, 1, 12, 2), Window.of((12,), 1))
    np.testing.assert_array_equal(one.reshape(images.shape), images)
    others = Window.of((2, 2), 1, 2), Window.of((2, 2), 1, 1, 1), Window.of((2, 2), 2), Window.of((32, 16), 1)
    for some, window in [(images[:0], point), *((images, window) for window in others)]:
        same, kept = as_one(some, window)
        assert same is some
        assert kept is window


@pytest.mark.parametrize("itemsize", [4, 8])
def test_a_tile_leaves_as_few_lanes_empty_as_can_be(itemsize):
    each = BYTES // itemsize
    assert lanes(itemsize) == each
    for width in range(1, 6 * each):
        rows, columns = tile_for(width, itemsize)
        empty = -width % (len(columns) * each)
        assert empty == min(-width % (count * each) for count in (1, 2, 4) if count <= COLUMNS)
        assert len(rows) * len(columns) + len(columns) < (32 if BYTES == 64 else 16)


@pytest.mark.parametrize("itemsize", [4, 8])
def test_a_tile_is_half_a_register_wide_where_that_is_enough(itemsize):
    each = BYTES // itemsize
    for width in range(1, 2 * each):
        rows, columns = tile = tile_or_half_for(width, itemsize)
        half = BYTES == 64 and width <= each // 2
        assert (
            (rows, width_of(columns, itemsize)) == ((0,) * 8, each // 2) if half else tile == tile_for(width, itemsize)
        )


def test_it_is_chosen_for_weights_where_it_pays():
    strided, square, point = Window.of((32, 32), 3, 2, 1, 1), Window.of((32, 32), 3, 1, 1, 1), Window.of((32, 32), 1)
    assert direct.pays_for_weights(square, 3, 64, 1, 1, 4)
    assert not direct.pays_for_weights(strided, 64, 128, 1, 1023, 4)
    assert not direct.pays_for_weights(point, 8, 8, 1, 1023, 4)
    wide = BYTES == 64
    for window in (strided, point):
        assert direct.pays_for_weights(window, 64, 128, 1, 1024, 4) is wide
        assert direct.pays_for_weights(window, 256, 64, 1, 2048, 4) is wide
        assert direct.pays_for_weights(window, 64, 256, 1, 2048, 4) is wide
        assert not direct.pays_for_weights(window, 256, 64, 1, 2047, 4)
        assert not direct.pays_for_weights(window, 64, 256, 1, 2047, 4)
        assert not direct.pays_for_weights(window, 64, 100, 1, 2048, 4)  # a panel with lanes that are empty


def test_it_is_chosen_where_it_pays():
    strided, square = Window.of((32, 32), 3, 2, 1, 1), Window.of((32, 32), 3, 1, 1, 1)
    assert direct.pays(64 * 256, 64, strided, 1)
    assert not direct.pays(64 * 1024, 3, square, 1)  # three colours
    assert not direct.pays(64 * 256, 64, strided, 16)  # 4 numbers in a vector
    assert direct.pays(1024, 64, square, 1)
    assert not direct.pays(1023, 64, square, 1)
    assert not direct.pays(4095, 64, strided, 1)  # four phases
    point = Window.of((32, 32), 1)
    assert [_plain(point, False), _plain(strided, False), _plain(strided, True)] == [pointwise, im2col, direct]
    assert _way_for(square, 64, 64, 1) is winograd
    assert _way_for(square, 64, 64, 1, im2col, 512) is winograd
    assert _way_for(square, 64, 64, 1, im2col, 511) is im2col
    assert _way_for(strided, 64, 64, 1) is direct
    assert _way_for(square, 16, 16, 1) is direct
    assert [_way_for(square, 16, 17, 1), _way_for(square, 32, 32, 2)] == [winograd] * 2
    assert [_way_for(Window.of((8, 8, 8), 3, padding=1), 16, filters, 1) for filters in (16, 17)] == [direct, winograd]
    for name, way in (("im2col", im2col), ("direct", direct), ("winograd", winograd)):
        with conv_algorithm(name):
            assert _way_for(square, 64, 64, 1, pointwise) is way


def test_padding_the_batch_once_for_all_phases_changes_no_bit(monkeypatch):
    rng = np.random.default_rng(0)
    window = Window.of((9, 8), 4, (2, 3), ((1, 2), (2, 0)))
    grad, weight = rng.standard_normal((3, 5, *window.out)), rng.standard_normal((5, 8, 4, 4))
    once = direct.conv_grad_input(grad, weight, window)
    monkeypatch.setattr(direct, "_CACHE_BYTES", 0)
    np.testing.assert_array_equal(direct.conv_grad_input(grad, weight, window), once)
