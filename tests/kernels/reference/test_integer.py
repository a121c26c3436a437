"""The definition of quantised convolution, against loops and by hand."""

import numpy as np
import oracles
import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import windows

from minidil.kernels.reference.integer import Requantise, conv_sums, requantise


@given(window=windows(max_axes=2), groups=st.integers(1, 2), zero=st.integers(0, 255), seed=st.integers(0, 99))
def test_sums_are_those_of_the_formula(window, groups, zero, seed):
    rng = np.random.default_rng(seed)
    x = rng.integers(0, 256, (2, 2 * groups, *window.size), np.uint8)
    weight = rng.integers(-127, 128, (groups, 2, *window.kernel), np.int8)
    sums = conv_sums(x, zero, weight, window, groups)
    geometry = window.stride, window.padding, window.dilation
    expected = oracles.conv_loops(x.astype(float) - zero, weight.astype(float), None, *geometry, groups)
    assert sums.dtype == np.int64
    np.testing.assert_array_equal(sums, expected)


def test_a_half_is_rounded_to_the_even_one_and_limits_hold():
    sums = np.array([-9, -3, -1, 0, 1, 3, 5, 400], np.int64).reshape(1, 1, -1)
    ending = Requantise(np.zeros(1, np.int32), np.array([0.5], np.float32), zero=10, low=7, high=100)
    assert requantise(sums, ending).tolist() == [[[7, 8, 10, 10, 10, 12, 12, 100]]]
    biased = ending._replace(bias=np.array([2], np.int32))
    assert requantise(sums, biased).tolist() == [[[7, 10, 10, 11, 12, 12, 14, 100]]]


def test_a_sum_that_is_no_int32_is_refused():
    ending = Requantise(np.array([1], np.int32), np.ones(1, np.float32), 0)
    assert requantise(np.array([[2**31 - 2]]), ending).tolist() == [[255]]
    with pytest.raises(OverflowError, match="int32"):
        requantise(np.array([[2**31 - 1]]), ending)
