"""The window: span, output size, every form of padding, hits, and what is said when it does not fit."""

import math

import numpy as np
import oracles
import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import windows

from minidil.errors import OptionError, ShapeError
from minidil.kernels.geometry import Window, per_axis


@given(windows())
def test_span_padded_and_out_count_positions(window):
    assert window.span == oracles.span(window.kernel, window.dilation)
    assert window.padded == tuple(n + sum(p) for n, p in zip(window.size, window.padding, strict=True))
    assert window.out == oracles.out_size(window.size, window.kernel, window.stride, window.padding, window.dilation)
    assert window.taps == len(list(np.ndindex(*window.kernel)))


@given(windows())
def test_hits_count_the_taps_on_the_input(window):
    expected = np.zeros(window.out, int)
    for o in np.ndindex(*window.out):
        for tap in np.ndindex(*window.kernel):
            place = oracles.tap_positions(o, tap, window.stride, window.padding, window.dilation)
            expected[o] += oracles.inside(place, window.size)
    np.testing.assert_array_equal(window.hits, expected)


@pytest.mark.parametrize(
    ("size", "kernel", "stride", "padding", "dilation", "out"),
    [
        (5, 3, 1, 0, 2, 1),  # spans exactly 5
        (5, 2, 1, 0, 4, 1),
        (5, 2, 1, 0, 3, 2),
        (6, 3, 2, 0, 2, 1),  # one position is left over
        (7, 3, 2, 0, 2, 2),
        (1, 3, 1, 1, 1, 1),
        (1, 3, 1, 2, 2, 1),
        (1, 1, 7, 0, 9, 1),
        (0, 3, 1, 2, 1, 2),  # nothing but padding
        (32, 3, 2, 1, 1, 16),
    ],
)
def test_out_by_hand(size, kernel, stride, padding, dilation, out):
    assert Window.of((size,), kernel, stride, padding, dilation).out == (out,)


@given(st.integers(1, 5), st.integers(1, 6), st.integers(0, 3), st.integers(0, 3))
def test_the_last_size_that_fits_and_the_first_that_does_not(kernel, dilation, before, after):
    needed = dilation * (kernel - 1) + 1 - before - after
    if needed >= 0:
        assert Window.of((needed,), kernel, 1, ((before, after),), dilation).out == (1,)
    if needed >= 1:
        with pytest.raises(ShapeError, match="pad 1 more"):
            Window.of((needed - 1,), kernel, 1, ((before, after),), dilation)


def test_an_int_serves_every_axis_and_a_sequence_each_its_own():
    window = Window.of((9, 8, 7), 2, (1, 2, 3), [0, 1, 2], (3, 2, 1))
    assert window == Window.of([9, 8, 7], (2, 2, 2), [1, 2, 3], ((0, 0), (1, 1), (2, 2)), [3, 2, 1])
    assert (window.span, window.padded, window.out) == ((4, 3, 2), (9, 10, 11), (6, 4, 4))


def test_numpy_ints_and_lists_of_pairs_are_welcome():
    window = Window.of(np.array([5, 6]), np.int64(3), np.int32(1), [[np.int64(1), 0], [0, 2]], np.int8(1))
    assert window.padding == ((1, 0), (0, 2))
    assert all(type(n) is int for n in (*window.size, *window.kernel, *window.padding[0]))


def test_valid_pads_nothing():
    assert Window.of((9, 9), 3, 2, "valid", 2).padding == ((0, 0), (0, 0))


@pytest.mark.parametrize(
    ("size", "kernel", "stride", "dilation", "padding"),
    [
        (8, 3, 1, 1, (1, 1)),
        (8, 3, 1, 4, (4, 4)),
        (8, 2, 1, 1, (0, 1)),  # an even kernel: the odd one goes after
        (8, 4, 1, 1, (1, 2)),
        (8, 2, 1, 3, (1, 2)),
        (8, 3, 2, 1, (0, 1)),  # 4 outputs need (4-1)*2 + 3 = 9
        (7, 3, 2, 1, (1, 1)),  # 4 outputs need 9
        (8, 1, 3, 1, (0, 0)),  # the stride leaps over more than the kernel spans
        (5, 2, 5, 1, (0, 0)),
        (1, 5, 1, 2, (4, 4)),
    ],
)
def test_same_by_hand(size, kernel, stride, dilation, padding):
    assert Window.of((size,), kernel, stride, "same", dilation).padding == (padding,)


@given(st.integers(1, 20), st.integers(1, 5), st.integers(1, 5), st.integers(1, 4))
def test_same_has_ceil_of_size_over_stride_outputs_with_the_least_padding(size, kernel, stride, dilation):
    window = Window.of((size,), kernel, stride, "same", dilation)
    ((before, after),) = window.padding
    assert window.out == (math.ceil(size / stride),)
    assert after - before in (0, 1)
    if before + after:
        less = oracles.out_size((size,), (kernel,), (stride,), ((0, before + after - 1),), (dilation,))
        assert less[0] < window.out[0]


@given(st.integers(1, 20), st.integers(1, 5), st.integers(1, 4))
def test_causal_never_looks_to_the_right(size, kernel, dilation):
    window = Window.of((size,), kernel, 1, "causal", dilation)
    assert window.padding == ((dilation * (kernel - 1), 0),)
    assert window.out == (size,)
    for o in range(size):
        last = oracles.tap_positions((o,), (kernel - 1,), (1,), window.padding, (dilation,))
        assert last == (o,)


def test_an_overrun_shows_the_users_numbers_and_two_ways_out():
    with pytest.raises(ShapeError) as caught:
        Window.of((9, 8), 5, 1, 0, 2, op="conv")
    assert str(caught.value) == (
        "conv: the dilated kernel spans 2*(5-1)+1 = 9 but spatial axis 1 of the input, of size (9, 8), "
        "has 8 + 0 + 0 = 8 positions; pad 1 more or use dilation <= 1"
    )
    Window.of((9, 8), 5, 1, ((0, 0), (1, 0)), 2)
    Window.of((9, 8), 5, 1, 0, (2, 1))


def test_no_dilation_is_proposed_where_none_fits():
    with pytest.raises(ShapeError, match=r"spans 1\*\(3-1\)\+1 = 3 .* has 1 \+ 0 \+ 1 = 2 positions; pad 1 more$"):
        Window.of((1,), 3, padding=((0, 1),))
    with pytest.raises(ShapeError, match=r"spans 5\*\(1-1\)\+1 = 1 .* has 0 \+ 0 \+ 0 = 0 positions; pad 1 more$"):
        Window.of((0,), 1, dilation=5)


@given(st.integers(2, 5), st.integers(2, 9), st.integers(1, 20))
def test_the_proposed_remedies_work(kernel, dilation, size):
    try:
        Window.of((size,), kernel, 1, 0, dilation)
    except ShapeError as error:
        words = str(error).replace(";", "").split()
        missing = int(words[words.index("pad") + 1])
        assert Window.of((size,), kernel, 1, ((missing, 0),), dilation).out == (1,)
        if "<=" in words:
            fitting = int(words[-1])
            assert Window.of((size,), kernel, 1, 0, fitting).out[0] >= 1
            with pytest.raises(ShapeError):
                Window.of((size,), kernel, 1, 0, fitting + 1)


@pytest.mark.parametrize("name", ["kernel_size", "stride", "dilation"])
@pytest.mark.parametrize("value", [0, -1, (1, 0), True, (1, True), (1, 1.0), (1, None)])
def test_settings_must_be_ints_from_one(name, value):
    settings = {"kernel_size": 1, "stride": 1, "dilation": 1, name: value}
    with pytest.raises(OptionError) as caught:
        Window.of((5, 5), op="max_pool", **settings)
    shown = (value, value) if isinstance(value, int) else value
    assert str(caught.value) in {
        f"max_pool: {name} must be made of ints >= 1, not {value!r}",
        f"max_pool: {name} must be made of ints >= 1, not {shown!r}",
    }


@pytest.mark.parametrize("value", ["33", (3,), (3, 3, 3), 2.0, None, {3, 4}])
def test_settings_must_have_one_entry_per_axis(value):
    with pytest.raises(OptionError) as caught:
        Window.of((5, 5), value, op="conv")
    assert str(caught.value) == f"conv: kernel_size must be an int or 2 ints, one per spatial axis, not {value!r}"


@pytest.mark.parametrize(
    ("padding", "message"),
    [
        ("full", 'conv: padding must be "valid", "same", "causal" or numbers, not \'full\''),
        (-1, "conv: padding must be made of ints >= 0, not -1"),
        ((1, -1), "conv: padding must be made of ints >= 0, not (1, -1)"),
        ((1, (0, 1)), "conv: padding must be made of ints >= 0, not (1, (0, 1))"),
        (((0, 1), (0, -1)), "conv: padding must be made of ints >= 0, not (0, -1)"),
        (((0, 1), (0,)), "conv: padding per axis must be (before, after), not (0,) in ((0, 1), (0,))"),
        ((1, 2, 3), "conv: padding must be an int or 2 ints, one per spatial axis, not (1, 2, 3)"),
        (((0, 1),), "conv: padding must be an int or 2 ints, one per spatial axis, not ((0, 1),)"),
        (1.5, "conv: padding must be an int or 2 ints, one per spatial axis, not 1.5"),
        (None, "conv: padding must be an int or 2 ints, one per spatial axis, not None"),
    ],
)
def test_padding_that_is_refused(padding, message):
    with pytest.raises(OptionError) as caught:
        Window.of((5, 5), 3, padding=padding, op="conv")
    assert str(caught.value) == message


@pytest.mark.parametrize("padding", [np.array([1, 1]), np.array([[1, 0], [0, 2]])])
def test_arrays_are_refused_by_name(padding):
    with pytest.raises(OptionError, match="conv: padding must be an int or 2 ints, one per spatial axis, not array"):
        Window.of((9, 9), 3, padding=padding, op="conv")


def test_two_numbers_for_one_axis_are_ambiguous():
    with pytest.raises(OptionError) as caught:
        Window.of((5,), 3, padding=(2, 0), op="conv")
    assert str(caught.value) == "conv: write padding=((2, 0),) to pad one axis by 2 before and 0 after"
    assert Window.of((5,), 3, padding=((2, 0),)).padding == ((2, 0),)


def test_per_axis_can_allow_zero():
    assert per_axis(0, 2, "output_padding", "conv_transpose", least=0) == (0, 0)
    with pytest.raises(OptionError, match="output_padding must be made of ints >= 0"):
        per_axis((0, -1), 2, "output_padding", "conv_transpose", least=0)


def test_a_window_can_be_a_key():
    assert {Window.of((5,), 3): "a"}[Window.of((5,), (3,))] == "a"
