"""What is infinite, not a number or out of proportion changes the results whose window sees it, and no others, on every way."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from minidil.kernels import cpu, reference
from minidil.kernels.algorithm import conv_algorithm
from minidil.kernels.cpu import im2col, scale
from minidil.kernels.geometry import Window

WINDOWS = {
    "winograd": Window.of((12, 12), 3, 1, 1, 1),
    "uneven": Window.of((11, 13), 3, 1, 2, 2),
    "no padding": Window.of((12, 14), 3, 1, 0, 1),
    "wide": Window.of((14, 10), 3, 1, ((3, 0), (1, 4)), 1),
    "two by two": Window.of((8, 8), 3, 1, 4, 4),
    "volume": Window.of((3, 8, 8), 3, 1, 1, 1),
}
NAMES = ("conv_forward", "conv_grad_input", "conv_grad_weight")


def factors(name, window, dtype, seed=0):
    rng = np.random.default_rng(seed)
    x, grad = (rng.standard_normal((2, 16, *size)).astype(dtype) for size in (window.size, window.out))
    weight = rng.standard_normal((16, 16, *window.kernel)).astype(dtype)
    return {"conv_forward": [x, weight], "conv_grad_input": [grad, weight], "conv_grad_weight": [x, grad]}[name]


def wanted(name, a, b, window):
    """By the definition: the windows that see a number decide what becomes of it."""
    with np.errstate(all="ignore"):
        return getattr(reference, name)(a.astype(np.float64), b.astype(np.float64), window)


@pytest.mark.parametrize("way", ["auto", "winograd", "im2col"])
@pytest.mark.parametrize("kind", WINDOWS)
@pytest.mark.parametrize("name", NAMES)
def test_one_number_that_is_not_finite(name, kind, way):
    window = WINDOWS[kind]
    if way == "winograd" and kind == "volume":
        pytest.skip("forced, it is for planes")
    rng = np.random.default_rng(1)
    for which in (0, 1):
        for value in (np.nan, np.inf, -np.inf):
            for _ in range(3):
                pair = factors(name, window, np.float32)
                pair[which][tuple(rng.integers(0, n) for n in pair[which].shape)] = value
                with conv_algorithm(way), np.errstate(all="ignore"):
                    found = getattr(cpu, name)(*pair, window)
                expected = wanted(name, *pair, window)
                assert_array_equal(np.isnan(found), np.isnan(expected))
                assert_array_equal(np.isinf(found) * np.sign(found), np.isinf(expected) * np.sign(expected))
                finite = np.isfinite(expected)
                assert_allclose(found[finite], expected[finite], rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize("kind", ["winograd", "uneven", "no padding", "wide"])
@pytest.mark.parametrize("place", ["corner", "edge", "middle", "end"])
def test_every_position_is_watched(kind, place):
    window = WINDOWS[kind]
    x, weight = factors("conv_forward", window, np.float32)
    h, w = window.size
    x[(1, 3, *{"corner": (0, 0), "edge": (0, w // 2), "middle": (h // 2, w // 2), "end": (h - 1, w - 1)}[place])] = (
        np.nan
    )
    with conv_algorithm("winograd"):
        found = cpu.conv_forward(x, weight, window)
    assert_array_equal(np.isnan(found), np.isnan(wanted("conv_forward", x, weight, window)))


@pytest.mark.parametrize("kind", ["winograd", "uneven", "no padding", "volume"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("channels", [1, 16])
@pytest.mark.parametrize("size", [1e6, 1e15, 1e30])
def test_one_pixel_out_of_proportion_hurts_no_other_output(kind, dtype, channels, size):
    window = WINDOWS[kind]
    for name in ("conv_forward", "conv_grad_input"):
        pair = factors(name, window, dtype)
        middle = tuple(n // 2 for n in pair[0].shape[2:])
        pair[0][(0, slice(0, channels), *middle)] = size
        plain = pair[0].copy()
        plain[(0, slice(0, channels), *middle)] = 0
        found = getattr(cpu, name)(*pair, window)
        expected = wanted(name, plain, pair[1], window)
        unseen = wanted(name, (pair[0] != plain).astype(float), np.ones_like(pair[1]), window) == 0
        assert 0 < np.count_nonzero(unseen) < unseen.size
        assert_allclose(found[unseen], expected[unseen], rtol=0, atol=1e-3 if dtype == np.float32 else 1e-11)


def test_finite_numbers_do_not_overflow():
    window = WINDOWS["winograd"]
    for name in NAMES:
        a, b = factors(name, window, np.float32)
        a *= np.float32(1e36) / np.abs(a).max()
        b *= np.float32(1e-2)
        found = getattr(cpu, name)(a, b, window)
        assert_allclose(found, wanted(name, a, b, window), rtol=1e-3, atol=1e32)


def test_ordinary_and_sparse_numbers_take_the_fast_way(monkeypatch):
    for name in NAMES:
        monkeypatch.setattr(im2col, name, lambda *_: pytest.fail("the slow way"))
    rng = np.random.default_rng(0)
    for kind in ("winograd", "uneven", "two by two", "volume"):
        window = WINDOWS[kind]
        for name in NAMES:
            a, b = factors(name, window, np.float32)
            for scaled in (a, np.maximum(a, 0), a * (rng.random(a.shape) < 0.01), 0 * a, np.float32(1e-12) * a):
                getattr(cpu, name)(scaled, b, window)


def test_what_a_scan_finds():
    found = np.zeros((2, 3), np.int64)
    scale.scan(np.float32([[1, 0, -8], [2, 2, 0], [0, 0, 0], [np.inf, 0, 0]]), found, 0, 2, 2)
    assert_array_equal(found, [[130, 127 + 130 + 128 + 128, 4], [255, 255, 1]])
    assert scale.fits(np.float32, 1, found[:1])
    assert not scale.fits(np.float32, 1, found)
    assert not scale.fits(np.float32, 2, found)
    assert scale.fits(np.float32, 0, found[:0])
