"""The NumPy definition of convolution and pooling, against oracles that share nothing with it."""

import kernel_checks as checks
import numpy as np
import oracles
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from strategies import LAYOUTS, conv_cases, examples, laid_out, tolerance, windows

from minidil.kernels import reference
from minidil.kernels.geometry import Window
from minidil.kernels.reference.conv import col2im, im2col, patches

ORACLES = [oracles.conv_loops, oracles.conv_scipy, oracles.conv_space_to_batch]


@examples(30)
@given(conv_cases(max_work=4000))
def test_forward_equals_the_formula(case):
    checks.forward_equals_the_formula(reference, case)


@pytest.mark.parametrize("oracle", ORACLES[1:])
@given(case=conv_cases())
def test_forward_equals_faster_oracles(oracle, case):
    checks.forward_equals_the_formula(reference, case, oracle)


@examples(30)
@given(conv_cases(max_work=4000))
def test_grad_input_scatters(case):
    checks.grad_input_scatters(reference, case)


@examples(30)
@given(conv_cases(max_work=4000))
def test_grad_weight_correlates(case):
    checks.grad_weight_correlates(reference, case)


@given(conv_cases())
def test_both_gradients_are_adjoints(case):
    checks.gradients_are_adjoints(reference, case)


@pytest.mark.long
@examples(400)
@given(conv_cases(max_work=40000))
def test_everything_on_many_windows(case):
    for oracle in ORACLES:
        checks.forward_equals_the_formula(reference, case, oracle)
    checks.grad_input_scatters(reference, case)
    checks.grad_weight_correlates(reference, case)
    checks.gradients_are_adjoints(reference, case)


@given(conv_cases(max_axes=2, dtypes=(np.float64,)))
def test_the_oracles_agree_with_each_other(case):
    results = [oracle(case.x, case.weight, case.bias, *case.geometry, case.groups) for oracle in ORACLES[1:]]
    assert_allclose(*results, rtol=1e-9, atol=1e-9)


@given(conv_cases(dtypes=(np.float64,)))
def test_im2col_and_col2im_are_adjoint(case):
    cols = im2col(case.x, case.window)
    n, c = case.x.shape[:2]
    assert cols.shape == (n, c * case.window.taps, np.prod(case.window.out))
    other = np.random.default_rng(1).standard_normal(cols.shape)
    back = col2im(other, c, case.window)
    assert back.shape == case.x.shape
    assert_allclose(np.vdot(cols, other), np.vdot(case.x, back), rtol=1e-10, atol=1e-9)


def test_im2col_by_hand():
    x = np.arange(5.0).reshape(1, 1, 5)
    window = Window.of((5,), 2, 1, ((1, 0),), 3)  # taps at 0 and 3 of [0, 0 1 2 3 4]
    assert_array_equal(im2col(x, window), [[[0, 0, 1], [2, 3, 4]]])
    assert_array_equal(col2im(np.array([[[1.0, 2, 3], [4, 5, 6]]]), 1, window), [[[2, 3, 4, 5, 6]]])


def test_overlapping_columns_add_up():
    window = Window.of((3,), 2)
    assert_array_equal(col2im(np.ones((1, 2, 2)), 1, window), [[[1, 2, 1]]])


def test_patches_cannot_be_written_into():
    with pytest.raises(ValueError, match="read-only"):
        patches(np.zeros((1, 1, 4)), Window.of((4,), 2))[:] = 1


def test_the_kernel_is_not_flipped():
    x = np.zeros((1, 1, 5))
    x[0, 0, 2] = 1
    y = reference.conv_forward(x, np.array([[[1.0, 2, 3]]]), Window.of((5,), 3, padding=1))
    assert_array_equal(y, [[[0, 3, 2, 1, 0]]])


def test_an_input_of_nothing_but_padding():
    x, weight, bias = np.zeros((2, 1, 0)), np.ones((3, 1, 2)), np.array([1.0, 2, 3])
    window = Window.of((0,), 2, padding=1)
    assert_array_equal(reference.conv_forward(x, weight, window, 1, bias)[0, :, 0], bias)
    assert reference.conv_grad_input(np.ones((2, 3, 1)), weight, window).shape == (2, 1, 0)
    assert_array_equal(reference.conv_grad_weight(x, np.ones((2, 3, 1)), window), np.zeros((3, 1, 2)))


def test_four_spatial_axes():
    rng = np.random.default_rng(0)
    window = Window.of((3, 2, 4, 3), (2, 1, 2, 2), 1, 0, (2, 1, 3, 1))
    x, weight = rng.standard_normal((2, 1, *window.size)), rng.standard_normal((2, 1, *window.kernel))
    expected = oracles.conv_loops(x, weight, None, window.stride, window.padding, window.dilation, 1)
    assert_allclose(reference.conv_forward(x, weight, window), expected)


def drawn(window, layout, dtype=np.float64, shape=(2, 3), seed=0, levels=None):
    """An input for a pooling window; with few levels there are many ties."""
    values = np.random.default_rng(seed).standard_normal((*shape, *window.size))
    return laid_out((values if levels is None else np.round(values * levels)).astype(dtype), layout)


@examples(30)
@given(windows(pooling=True), st.sampled_from(LAYOUTS), st.sampled_from([None, 1]))
def test_max_pool(window, layout, levels):
    x = drawn(window, layout, levels=levels)
    grad = np.random.default_rng(1).standard_normal((2, 3, *window.out))
    checks.max_pool_finds_the_first_largest(reference, x, window)
    checks.max_pool_grad_goes_to_the_winner(reference, x, window, grad)


@examples(30)
@given(windows(), st.sampled_from(LAYOUTS))
def test_window_sum_and_spread(window, layout):
    x, grad = drawn(window, layout), np.random.default_rng(1).standard_normal((2, 3, *window.out))
    checks.window_sum_adds_the_taps(reference, x, window)
    checks.window_spread_is_the_adjoint(reference, x, window, grad)


@examples(30)
@given(windows(max_axes=2, pooling=True), st.integers(0, 99))
def test_max_pool_of_nan_and_infinity(window, seed):
    x = np.random.default_rng(seed).choice([np.nan, np.inf, -np.inf, -np.inf, 0.0, -0.0], (2, 3, *window.size))
    grad = np.random.default_rng(1).standard_normal((2, 3, *window.out))
    checks.max_pool_finds_the_first_largest(reference, x, window)
    checks.max_pool_grad_goes_to_the_winner(reference, x, window, grad)


def test_max_pool_of_integers():
    window = Window.of((4,), 2, 2, 1)
    y, _ = reference.max_pool(np.array([[[-5, -7, -2, -9]]]), window)
    assert_array_equal(y, [[[-5, -2, -9]]])


def test_float32_stays_float32():
    window = Window.of((5,), 3, 1, 1)
    x, weight, grad = (np.ones(shape, np.float32) for shape in [(2, 1, 5), (1, 1, 3), (2, 1, 5)])
    results = [
        reference.conv_forward(x, weight, window, 1, np.ones(1, np.float32)),
        reference.conv_grad_input(grad, weight, window),
        reference.conv_grad_weight(x, grad, window),
        reference.max_pool(x, window)[0],
        reference.max_pool_grad(grad, np.ones((2, 1, 5), np.int32), window),
        reference.window_sum(x, window),
        reference.window_spread(grad, window),
    ]
    assert {array.dtype for array in results} == {np.dtype(np.float32)}
    assert tolerance(np.float32)["rtol"] < 1e-4
