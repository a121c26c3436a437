"""What is infinite or not a number changes the results whose window sees it, and no others, on every way; so does what is out of
proportion in a forward pass, and in a gradient it moves others by rounding alone."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from minidil.kernels import cpu, reference
from minidil.kernels.algorithm import conv_algorithm
from minidil.kernels.cpu import im2col, scale, winograd
from minidil.kernels.geometry import Window
from minidil.ops.conv import conv, conv_transpose

WINDOWS = {
    "winograd": Window.of((12, 12), 3, 1, 1, 1),
    "uneven": Window.of((11, 13), 3, 1, 2, 2),
    "no padding": Window.of((12, 14), 3, 1, 0, 1),
    "wide": Window.of((14, 10), 3, 1, ((3, 0), (1, 4)), 1),
    "two by two": Window.of((8, 8), 3, 1, 4, 4),
    "volume": Window.of((3, 8, 8), 3, 1, 1, 1),
}
NAMES = ("conv_forward", "conv_grad_input", "conv_grad_weight")
FORWARD = {"conv_forward": {}, "conv_grad_input": {"forward": True}}


def factors(name, window, dtype, seed=0):
    rng = np.random.default_rng(seed)
    x, grad = (rng.standard_normal((2, 16, *size)).astype(dtype) for size in (window.size, window.out))
    weight = rng.standard_normal((16, 16, *window.kernel)).astype(dtype)
    return {"conv_forward": [x, weight], "conv_grad_input": [grad, weight], "conv_grad_weight": [x, grad]}[name]


def wanted(name, a, b, window):
    """By the definition: the windows that see a number decide what becomes of it."""
    with np.errstate(all="ignore"):
        return getattr(reference, name)(a.astype(np.float64), b.astype(np.float64), window)


@pytest.mark.slow
@pytest.mark.parametrize("way", ["auto", "winograd", "im2col", "direct"])
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
    for name, options in FORWARD.items():
        pair = factors(name, window, dtype)
        middle = tuple(n // 2 for n in pair[0].shape[2:])
        pair[0][(0, slice(0, channels), *middle)] = size
        plain = pair[0].copy()
        plain[(0, slice(0, channels), *middle)] = 0
        found = getattr(cpu, name)(*pair, window, **options)
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
                with conv_algorithm("auto" if kind == "two by two" else "winograd"):
                    getattr(cpu, name)(scaled, b, window)


@pytest.mark.slow
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
    for name, options in FORWARD.items():
        a, b = factors(name, window, np.float32)
        a[0, :, 4, 4:6] = [1e6, -1e6]
        expected = getattr(im2col, name)(a[:1], b, window)
        assert_array_equal(getattr(winograd, name)(a, b, window, **options)[:1], expected)


def test_outliers_of_both_factors_of_a_weight_gradient_are_noticed():
    # In a tile and too far apart to meet: nobody multiplies them, but the error would be in proportion to their product.
    window, (x, grad) = WINDOWS["winograd"], factors("conv_grad_weight", WINDOWS["winograd"], np.float32)
    for c, h, w in [(5, 0, 0), (2, 4, 8), (0, 8, 8)]:
        x[(0, c, h, w)], grad[(0, c, h + 3, w + 3)] = 1e5, 1e5
        assert_array_equal(winograd.conv_grad_weight(x, grad, window), im2col.conv_grad_weight(x, grad, window))
        x[(0, c, h, w)], grad[(0, c, h + 3, w + 3)] = 1, 1
    # Of different images they are multiplied by what is in proportion.
    x[0, 5, 0, 0], grad[1, 5, 3, 3] = 1e5, 1e5
    assert np.any(winograd.conv_grad_weight(x, grad, window) != im2col.conv_grad_weight(x, grad, window))


@pytest.mark.parametrize("size", [1e3, 1e6, 1e12])
@pytest.mark.parametrize("kind", ["winograd", "uneven", "volume"])
def test_an_outlier_of_one_factor_of_a_weight_gradient_changes_its_filters_by_rounding(kind, size, monkeypatch):
    monkeypatch.setattr(im2col, "conv_grad_weight", lambda *_: pytest.fail("the slow way"))
    window = WINDOWS[kind]
    for which in (0, 1):
        pair = factors("conv_grad_weight", window, np.float32)
        pair[which][(1, 5, *(n // 2 for n in pair[which].shape[2:]))] = size
        found, exact = winograd.conv_grad_weight(*pair, window), wanted("conv_grad_weight", *pair, window)
        taps = tuple(range(2, exact.ndim))
        # Of each filter of each channel: those that have nothing to do with the outlier are far smaller.
        assert np.all(np.linalg.norm(found - exact, axis=taps[-2:]) <= 2e-5 * np.linalg.norm(exact, axis=taps[-2:]))
        untouched = np.delete(found - exact, 5, axis=1 - which)
        assert np.abs(untouched).max() < 1e-3


@pytest.mark.parametrize("size", [1e3, 1e6, 1e12])
@pytest.mark.parametrize("kind", ["winograd", "uneven", "no padding", "wide", "volume"])
def test_an_outlier_of_a_gradient_changes_its_tiles_by_rounding_and_no_others(kind, size, monkeypatch):
    monkeypatch.setattr(im2col, "conv_grad_input", lambda *_: pytest.fail("the slow way"))
    window = WINDOWS[kind]
    grad, weight = factors("conv_grad_input", window, np.float32)
    place = (0, 3, *(n // 2 for n in window.out))
    before = winograd.conv_grad_input(grad, weight, window)
    grad[place] = size
    found, exact = winograd.conv_grad_input(grad, weight, window), wanted("conv_grad_input", grad, weight, window)
    assert np.linalg.norm(found[0] - exact[0]) <= 5e-6 * np.linalg.norm(exact[0])
    rows, columns = (found != before).any(axis=(1, *range(2, found.ndim - 2)))[0].nonzero()
    assert_array_equal(found[1], before[1])
    # Two tiles of each axis see it, or one, of 4 places that are `dilation` apart.
    assert len(np.unique(rows)) <= 8
    assert len(np.unique(columns)) <= 8


def test_a_transposed_convolution_watches_its_forward_pass_and_a_convolution_lets_its_gradient_be(monkeypatch):
    x, weight = factors("conv_forward", WINDOWS["winograd"], np.float32)
    grad = x.copy()
    grad[0, 3, 6, 6] = 1e6
    with conv_algorithm("winograd"):
        _, (grad_x, _, _) = conv(x, weight, padding=1)
        fast = grad_x(grad)
        found, _ = conv_transpose(grad, weight, padding=1)
    assert_array_equal(fast, winograd.conv_grad_input(grad, weight, WINDOWS["winograd"]))
    assert_array_equal(found[:1], im2col.conv_grad_input(grad[:1], weight, WINDOWS["winograd"]))
    assert_array_equal(found[1], fast[1])
    assert np.any(found[0] != fast[0])


@pytest.mark.slow
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


def through_max_pooling(shape, rng, positions):
    """What a convolution gets back from batch norm and global max pooling: everything at one place of each channel of an image,
    and, so that its mean is 0 over the batch, the opposite spread over all its `positions`."""
    pooled = rng.standard_normal(shape[:2])
    grad = rng.standard_normal(shape) * np.abs(pooled).mean() / positions
    np.put_along_axis(
        grad.reshape(*shape[:2], -1), rng.integers(0, np.prod(shape[2:]), (*shape[:2], 1)), pooled[..., None], 2
    )
    return grad.astype(np.float32)


@pytest.mark.parametrize("positions", [2**10, 2**18, 2**26])
def test_gradients_through_max_pooling_take_the_fast_way(positions, monkeypatch):
    # However few places have it, and however large the batch: with what is exact except for rounding.
    for name in ("conv_grad_input", "conv_grad_weight"):
        monkeypatch.setattr(im2col, name, lambda *_: pytest.fail("the slow way"))
    rng, window = np.random.default_rng(0), Window.of((16, 16), 3, 1, 2, 2)
    x, weight = rng.standard_normal((4, 64, 16, 16)), rng.standard_normal((64, 64, 3, 3)).astype(np.float32)
    x, grad = np.maximum(x, 0).astype(np.float32), through_max_pooling(x.shape, rng, positions)
    for name, a, b in [("conv_grad_input", grad, weight), ("conv_grad_weight", x, grad)]:
        error = getattr(winograd, name)(a, b, window) - (exact := wanted(name, a, b, window))
        norms = [
            np.linalg.norm(part.reshape(len(part), -1), axis=1) for part in (error, exact)
        ]  # of each image, or filter
        assert np.all(norms[0] <= 2e-5 * norms[1]), name


def test_what_is_noted():
    noted = scale.notes(3, np.float32)
    for r, line in enumerate(np.float32([[1, 0, -8, 0], [0, 0, 0, 0], [np.inf, 0, 0, 0]])):
        scale.note_largest(line, noted, r)
    scale.note_typical(np.float32([[1, -3, 0], [0, 0, 0], [16, 16, 16]]), noted, 0)
    assert_array_equal(noted.view(np.float32)[:, 0], [8, 0, np.inf])
    assert_array_equal(noted[:, 1:], [[2 + 5, 2], [0, 0], [0, 0]])  # 2 = 2^2 / 2, 16 = 2^5 / 2
    assert_array_equal(scale.faults(noted, 3, 0), [0, 0, scale.ENDLESS])
    assert_array_equal(scale.faults(noted, 1, 0), [scale.ENDLESS])
    assert_array_equal(scale.faults(noted[:2], 1, 8), [scale.OUTLYING])
    assert_array_equal(scale.faults(noted[:0], 0, 0), [])
    assert_array_equal(scale.unfit(noted, 3, 0, scale.OUTLYING), [2])
    assert_array_equal(scale.unfit(noted[:2], 1, 8, scale.ENDLESS), [])
    assert_array_equal(scale.unfit(noted[:0], 0, 0, scale.OUTLYING), [])


def test_the_edge_of_what_is_let_pass():
    for dtype, largest in [(np.float32, 2.0**48), (np.float64, 2.0**496)]:
        for top, typical, fault in [
            (2.0**scale.SPREAD, 1, 0),
            (2 * 2.0**scale.SPREAD, 1, scale.OUTLYING),
            (largest / 4, largest / 4, 0),
            (2 * largest, 2 * largest, scale.ENDLESS),
            (np.nan, 1, scale.ENDLESS),
            (1, 0, scale.OUTLYING),
            (0, 0, 0),
        ]:
            noted = scale.notes(1, dtype)
            scale.note_largest(np.array([top], dtype), noted, 0)
            scale.note_typical(np.array([[typical]], dtype), noted, 0)
            assert_array_equal(scale.faults(noted, 1, 0), [fault], err_msg=f"{dtype}, {top}, {typical}")
            assert scale.finite(np.array([[top, typical]], dtype)) == (top <= largest)
