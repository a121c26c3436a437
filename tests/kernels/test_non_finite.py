"""What is infinite, not a number or out of proportion changes the results whose window sees it, and no others, on every way."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from minidil.kernels import cpu, reference
from minidil.kernels.algorithm import conv_algorithm
from minidil.kernels.cpu import im2col, scale, winograd
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


@pytest.mark.parametrize("kind", ["winograd", "uneven", "no padding", "wide", "volume"])
def test_an_outlier_is_noticed_wherever_it_lies(kind):
    # And its image alone goes another way: the other keeps its bits.
    window = WINDOWS[kind]
    x, weight = factors("conv_forward", window, np.float32)
    fast, ones = winograd.conv_forward(x, weight, window), np.ones((1, 16, *window.out))
    seen = wanted("conv_grad_input", ones, np.ones_like(weight), window)[0, 0] != 0
    for position in np.ndindex(window.size):
        spoilt = x.copy()
        spoilt[(0, 3, *position)] = 1000
        found = winograd.conv_forward(spoilt, weight, window)
        if seen[position]:
            assert_array_equal(found[:1], im2col.conv_forward(spoilt[:1], weight, window))
        assert_array_equal(found[1:], fast[1:])


def test_outliers_that_cancel_are_noticed():
    # In the sums that a tile is mixed to.
    window = WINDOWS["winograd"]
    for name in ("conv_forward", "conv_grad_input"):
        a, b = factors(name, window, np.float32)
        a[0, :, 4, 4:6] = [1e6, -1e6]
        expected = getattr(im2col, name)(a[:1], b, window)
        assert_array_equal(getattr(winograd, name)(a, b, window)[:1], expected)


def test_an_outlier_of_a_weight_gradient_is_noticed():
    window = WINDOWS["winograd"]
    for which in (0, 1):
        pair = factors("conv_grad_weight", window, np.float32)
        for position in [(1, 5, 0, 0), (0, 2, 6, 7), (1, 0, 11, 11)]:
            spoilt = [a.copy() for a in pair]
            spoilt[which][position] = 1000
            assert_array_equal(
                winograd.conv_grad_weight(*spoilt, window),
                im2col.conv_grad_weight(*spoilt, window),
                err_msg=f"{position}",
            )


@pytest.mark.parametrize("channels", [1, 16, 64])
def test_what_is_let_pass_moves_other_outputs_by_a_thousandth_at_most(channels, monkeypatch):
    # Of their root mean square; and a larger outlier goes by im2col. The sizes are 1 to 2^12 times the deviation of the others.
    window, rng, ways = WINDOWS["winograd"], np.random.default_rng(0), {}
    monkeypatch.setattr(im2col, "conv_forward", lambda x, *_: ways.setdefault("slow", np.zeros((len(x), 16, 12, 12))))
    for size in np.exp2(np.arange(13)):
        for everywhere in (False, True):
            ways.clear()
            x = rng.standard_normal((1, channels, 12, 12)).astype(np.float32)
            weight = rng.standard_normal((16, channels, 3, 3)).astype(np.float32)
            x[0, : channels if everywhere else 1, 6, 5] = size
            found, expected = winograd.conv_forward(x, weight, window), wanted("conv_forward", x, weight, window)
            if size not in (128, 256):
                assert ("slow" in ways) == (size > 256)
            if "slow" not in ways:
                far = np.ones((12, 12), bool)
                far[5:8, 4:7] = False
                error, typical = np.abs(found - expected)[0, :, far], np.sqrt(np.mean(expected[0, :, far] ** 2))
                assert error.max() <= 1e-3 * typical


def test_a_gradient_like_those_of_training_takes_the_fast_way(monkeypatch):
    # One number in eight is what max pooling and ReLU let pass, the others what batch norm spreads of it; half of the channels
    # and half of the image have much less.
    monkeypatch.setattr(im2col, "conv_grad_input", lambda *_: pytest.fail("the slow way"))
    rng, window = np.random.default_rng(0), Window.of((16, 16), 3, 1, 2, 2)
    grad, weight = rng.standard_normal((2, 4, 64, 16, 16)), rng.standard_normal((64, 64, 3, 3)).astype(np.float32)
    mixed = np.where(rng.random(grad[0].shape) < 1 / 8, grad[0], 2.0**-12 * grad[1])
    mixed[:, ::2] *= 2.0**-6
    mixed[:, :, :8] *= 2.0**-3
    winograd.conv_grad_input(mixed.astype(np.float32), weight, window)


def test_what_is_noted():
    noted = scale.notes(3, np.float32)
    for r, line in enumerate(np.float32([[1, 0, -8, 0], [0, 0, 0, 0], [np.inf, 0, 0, 0]])):
        scale.note_largest(line, noted, r)
    scale.note_typical(np.float32([[1, -3, 0], [0, 0, 0], [16, 16, 16]]), noted, 0)
    assert_array_equal(noted.view(np.float32)[:, 0], [8, 0, np.inf])
    assert_array_equal(noted[:, 1:], [[2 + 5, 2], [0, 0], [0, 0]])  # 2 = 2^2 / 2, 16 = 2^5 / 2
    assert_array_equal(scale.unfit(noted, 3, 0), [2])
    assert_array_equal(scale.unfit(noted, 1, 0), [0])
    assert_array_equal(scale.unfit(noted[:0], 0, 0), [])


def test_the_edge_of_what_is_let_pass():
    for dtype, largest in [(np.float32, 2.0**48), (np.float64, 2.0**496)]:
        for top, typical, fit in [
            (2.0**scale.SPREAD, 1, True),
            (2 * 2.0**scale.SPREAD, 1, False),
            (largest / 4, largest / 4, True),
            (2 * largest, 2 * largest, False),
            (np.nan, 1, False),
            (1, 0, False),
            (0, 0, True),
        ]:
            noted = scale.notes(1, dtype)
            scale.note_largest(np.array([top], dtype), noted, 0)
            scale.note_typical(np.array([[typical]], dtype), noted, 0)
            assert (len(scale.unfit(noted, 1, 0)) == 0) == fit, (dtype, top, typical)
            assert scale.finite(np.array([[top, typical]], dtype)) == (top <= largest)
