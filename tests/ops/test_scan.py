"""Running sums and products against NumPy's, also where an element is 0."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

import minidil as md
from minidil import functional as F
from minidil.testing import check_gradients

shapes = st.lists(st.integers(1, 5), min_size=1, max_size=3).map(tuple)


@given(shape=shapes, data=st.data())
def test_running_sums(shape, data) -> None:
    x = np.random.default_rng(0).standard_normal(shape)
    axis = data.draw(st.integers(-len(shape), len(shape) - 1))
    assert_allclose(F.cumsum(x, axis).numpy(), np.cumsum(x, axis), atol=1e-12)
    check_gradients(F.cumsum, x, axis=axis)


@given(shape=shapes, zeros=st.integers(0, 3), data=st.data())
def test_products(shape, zeros, data) -> None:
    x = np.random.default_rng(zeros).standard_normal(shape)
    x.reshape(-1)[:zeros] = 0
    axes = tuple(data.draw(st.sets(st.integers(0, len(shape) - 1), min_size=1)))
    for keepdims in (False, True):
        assert_allclose(F.prod(x, axes, keepdims).numpy(), np.prod(x, axes, keepdims=keepdims), atol=1e-12)
        check_gradients(F.prod, x, axis=axes, keepdims=keepdims)
    assert_allclose(F.prod(x).numpy(), np.prod(x), atol=1e-12)


def test_the_gradient_of_a_product_with_one_zero_reaches_the_zero_alone() -> None:
    x = md.tensor(np.array([2.0, 0.0, 5.0]), requires_grad=True)
    x.prod().backward()
    assert x.grad is not None
    assert x.grad.tolist() == [0, 10, 0]


@pytest.mark.parametrize("shape", [(0,), (3, 0)])
def test_the_product_of_nothing_is_one_and_its_sums_are_none(shape) -> None:
    x = np.zeros(shape)
    assert F.prod(x, axis=-1).numpy().tolist() == np.prod(x, axis=-1).tolist()
    assert F.cumsum(x, -1).shape == shape
