"""How far Winograd's convolution is from float64: the bound and the comparison that its docstring states, measured."""

import numpy as np
import pytest

from minidil.kernels import cpu, reference
from minidil.kernels.algorithm import conv_algorithm
from minidil.kernels.geometry import Window

MANY = [pytest.param(channels, marks=pytest.mark.slow) for channels in (64, 256)]


def arguments(channels, dilation, dtype, positive=False, seed=0):
    """What the three kernels take, on normal numbers; positive: the images are what a ReLU leaves of them."""
    rng, window = np.random.default_rng(seed), Window.of((15, 14), 3, 1, dilation, dilation)
    x = rng.standard_normal((2 if channels < 100 else 1, channels, *window.size)).astype(dtype)
    weight = rng.standard_normal((channels, channels, 3, 3)).astype(dtype)
    grad = rng.standard_normal((len(x), channels, *window.out)).astype(dtype)
    x = np.maximum(x, 0) if positive else x
    return {"conv_forward": (x, weight), "conv_grad_input": (grad, weight), "conv_grad_weight": (x, grad)}, window


def deviation(name, algorithm, a, b, window):
    with conv_algorithm(algorithm):
        found = getattr(cpu, name)(a, b, window)
    assert found.dtype == a.dtype
    return np.abs(found - getattr(reference, name)(a.astype(np.float64), b.astype(np.float64), window))


@pytest.mark.parametrize("channels", [1, 3, 16, *MANY])
@pytest.mark.parametrize("dilation", [1, 2, 4])
@pytest.mark.parametrize(("dtype", "positive"), [(np.float32, False), (np.float32, True), (np.float64, False)])
def test_the_error_is_bounded_by_the_sums_of_absolute_products(channels, dilation, dtype, positive):
    # |found - exact| <= c eps max(sum of |factor| |factor|), the maximum being taken over all results. Measured, over some
    # hundred draws: c up to 46 with one to three channels and up to 20 with 16 to 256; im2col stays below 2.
    bound = 64 if channels < 16 else 32
    given, window = arguments(channels, dilation, dtype, positive)
    for name, (a, b) in given.items():
        largest = getattr(reference, name)(np.abs(a.astype(np.float64)), np.abs(b.astype(np.float64)), window).max()
        error = deviation(name, "winograd", a, b, window)
        assert error.max() <= bound * np.finfo(dtype).eps * largest, name


@pytest.mark.parametrize("channels", [16, *MANY])
@pytest.mark.parametrize("dilation", [1, 2, 4])
def test_the_error_is_about_ten_times_that_of_im2col(channels, dilation):
    # As a root mean square over all results. Measured: 3 to 13 times.
    given, window = arguments(channels, dilation, np.float32, seed=1)
    for name, (a, b) in given.items():
        typical = {way: np.sqrt(np.mean(deviation(name, way, a, b, window) ** 2)) for way in ("im2col", "winograd")}
        assert typical["winograd"] <= 25 * typical["im2col"], name
