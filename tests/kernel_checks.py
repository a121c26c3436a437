"""What every backend's kernels must do, each check by its name. `kernels` is a module or a namespace of kernels.

The mutation tests show that these checks notice mistakes; the tests of each backend show that it makes none.
"""

from contextlib import contextmanager

import numpy as np
import oracles
from numpy.testing import assert_allclose, assert_array_equal
from strategies import tolerance

from minidil.kernels import threads


@contextmanager
def using_threads(count):
    """Run the kernels on `count` threads inside this block."""
    before = threads._chosen
    threads.set_num_threads(count)
    try:
        yield
    finally:
        threads._chosen = before


def forward_equals_the_formula(kernels, case, oracle=oracles.conv_loops):
    """conv_forward is the convolution that the formula spells out."""
    y = kernels.conv_forward(case.x, case.weight, case.window, case.groups, case.bias)
    expected = oracle(case.x, case.weight, case.bias, *case.geometry, case.groups)
    assert y.dtype == case.x.dtype
    assert y.shape == expected.shape
    assert_allclose(y, expected, **_tolerance(case))


def grad_input_scatters(kernels, case, oracle=oracles.conv_transpose_loops):
    """conv_grad_input hands every output's gradient back to the places it was computed from."""
    dx = kernels.conv_grad_input(case.grad, case.weight, case.window, case.groups)
    assert dx.dtype == case.x.dtype
    assert dx.shape == case.x.shape
    expected = oracle(case.grad, case.weight, case.window.size, *case.geometry, case.groups)
    assert_allclose(dx, expected, **_tolerance(case))


def grad_weight_correlates(kernels, case, oracle=oracles.conv_weight_loops):
    """conv_grad_weight sums input times gradient over images and positions, tap by tap."""
    dw = kernels.conv_grad_weight(case.x, case.grad, case.window, case.groups)
    assert dw.dtype == case.x.dtype
    assert dw.shape == case.weight.shape
    assert_allclose(dw, oracle(case.x, case.grad, case.window.kernel, *case.geometry, case.groups), **_tolerance(case))


def gradients_are_adjoints(kernels, case):
    """<conv(x, w), G> = <x, grad_input(G, w)> = <w, grad_weight(x, G)>, which needs no oracle and no step size."""
    y = kernels.conv_forward(case.x, case.weight, case.window, case.groups)
    dx = kernels.conv_grad_input(case.grad, case.weight, case.window, case.groups)
    dw = kernels.conv_grad_weight(case.x, case.grad, case.window, case.groups)
    scale = float(np.linalg.norm(y) * np.linalg.norm(case.grad)) + 1
    allowed = scale * 200 * np.finfo(case.x.dtype).eps
    left = np.vdot(*_as_float64(y, case.grad))
    assert abs(left - np.vdot(*_as_float64(case.x, dx))) <= allowed
    assert abs(left - np.vdot(*_as_float64(case.weight, dw))) <= allowed


def max_pool_finds_the_first_largest(kernels, x, window):
    """max_pool: the values exactly, and the tap that won; nothing beats a NaN, and padding never wins."""
    y, winner = kernels.max_pool(x, window)
    expected, first = oracles.max_pool_loops(x, window.kernel, window.stride, window.padding, window.dilation)
    assert y.dtype == x.dtype
    assert_array_equal(y, expected)
    assert_array_equal(winner, first)


def max_pool_grad_goes_to_the_winner(kernels, x, window, grad):
    """max_pool_grad: every output's gradient arrives where its value came from, added up where windows overlap."""
    _, winner = kernels.max_pool(x, window)
    dx = kernels.max_pool_grad(grad, winner, window)
    geometry = window.kernel, window.stride, window.padding, window.dilation
    _, first = oracles.max_pool_loops(x, *geometry)
    assert dx.dtype == grad.dtype
    assert dx.shape == x.shape
    expected = oracles.max_pool_grad_loops(np.asarray(grad, np.float64), first, window.size, *geometry)
    assert_allclose(dx, expected, **tolerance(grad.dtype, window.taps))


def window_sum_adds_the_taps(kernels, x, window):
    """window_sum is the average times the number of taps."""
    geometry = window.kernel, window.stride, window.padding, window.dilation
    expected = oracles.avg_pool_loops(x, *geometry) * window.taps
    assert_allclose(kernels.window_sum(x, window), expected, **tolerance(x.dtype, window.taps))


def window_spread_is_the_adjoint(kernels, x, window, grad):
    """<window_sum(x), G> = <x, window_spread(G)>."""
    spread = kernels.window_spread(grad, window)
    assert spread.shape == x.shape
    left, right = np.vdot(*_as_float64(kernels.window_sum(x, window), grad)), np.vdot(*_as_float64(x, spread))
    assert abs(left - right) <= 200 * np.finfo(x.dtype).eps * (window.taps * x.size + 1)


def _as_float64(*arrays):
    return [np.asarray(array, np.float64) for array in arrays]


def _tolerance(case):
    terms = case.window.taps * max(case.x.shape[:2] + case.grad.shape)
    return tolerance(case.x.dtype, terms)
