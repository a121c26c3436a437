"""Pooling against loops, gradients, identities, and what is refused."""

import numpy as np
import oracles
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from strategies import windows

import minidil as md
import minidil.functional as F
from minidil.errors import DtypeError, OptionError, ShapeError
from minidil.testing import check_adjoint, check_gradients


def drawn(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape)


def settings_of(window):
    return {
        "kernel_size": window.kernel,
        "stride": window.stride,
        "padding": window.padding,
        "dilation": window.dilation,
    }


def geometry(window):
    return window.kernel, window.stride, window.padding, window.dilation


@settings(max_examples=30)
@given(windows(pooling=True))
def test_max_pool(backend, window):
    x = drawn(2, 2, *window.size)
    assert_array_equal(F.max_pool(x, **settings_of(window)).numpy(), oracles.max_pool_loops(x, *geometry(window))[0])
    check_gradients(F.max_pool, x, directions=1, **settings_of(window))


@settings(max_examples=30)
@given(windows())
def test_avg_pool(backend, window):
    x = drawn(2, 2, *window.size)
    y = F.avg_pool(x, **settings_of(window))
    assert_allclose(y.numpy(), oracles.avg_pool_loops(x, *geometry(window)), atol=1e-12)
    check_adjoint(lambda x: F.avg_pool(x, **settings_of(window)), x)
    check_gradients(F.avg_pool, x, directions=1, **settings_of(window))


@settings(max_examples=30)
@given(windows(pooling=True))
def test_avg_pool_without_counting_the_padding(backend, window):
    x, options = drawn(2, 2, *window.size), settings_of(window) | {"count_include_pad": False}
    y = F.avg_pool(x, **options)
    assert_allclose(y.numpy(), oracles.avg_pool_loops(x, *geometry(window), count_include_pad=False), atol=1e-12)
    check_adjoint(lambda x: F.avg_pool(x, **options), x)
    assert_allclose(F.avg_pool(np.ones_like(x), **options).numpy(), 1)


@pytest.mark.parametrize("name", ["max_pool", "avg_pool"])
def test_the_stride_defaults_to_the_kernel_size(backend, name):
    x, pool = drawn(2, 3, 7, 9), getattr(F, name)
    assert_array_equal(pool(x, kernel_size=(2, 3)).numpy(), pool(x, kernel_size=(2, 3), stride=(2, 3)).numpy())
    assert pool(x, kernel_size=3).shape == (2, 3, 2, 3)


def test_avg_pool_is_a_depthwise_convolution(backend):
    x, weight = drawn(2, 3, 7, 8), np.full((3, 1, 2, 2), 1 / 4)
    pooled = F.avg_pool(x, kernel_size=2, stride=1, padding=1, dilation=3).numpy()
    assert_allclose(pooled, F.conv(x, weight, padding=1, dilation=3, groups=3).numpy(), atol=1e-12)


def test_of_equal_ones_the_first_gets_the_gradient(backend):
    x = md.tensor(np.array([[[2.0, 2, 2, -0.0, 0.0]]]), requires_grad=True)
    F.max_pool(x, kernel_size=2, stride=1).backward(gradient=np.array([[[1.0, 10, 100, 1000]]]))
    assert_array_equal(x.grad.numpy(), [[[1, 10, 100, 1000, 0]]])


def test_overlapping_windows_add_their_gradients(backend):
    x = md.tensor(np.array([[[0.0, 1, 0, 0]]]), requires_grad=True)
    F.max_pool(x, kernel_size=3, stride=1, padding=1).backward(gradient=np.array([[[1.0, 2, 4, 8]]]))
    assert_array_equal(x.grad.numpy(), [[[0, 7, 8, 0]]])


def test_padding_never_wins_and_never_gets_a_gradient(backend):
    x = md.tensor(np.full((1, 1, 3), -np.inf), requires_grad=True)
    y = F.max_pool(x, kernel_size=2, stride=1, padding=1)
    y.backward(gradient=np.ones(y.shape))
    assert_array_equal(y.numpy(), np.full((1, 1, 4), -np.inf))
    assert_array_equal(x.grad.numpy(), [[[2, 1, 1]]])
    assert (F.max_pool(-np.ones((1, 1, 3, 3)), kernel_size=3, padding=1).numpy() == -1).all()


def test_a_nan_wins(backend):
    y = F.max_pool(np.array([[[1.0, np.nan, 3, 4]]]), kernel_size=2).numpy()
    assert_array_equal(y, [[[np.nan, 4]]])


@pytest.mark.parametrize("name", ["max_pool", "avg_pool"])
def test_empty_batches_and_float32(backend, name):
    pool = getattr(F, name)
    x = md.tensor(np.zeros((0, 3, 4, 4), np.float32), requires_grad=True)
    pool(x, kernel_size=2).sum().backward()
    assert x.grad.shape == (0, 3, 4, 4)
    x = md.tensor(drawn(1, 1, 5).astype(np.float32), requires_grad=True)
    y = pool(x, kernel_size=2, stride=1)
    y.sum().backward()
    assert y.dtype == x.grad.dtype == np.float32


def test_integers(backend):
    x = np.arange(6).reshape(1, 1, 6) - 9
    assert_array_equal(F.max_pool(x, kernel_size=2, padding=1).numpy(), [[[-9, -7, -5, -4]]])
    for name, options in [("avg_pool", {"kernel_size": 2}), ("adaptive_avg_pool", {"output_size": 2})]:
        with pytest.raises(DtypeError, match=f"{name}: x must be floating to hold a mean, not int64; use astype"):
            getattr(F, name)(x, **options)


class TestAdaptive:
    @settings(max_examples=30)
    @given(st.lists(st.tuples(st.integers(1, 8), st.integers(1, 9)), min_size=1, max_size=3))
    def test_against_loops(self, backend, axes):
        size, out = zip(*axes, strict=True)
        x = drawn(2, 2, *size)
        y = F.adaptive_avg_pool(x, output_size=out)
        assert_allclose(y.numpy(), oracles.adaptive_avg_pool_loops(x, out), atol=1e-12)
        check_adjoint(lambda x: F.adaptive_avg_pool(x, output_size=out), x)

    def test_gradients(self, backend):
        check_gradients(F.adaptive_avg_pool, drawn(2, 3, 7, 5), output_size=(3, 2), entries=True)

    def test_to_one_it_is_the_global_mean(self, backend):
        x = drawn(2, 3, 4, 5)
        assert_allclose(F.adaptive_avg_pool(x, output_size=1).numpy(), F.global_avg_pool(x).numpy())
        assert_allclose(F.adaptive_avg_pool(x, output_size=(4, 5)).numpy(), x, atol=1e-12)

    def test_where_it_divides_it_is_plain_pooling(self, backend):
        x = drawn(2, 3, 8, 6)
        pooled = F.avg_pool(x, kernel_size=(2, 3)).numpy()
        assert_allclose(F.adaptive_avg_pool(x, output_size=(4, 2)).numpy(), pooled, atol=1e-12)

    def test_float32(self, backend):
        assert F.adaptive_avg_pool(drawn(2, 3, 7).astype(np.float32), output_size=3).dtype == np.float32

    def test_refused(self, backend):
        with pytest.raises(ShapeError, match=r"adaptive_avg_pool: x must be \(N, C, \*S\) .* not \(2, 3\)"):
            F.adaptive_avg_pool(drawn(2, 3), output_size=1)
        with pytest.raises(ShapeError, match=r"non-empty spatial axes, not \(2, 3, 0\)"):
            F.adaptive_avg_pool(drawn(2, 3, 0), output_size=1)
        with pytest.raises(
            OptionError, match=r"output_size must be an int or 1 ints, one per spatial axis, not \(1, 1\)"
        ):
            F.adaptive_avg_pool(drawn(2, 3, 4), output_size=(1, 1))
        with pytest.raises(OptionError, match="output_size must be made of ints >= 1, not 0"):
            F.adaptive_avg_pool(drawn(2, 3, 4), output_size=0)


@pytest.mark.parametrize("size", [(4,), (4, 5), (2, 3, 4)])
def test_global_avg_pool(backend, size):
    x = drawn(2, 3, *size)
    assert_allclose(F.global_avg_pool(x).numpy(), x.mean(axis=tuple(range(2, x.ndim)), keepdims=True))
    check_adjoint(F.global_avg_pool, x)
    check_gradients(F.global_avg_pool, x)


def test_global_avg_pool_refuses(backend):
    with pytest.raises(ShapeError, match=r"global_avg_pool: x must be .* not \(2, 3\)"):
        F.global_avg_pool(drawn(2, 3))
    with pytest.raises(ShapeError, match="has no elements along axes"):
        F.global_avg_pool(drawn(2, 3, 0))


@pytest.mark.parametrize("name", ["max_pool", "avg_pool"])
class TestRefused:
    def test_ranks(self, backend, name):
        for shape in [(2, 3), (1, 1, 2, 2, 2, 2)]:
            with pytest.raises(ShapeError) as caught:
                getattr(F, name)(drawn(*shape), kernel_size=1)
            assert str(caught.value) == f"{name}: x must be (N, C, *S) with 1 to 3 spatial axes, not {shape}"

    def test_an_overrun(self, backend, name):
        with pytest.raises(ShapeError, match=rf"{name}: the dilated kernel spans 3\*\(3-1\)\+1 = 7 .* pad 2 more"):
            getattr(F, name)(drawn(1, 1, 5), kernel_size=3, dilation=3)

    def test_settings(self, backend, name):
        with pytest.raises(OptionError, match=f"{name}: kernel_size must be made of ints >= 1, not 0"):
            getattr(F, name)(drawn(1, 1, 5), kernel_size=0)
        with pytest.raises(OptionError, match=f"{name}: stride must be made of ints >= 1, not -1"):
            getattr(F, name)(drawn(1, 1, 5), kernel_size=2, stride=-1)
        with pytest.raises(OptionError, match=f"{name}: padding must be"):
            getattr(F, name)(drawn(1, 1, 5), kernel_size=2, padding="reflect")

    def test_a_window_of_nothing_but_padding(self, backend, name):
        options = {"kernel_size": 2, "stride": 1, "padding": ((0, 2),)}
        if name == "avg_pool":
            assert F.avg_pool(np.ones((1, 1, 3)), **options).numpy().ravel().tolist() == [1, 1, 0.5, 0]
            options["count_include_pad"] = False
        with pytest.raises(ShapeError) as caught:
            getattr(F, name)(drawn(1, 1, 3), **options)
        assert str(caught.value) == (
            f"{name}: output (3,) sees nothing but padding (kernel (2,), padding ((0, 2),), dilation (1,) "
            "on an input of (3,)); pad less"
        )
