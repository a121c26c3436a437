"""Activations against SciPy and formulas, at zero and far out, and dropout."""

import re
from functools import partial

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import special

import minidil as md
import minidil.functional as F
from minidil.errors import OptionError
from minidil.testing import check_gradients

EXPECTED = {
    "relu": lambda x: np.where(x > 0, x, 0),
    "leaky_relu": lambda x: np.where(x > 0, x, 0.01 * x),
    "sigmoid": special.expit,
    "tanh": np.tanh,
    "silu": lambda x: x * special.expit(x),
    "gelu": lambda x: x * special.ndtr(x),
    "softmax": lambda x: special.softmax(x, axis=-1),
    "log_softmax": lambda x: special.log_softmax(x, axis=-1),
}
NAMES = sorted(EXPECTED)


def drawn(*shape, seed=0):
    return np.asarray(np.random.default_rng(seed).standard_normal(shape))


def function(name):
    """The function by its name, along the last axis if it needs one."""
    return partial(getattr(F, name), axis=-1) if "softmax" in name else getattr(F, name)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("shape", [(7,), (3, 4), (2, 3, 4, 5), (0, 3)])
def test_values_and_gradients(backend, name, shape):
    x = 2 * drawn(*shape)
    assert_allclose(function(name)(x).numpy(), EXPECTED[name](x), atol=1e-12)
    check_gradients(function(name), x)


@pytest.mark.parametrize("name", [name for name in NAMES if "softmax" not in name])
def test_arrays_without_axes(backend, name):
    assert_allclose(getattr(F, name)(np.array(0.7)).numpy(), EXPECTED[name](np.array(0.7)))
    check_gradients(getattr(F, name), np.array(-0.7))


@pytest.mark.parametrize("name", NAMES)
def test_channels_last_views(backend, name):
    x = np.moveaxis(drawn(2, 4, 5, 3), -1, 1)
    assert_allclose(function(name)(x).numpy(), EXPECTED[name](x), atol=1e-12)
    check_gradients(function(name), x)


@pytest.mark.parametrize("name", NAMES)
def test_float32_stays_float32(backend, name):
    x = md.tensor(drawn(3, 4).astype(np.float32), requires_grad=True)
    y = getattr(F, name)(x)
    (y * y).sum().backward()
    assert y.dtype == x.grad.dtype == np.float32


@pytest.mark.parametrize("name", ["sigmoid", "tanh", "silu", "gelu", "softmax", "log_softmax"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_nothing_overflows_far_out(backend, name, dtype):
    x = md.tensor(np.array([-1e4, -90, -30, 0, 30, 90, 1e4], dtype), requires_grad=True)
    y = getattr(F, name)(x)
    y.backward(gradient=np.ones(7, dtype))
    assert np.isfinite(y.numpy()).all()
    assert np.isfinite(x.grad.numpy()).all()
    assert_allclose(
        y.numpy(), EXPECTED[name](x.numpy().astype(float)), rtol=1e-5, atol=1e-30 if name == "sigmoid" else 1e-6
    )


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_slope_of_a_saturated_sigmoid_is_small_but_not_lost(backend, dtype):
    x = md.tensor(np.array([-60.0], dtype), requires_grad=True)
    F.sigmoid(x).backward()
    assert_allclose(x.grad.numpy(), np.exp(-60), rtol=1e-5)


def test_kinks_at_zero(backend):
    for function, slopes in [(F.relu, [0, 0, 0, 1]), (lambda x: F.leaky_relu(x, slope=0.25), [0.25, 0.25, 0.25, 1])]:
        x = md.tensor(np.array([-1.0, -0.0, 0.0, 1.0]), requires_grad=True)
        function(x).sum().backward()
        assert_array_equal(x.grad.numpy(), slopes)


def test_relu_keeps_a_nan_and_an_infinite_gradient_to_its_side(backend):
    x = md.tensor(np.array([np.nan, -1.0, 1.0]), requires_grad=True)
    y = F.relu(x)
    y.backward(gradient=np.full(3, np.inf))
    assert np.isnan(y.numpy()[0])
    assert_array_equal(x.grad.numpy()[1:], [0, np.inf])


class TestSoftmax:
    @pytest.mark.parametrize("axis", [0, 1, 2, -1, -3])
    def test_any_axis(self, backend, axis):
        x = drawn(2, 3, 4)
        assert_allclose(F.softmax(x, axis=axis).numpy(), special.softmax(x, axis=axis))
        assert_allclose(F.log_softmax(x, axis=axis).numpy(), special.log_softmax(x, axis=axis))
        check_gradients(F.softmax, x, axis=axis)
        check_gradients(F.log_softmax, x, axis=axis)

    @pytest.mark.parametrize("name", ["softmax", "log_softmax"])
    def test_more_than_a_table_needs_an_axis(self, backend, name):
        assert_allclose(getattr(F, name)(drawn(2, 3)).numpy(), EXPECTED[name](drawn(2, 3)))
        with pytest.raises(OptionError, match=re.escape(f"{name}: axis must be given for x (2, 3, 4), as in axis=1")):
            getattr(F, name)(drawn(2, 3, 4))

    @pytest.mark.parametrize("name", ["softmax", "log_softmax"])
    @pytest.mark.parametrize("axis", [3, -4, (0, 1), 1.0])
    def test_axes_that_are_not_there(self, backend, name, axis):
        with pytest.raises(OptionError) as caught:
            getattr(F, name)(drawn(2, 3, 4), axis=axis)
        assert str(caught.value) == f"{name}: axis {axis!r} is no axis of an array with 3 of them"

    @pytest.mark.parametrize(("name", "alone"), [("softmax", 1), ("log_softmax", 0)])
    def test_a_number_without_axes_is_alone(self, backend, name, alone):
        for axis in (0, -1):
            assert getattr(F, name)(np.array(3.5), axis=axis).item() == alone
        check_gradients(getattr(F, name), np.array(3.5))
        with pytest.raises(OptionError, match=f"{name}: axis 1 is no axis of an array with 1 of them"):
            getattr(F, name)(np.array(3.5), axis=1)

    @pytest.mark.parametrize("name", ["softmax", "log_softmax"])
    @pytest.mark.parametrize("shape", [(0,), (2, 0), (0, 3), (2, 0, 3)])
    def test_nothing_gives_nothing(self, backend, name, shape):
        for axis in range(len(shape)):
            x = md.tensor(np.zeros(shape, np.float32), requires_grad=True)
            y = getattr(F, name)(x, axis=axis)
            y.sum().backward()
            assert y.shape == x.grad.shape == shape
            assert y.dtype == np.float32

    def test_masked_logits(self, backend):
        x = md.tensor(np.array([[1.0, -np.inf, 1.0]]), requires_grad=True)
        F.softmax(x)[0, 0].backward()
        assert_allclose(x.grad.numpy(), [[0.25, 0, -0.25]])


class TestDropout:
    def test_it_drops_its_share_and_keeps_the_mean(self, backend):
        x = md.tensor(np.ones((200, 200), np.float32), requires_grad=True)
        y = F.dropout(x, p=0.25, rng=np.random.default_rng(0))
        assert y.dtype == np.float32
        assert set(np.unique(y.numpy())) == {np.float32(0), np.float32(1 / 0.75)}
        assert abs((y.numpy() == 0).mean() - 0.25) < 0.01
        y.sum().backward()
        assert_array_equal(x.grad.numpy(), y.numpy())

    def test_the_mask_does_not_depend_on_the_values(self, backend):
        check_gradients(lambda x: F.dropout(x, p=0.5, rng=np.random.default_rng(3)), drawn(4, 5))

    def test_zero_drops_nothing(self, backend):
        assert_array_equal(F.dropout(drawn(3, 4), p=0).numpy(), drawn(3, 4))

    def test_the_seed_decides(self, backend):
        md.seed(5)
        first = F.dropout(np.ones(50)).numpy()
        second = F.dropout(np.ones(50)).numpy()
        md.seed(5)
        assert_array_equal(F.dropout(np.ones(50)).numpy(), first)
        assert not np.array_equal(first, second)

    @pytest.mark.parametrize("p", [1, 1.5, -0.1, float("nan")])
    def test_refused(self, backend, p):
        with pytest.raises(OptionError) as caught:
            F.dropout(drawn(3), p=p)
        assert str(caught.value) == f"dropout: p is the probability to drop and must satisfy 0 <= p < 1, not {p}"


class TestGeluTanh:
    def test_values_and_gradients(self, backend):
        x = np.linspace(-12, 12, 97)
        u = np.sqrt(2 / np.pi) * (x + 0.044715 * x**3)
        y = F.gelu(x, approximate="tanh").numpy()
        assert_allclose(y, x / 2 * (1 + np.tanh(u)), atol=1e-12)
        assert 1e-4 < np.abs(y - F.gelu(x).numpy()).max() < 1e-3
        check_gradients(F.gelu, x, approximate="tanh", entries=True)

    def test_far_out(self, backend):
        x = md.tensor(np.array([-1e30, 1e30], np.float32), requires_grad=True)
        y = F.gelu(x, approximate="tanh")
        y.sum().backward()
        assert_array_equal(y.numpy(), np.array([0, 1e30], np.float32))
        assert_array_equal(x.grad.numpy(), [0, 1])

    def test_refused(self, backend):
        with pytest.raises(OptionError, match='gelu: approximate must be "none" or "tanh", not \'erf\''):
            F.gelu(drawn(2), approximate="erf")


class TestSoftplus:
    @pytest.mark.parametrize("beta", [0.5, 1, 3.0])
    def test_values_and_gradients(self, backend, beta):
        x = np.linspace(-6, 6, 41)
        assert_allclose(F.softplus(x, beta=beta).numpy(), np.logaddexp(0, beta * x) / beta)
        check_gradients(F.softplus, x, beta=beta, entries=True)

    def test_above_the_threshold_it_is_x(self, backend):
        x = md.tensor(np.array([1.0, 1.01]), requires_grad=True)
        y = F.softplus(x, beta=2.0, threshold=2.0)
        y.sum().backward()
        assert_allclose(y.numpy(), [np.log1p(np.exp(2)) / 2, 1.01])
        assert_allclose(x.grad.numpy(), [special.expit(2), 1])

    def test_far_out(self, backend):
        x = md.tensor(np.array([-np.inf, -1e30, 1e30, np.inf, np.nan], np.float32), requires_grad=True)
        y = F.softplus(x)
        y.sum().backward()
        assert_array_equal(y.numpy(), np.array([0, 0, 1e30, np.inf, np.nan], np.float32))
        assert_array_equal(x.grad.numpy()[:4], [0, 0, 1, 1])

    @pytest.mark.parametrize("beta", [0, -1, np.inf, np.nan])
    def test_refused(self, backend, beta):
        with pytest.raises(OptionError, match="softplus: beta must be positive and finite, not"):
            F.softplus(drawn(2), beta=beta)
