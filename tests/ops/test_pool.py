"""Pooling against loops, gradients, identities, and what is refused."""

import numpy as np
import oracles
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from strategies import examples, windows

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


@examples(30)
@given(windows(pooling=True))
def test_max_pool(backend, window):
    x = drawn(2, 2, *window.size)
    assert_array_equal(F.max_pool(x, **settings_of(window)).numpy(), oracles.max_pool_loops(x, *geometry(window))[0])
    check_gradients(F.max_pool, x, directions=1, **settings_of(window))


@examples(30)
@given(windows())
def test_avg_pool(backend, window):
    x = drawn(2, 2, *window.size)
    y = F.avg_pool(x, **settings_of(window))
    assert_allclose(y.numpy(), oracles.avg_pool_loops(x, *geometry(window)), atol=1e-12)
    check_adjoint(lambda x: F.avg_pool(x, **settings_of(window)), x)
    check_gradients(F.avg_pool, x, directions=1, **settings_of(window))


@examples(30)
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
    @examples(30)
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
        with pytest.raises(ShapeError, match=r"adaptive_avg_pool: x must be \(N, C, \*S\) .* not \(3,\)"):
            F.adaptive_avg_pool(drawn(3), output_size=1)
        with pytest.raises(ShapeError, match=r"non-empty spatial axes, not \(2, 3, 0\)"):
            F.adaptive_avg_pool(drawn(2, 3, 0), output_size=1)
        with pytest.raises(
            OptionError, match=r"output_size must be an int or 1 ints, one per spatial axis, not \(1, 1, 1\)"
        ):
            F.adaptive_avg_pool(drawn(2, 3, 4), output_size=(1, 1, 1))
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


@st.composite
def ceil_windows(draw):
    """Windows that need not fit, with paddings that leave every window some of the input."""
    window = draw(windows(max_axes=2))
    less = tuple(min(p[0], (s - 1) // 2) for p, s in zip(window.padding, window.span, strict=True))
    size = tuple(n + draw(st.integers(0, 2)) for n in window.size)
    return size, window.kernel, window.stride, tuple((p, p) for p in less), window.dilation


class TestCeilMode:
    @pytest.mark.slow
    @examples(60)
    @given(ceil_windows())
    def test_against_loops_over_the_windows(self, backend, case):
        size, kernel, stride, padding, dilation = case
        options = {"kernel_size": kernel, "stride": stride, "padding": padding, "dilation": dilation, "ceil_mode": True}
        x = drawn(2, 2, *size)
        counts = []
        for n, k, t, (before, after), d in zip(size, kernel, stride, padding, dilation, strict=True):
            starts, start = 1, 0
            while start + (k - 1) * d + 1 < n + before + after and start + t < n + before:
                start, starts = start + t, starts + 1
            counts.append(starts)
        spans = [(k - 1) * d + 1 for k, d in zip(kernel, dilation, strict=True)]
        if any(n + sum(p) + t <= s for n, p, t, s in zip(size, padding, stride, spans, strict=True)):
            with pytest.raises(ShapeError, match="max_pool: the dilated kernel spans"):  # rounded up, still no window
                F.max_pool(x, **options)
            return
        largest, mean = np.empty((2, 2, *counts)), np.empty((2, 2, *counts))
        for o in np.ndindex(*counts):
            inner, counted = [], 0
            for tap in np.ndindex(*kernel):
                place = oracles.tap_positions(o, tap, stride, padding, dilation)
                counted += all(p < n + after for p, n, (_, after) in zip(place, size, padding, strict=True))
                if oracles.inside(place, size):
                    inner.append(x[(slice(None), slice(None), *place)])
            if not inner:  # a dilated window whose taps all miss the input
                with pytest.raises(ShapeError, match="sees nothing but padding"):
                    F.max_pool(x, **options)
                return
            largest[(slice(None), slice(None), *o)] = np.max(inner, axis=0)
            mean[(slice(None), slice(None), *o)] = np.sum(inner, axis=0) / counted
        assert_array_equal(F.max_pool(x, **options).numpy(), largest)
        assert_allclose(F.avg_pool(x, **options).numpy(), mean, atol=1e-12)
        check_gradients(F.max_pool, x, directions=1, **options)
        check_adjoint(lambda x: F.avg_pool(x, **options), x)
        ones = F.avg_pool(np.ones_like(x), count_include_pad=False, **options)
        assert_allclose(ones.numpy(), 1)

    def test_known_sizes(self, backend):
        """PyTorch's answers: the last window may hang over the end, but does not begin behind the input."""
        cases = [(5, 2, 2, 0, 3), (6, 3, 2, 0, 3), (4, 2, 3, 0, 2), (3, 2, 2, 1, 2), (1, 2, 2, 0, 1), (5, 3, 3, 1, 2)]
        for n, k, t, p, out in cases:
            y = F.max_pool(drawn(1, 1, n), kernel_size=k, stride=t, padding=p, ceil_mode=True)
            assert y.shape == (1, 1, out), (n, k, t, p)

    def test_what_hangs_over_does_not_count_and_padding_does(self, backend):
        y = F.avg_pool(np.ones((1, 1, 4)), kernel_size=3, stride=3, padding=1, ceil_mode=True)
        assert_allclose(y.numpy(), [[[2 / 3, 2 / 3]]])
        assert_allclose(F.avg_pool(np.ones((1, 1, 5)), kernel_size=2, ceil_mode=True).numpy(), [[[1, 1, 1]]])

    def test_where_everything_fits_nothing_changes(self, backend):
        x = drawn(2, 3, 8, 6)
        for name in ("max_pool", "avg_pool"):
            plain = getattr(F, name)(x, kernel_size=2).numpy()
            assert_array_equal(getattr(F, name)(x, kernel_size=2, ceil_mode=True).numpy(), plain)


class TestDivisor:
    @pytest.mark.parametrize("divisor", [1, 3, -2])
    @pytest.mark.parametrize("options", [{}, {"ceil_mode": True}, {"count_include_pad": False}])
    def test_it_divides_the_sum(self, backend, divisor, options):
        x = drawn(2, 2, 5, 7)
        sums = (
            oracles.avg_pool_loops(np.pad(x, ((0, 0), (0, 0), (1, 3), (1, 3))), (2, 2), (2, 2), ((0, 0),) * 2, (1, 1))
            * 4
        )
        y = F.avg_pool(x, kernel_size=2, padding=1, divisor_override=divisor, **options)
        assert_allclose(y.numpy(), sums[:, :, : y.shape[2], : y.shape[3]] / divisor, atol=1e-12)
        check_adjoint(lambda x: F.avg_pool(x, kernel_size=2, padding=1, divisor_override=divisor, **options), x)

    @pytest.mark.parametrize("divisor", [0, 1.5, True])
    def test_refused(self, backend, divisor):
        with pytest.raises(OptionError, match="avg_pool: divisor_override must be an int other than 0, not"):
            F.avg_pool(drawn(1, 1, 4), kernel_size=2, divisor_override=divisor)


class TestIndices:
    @examples(30)
    @given(windows(pooling=True))
    def test_they_name_the_winners(self, backend, window):
        x = np.random.default_rng(0).integers(0, 4, (2, 3, *window.size)).astype(float)  # with ties
        y, indices = F.max_pool(x, return_indices=True, **settings_of(window))
        values, winner = oracles.max_pool_loops(x, *geometry(window))
        taps, expected = list(np.ndindex(*window.kernel)), np.empty(winner.shape, int)
        for n, c, *o in np.ndindex(*winner.shape):
            tap = taps[winner[(n, c, *o)]]
            place = oracles.tap_positions(o, tap, window.stride, window.padding, window.dilation)
            expected[(n, c, *o)] = np.ravel_multi_index(place, window.size)
        assert_array_equal(y.numpy(), values)
        assert_array_equal(indices.numpy(), expected)
        assert indices.dtype.kind == "i"

    def test_the_value_keeps_its_gradient(self, backend):
        x = md.tensor(drawn(1, 2, 4, 5), requires_grad=True)
        y, indices = F.max_pool(x, 2, return_indices=True)
        y.sum().backward()
        assert not indices.requires_grad
        for channel in range(2):
            assert {*np.flatnonzero(x.grad.numpy()[0, channel])} == {*indices.numpy()[0, channel].ravel()}

    def test_one_image(self, backend):
        x = drawn(2, 5, 4)
        y, indices = F.max_pool(x, (2, 2), return_indices=True)
        assert y.shape == indices.shape == (2, 2, 2)
        assert_array_equal(
            np.take_along_axis(x.reshape(2, -1), indices.numpy().reshape(2, -1), 1), y.numpy().reshape(2, -1)
        )


@pytest.mark.parametrize("name", ["max_pool", "avg_pool", "adaptive_avg_pool"])
@pytest.mark.parametrize("size", [(6,), (6, 5), (4, 6, 5)])
def test_one_image_without_a_batch_axis(backend, name, size):
    pool, x = getattr(F, name), drawn(3, *size)
    options = {"output_size" if "adaptive" in name else "kernel_size": (2,) * len(size)}
    assert_array_equal(pool(x, **options).numpy(), pool(x[None], **options).numpy()[0])
    check_gradients(pool, x, directions=1, **options)


@pytest.mark.parametrize("name", ["max_pool", "avg_pool"])
class TestRefused:
    def test_ranks(self, backend, name):
        for shape in [(3,), (1, 1, 2, 2, 2, 2)]:
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
