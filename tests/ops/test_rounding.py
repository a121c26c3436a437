"""Rounding to a grid, and the gradient that passes straight through it."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

import minidil as md
from minidil.calls.lift import lift
from minidil.ops import rounding

fake_quantize = lift(rounding.fake_quantize)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_numbers_go_to_the_nearest_and_halves_to_the_even_one(dtype, backend):
    x = np.array([-3, -0.75, -0.25, -0.2, 0, 0.25, 0.75, 0.76, 1.25, 9, np.inf, -np.inf], dtype)
    y = fake_quantize(x, scale=0.5, low=-2, high=3).numpy()
    assert y.dtype == dtype
    assert_array_equal(y, np.array([-1, -1, 0, 0, 0, 0, 1, 1, 1, 1.5, 1.5, -1], dtype))


def test_nan_stays_nan(backend):
    assert np.isnan(fake_quantize(np.array([np.nan], np.float32), scale=0.5, low=-2, high=3).numpy()).all()


def test_the_gradient_passes_where_the_rounded_number_is_on_the_grid(backend):
    x = md.tensor(np.array([-1.3, -1.2, -0.1, 0.4, 1.74, 1.76], np.float32), requires_grad=True)
    (fake_quantize(x, scale=0.5, low=-2, high=3) * np.arange(1, 7, dtype=np.float32)).sum().backward()
    assert_array_equal(x.grad.numpy(), [0, 2, 3, 4, 5, 0])  # -1.3 becomes -3, below -2; 1.76 becomes 4, above 3


def test_a_scale_for_each_filter(backend):
    x = np.array([[0.3, 1.1], [0.3, 1.1]], np.float32)
    y = fake_quantize(x, scale=np.array([[0.25], [1]], np.float32), low=-7, high=7).numpy()
    assert_array_equal(y, np.array([[0.25, 1], [0, 1]], np.float32))


@given(
    st.floats(-(2.0**100), 2.0**100, width=32),
    st.floats(2.0**-20, 2.0**20, width=32),
    st.integers(-127, 0),
    st.integers(1, 255),
)
def test_it_is_what_numpy_rounds(number, scale, low, high):
    x = np.array([number], np.float32)
    wanted = np.clip(np.rint(x / np.float32(scale)), low, high) * np.float32(scale)
    assert_array_equal(fake_quantize(x, scale=scale, low=low, high=high).numpy(), wanted)
