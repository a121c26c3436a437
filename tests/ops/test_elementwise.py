"""Elementwise ops: values, broadcasting, gradients, and the places where a formula has a choice."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import mutually_broadcastable_shapes
from numpy.testing import assert_allclose, assert_array_equal
from strategies import examples

import minidil as md
import minidil.functional as F
from minidil.errors import DtypeError, OptionError, ShapeError
from minidil.ops import elementwise
from minidil.testing import check_adjoint, check_gradients

BINARY = ["add", "subtract", "multiply", "divide", "power", "maximum", "minimum"]
UNARY = ["negative", "exp", "log", "sqrt", "absolute"]
PAIRS = mutually_broadcastable_shapes(num_shapes=2, max_dims=4, min_side=0, max_side=3)


def positive(shape, seed=0):
    """Numbers in 0.5..2, where every op here is smooth."""
    return np.random.default_rng(seed).uniform(0.5, 2, shape)


def gradient_of(function, *arrays, upstream=None):
    tensors = [md.tensor(np.asarray(array, np.float64), requires_grad=True) for array in arrays]
    y = function(*tensors)
    y.backward(gradient=np.ones(y.shape) if upstream is None else np.asarray(upstream, np.float64))
    return [tensor.grad.numpy() for tensor in tensors]


@pytest.mark.parametrize("name", BINARY)
@examples(25)
@given(shapes=PAIRS)
def test_binary_ops_broadcast_like_numpy(backend, name, shapes):
    a, b = (positive(shape, seed) for seed, shape in enumerate(shapes.input_shapes))
    y = getattr(F, name)(a, b)
    assert y.shape == shapes.result_shape
    assert_array_equal(y.numpy(), getattr(np, name)(a, b))
    check_gradients(getattr(F, name), a, b, directions=1)


@examples(25)
@given(shapes=mutually_broadcastable_shapes(num_shapes=3, max_dims=3, min_side=0, max_side=3))
def test_where_broadcasts_all_three(backend, shapes):
    first, *rest = shapes.input_shapes
    condition = np.random.default_rng(2).random(first) < 0.5
    a, b = (positive(shape, seed) for seed, shape in enumerate(rest))
    assert_array_equal(F.where(condition, a, b).numpy(), np.where(condition, a, b))
    check_gradients(lambda a, b: F.where(condition, a, b), a, b, directions=1)


@pytest.mark.parametrize("name", UNARY)
@pytest.mark.parametrize("shape", [(), (0,), (3,), (2, 0, 3), (2, 3, 2)])
def test_unary_ops(backend, name, shape):
    x = positive(shape)
    assert_array_equal(getattr(F, name)(x).numpy(), getattr(np, name)(x))
    check_gradients(getattr(F, name), x)


@pytest.mark.parametrize("name", ["negative", "absolute"])
def test_negative_numbers(backend, name):
    x = -positive((3, 4))
    assert_array_equal(getattr(F, name)(x).numpy(), getattr(np, name)(x))
    check_gradients(getattr(F, name), x)


@pytest.mark.parametrize("name", BINARY)
def test_float32_stays_float32_and_python_numbers_adapt(backend, name):
    x = positive((2, 3)).astype(np.float32)
    function = getattr(F, name)
    for y in (function(x, x), function(x, 2), function(x, 2.5), function(2.5, x), function(x, np.float64(2.5))):
        assert y.dtype == np.float32
    leaf = md.tensor(x, requires_grad=True)
    (function(leaf, 2.5) + function(2, leaf)).sum().backward()
    assert leaf.grad.dtype == np.float32


@pytest.mark.parametrize("name", UNARY)
def test_unary_ops_keep_float32(backend, name):
    leaf = md.tensor(positive((2, 3)).astype(np.float32), requires_grad=True)
    y = getattr(F, name)(leaf)
    y.sum().backward()
    assert y.dtype == leaf.grad.dtype == np.float32


@pytest.mark.parametrize("name", BINARY)
def test_a_python_number_on_either_side(backend, name):
    function, x = getattr(F, name), positive((2, 3))
    assert_array_equal(function(x, 3).numpy(), getattr(np, name)(x, 3.0))
    assert_array_equal(function(3, x).numpy(), getattr(np, name)(3.0, x))
    check_gradients(lambda x: function(x, 1.75), x)
    check_gradients(lambda x: function(1.75, x), x)


@pytest.mark.parametrize("name", BINARY)
def test_shapes_that_do_not_broadcast_are_shown(backend, name):
    with pytest.raises(ShapeError) as caught:
        getattr(F, name)(np.ones((2, 3)), np.ones((3, 2)))
    assert str(caught.value) == (
        f"{name}: shapes (2, 3) and (3, 2) do not broadcast; aligned from the right, two sizes must be equal or one of them 1"
    )


def test_where_names_all_three_shapes(backend):
    with pytest.raises(ShapeError, match=r"where: shapes \(2,\) and \(3,\) and \(4,\) do not broadcast"):
        F.where(np.array([True, False]), np.ones(3), np.ones(4))


@pytest.mark.parametrize("condition", [np.array([2, 0]), np.array([0.0, 1.0]), 1, [True, False]])
def test_where_takes_bools_only(backend, condition):
    with pytest.raises(DtypeError, match=r"where: condition must hold bools, not (int|float|list)"):
        F.where(condition, np.ones(2), np.zeros(2))


@pytest.mark.parametrize("condition", [True, np.array(True), np.bool_(False), np.array([True, False, True])])
def test_where_with_any_form_of_condition(backend, condition):
    a, b = positive(3), positive(3, 1)
    assert_array_equal(F.where(condition, a, b).numpy(), np.where(condition, a, b))
    check_gradients(lambda a, b: F.where(condition, a, b), a, b)
    assert F.where(condition, a.astype(np.float32), 0.0).dtype == np.float32


def test_an_infinite_gradient_stays_on_its_side_of_where(backend):
    a, b = gradient_of(lambda a, b: F.where(np.array([True, False]), a, b), [1, 1], [2, 2], upstream=[np.inf, np.inf])
    assert_array_equal(a, [np.inf, 0])
    assert_array_equal(b, [0, np.inf])


class TestPower:
    @pytest.mark.parametrize("exponent", [0, 1, 2, 3, 0.5, -1, -2])
    def test_constant_exponents(self, backend, exponent):
        check_gradients(lambda x: x**exponent, positive((2, 3)))
        assert_array_equal((md.tensor(positive(3)) ** exponent).numpy(), positive(3) ** exponent)

    def test_a_negative_base_with_a_whole_exponent(self, backend):
        check_gradients(lambda x: x**3, -positive(4))
        check_gradients(lambda x: F.power(x, np.array([2.0, 3.0, 1.0, 0.0])), -positive(4))

    def test_at_zero(self, backend):
        for exponent, slope in [(0, 0), (1, 1), (2, 0)]:
            assert_array_equal(gradient_of(lambda x, e=exponent: x**e, [0.0]), [[slope]])
        base, exponent = gradient_of(F.power, [0.0, 0.0, 0.0, 2.0], [0.0, 1.0, 2.0, 0.0])
        assert_array_equal(base, [0, 1, 0, 0])
        assert_allclose(exponent, [0, 0, 0, np.log(2)])

    def test_a_number_to_the_power_of_a_tensor(self, backend):
        check_gradients(lambda x: 2**x, positive(3) - 1)
        assert_array_equal(gradient_of(lambda x: 0**x, [1.0, 2.0]), [[0, 0]])


class TestTies:
    def test_a_tie_gives_half_to_each(self, backend):
        for function in (F.maximum, F.minimum):
            a, b = gradient_of(function, [1.0, 2.0, 0.0, -0.0], [1.0, 2.0, -0.0, 0.0])
            assert_array_equal(a, [0.5] * 4)
            assert_array_equal(b, [0.5] * 4)

    def test_the_winner_takes_it_all(self, backend):
        a, b = gradient_of(F.maximum, [1.0, 2.0], [2.0, 1.0])
        assert_array_equal(a, [0, 1])
        assert_array_equal(b, [1, 0])
        assert_array_equal(gradient_of(lambda x: F.maximum(x, 0), [-1.0, 0.0, 1.0]), [[0, 0.5, 1]])
        assert_array_equal(gradient_of(lambda x: F.minimum(0.0, x), [-1.0, 0.0, 1.0]), [[1, 0.5, 0]])

    def test_absolute_at_zero(self, backend):
        assert_array_equal(gradient_of(F.absolute, [-2.0, -0.0, 0.0, 3.0]), [[-1, 0, 0, 1]])

    def test_nan_spreads(self, backend):
        assert np.isnan(F.maximum(np.array([np.nan]), 1.0).numpy())
        assert np.isnan(F.minimum(1.0, np.array([np.nan])).numpy())


class TestClip:
    @pytest.mark.parametrize(("low", "high"), [(-1, 1), (None, 0.5), (-0.5, None), (0.25, 0.25)])
    def test_values_and_gradient(self, backend, low, high):
        x = np.linspace(-2, 2, 12)
        y = F.clip(x, low=low, high=high)
        assert_array_equal(y.numpy(), np.clip(x, low, high))
        check_gradients(lambda x: F.clip(x, low=low, high=high), x)

    def test_the_bounds_themselves_pass_the_gradient(self, backend):
        assert_array_equal(gradient_of(lambda x: x.clip(0, 1), [-1.0, 0.0, 0.5, 1.0, 2.0]), [[0, 1, 1, 1, 0]])

    def test_an_infinite_gradient_stops_where_x_was_replaced(self, backend):
        (grad,) = gradient_of(lambda x: x.clip(0, 1), [-1.0, 0.5], upstream=[np.inf, np.inf])
        assert_array_equal(grad, [0, np.inf])

    def test_float32(self, backend):
        assert F.clip(np.ones(2, np.float32), low=0.1, high=2).dtype == np.float32

    def test_refused_bounds(self, backend):
        with pytest.raises(OptionError, match="clip: give low, high or both"):
            F.clip(np.ones(2))
        with pytest.raises(OptionError, match="clip: low 2 lies above high 1"):
            F.clip(np.ones(2), low=2, high=1)


class TestAstype:
    def test_the_gradient_comes_back_in_the_type_of_x(self, backend):
        x = md.tensor(np.array([1.5, 2.5]), requires_grad=True)
        y = F.astype(x, dtype=np.float32)
        (y * y).sum().backward()
        assert (y.dtype, x.grad.dtype) == (np.float32, np.float64)
        assert_array_equal(x.grad.numpy(), [3, 5])

    def test_integers_have_no_gradient(self, backend):
        y = F.astype(md.tensor([1.5, 2.5], requires_grad=True), dtype=np.int64)
        assert y.numpy().tolist() == [1, 2]
        assert not y.requires_grad


@pytest.mark.parametrize(
    "function", [F.negative, lambda x: F.multiply(x, 3), lambda x: F.divide(x, 4), lambda x: F.astype(x, dtype=float)]
)
def test_linear_ops_have_their_adjoint(backend, function):
    check_adjoint(function, positive((3, 4)))


@given(st.lists(st.integers(0, 3), max_size=3).map(tuple))
def test_an_operand_used_twice_collects_both_gradients(shape):
    x = positive(shape)
    check_gradients(lambda x: x * x + x / x - x, x)
    assert_allclose(gradient_of(lambda x: x * x, x)[0], 2 * x)


def test_ops_return_plain_values_and_one_vjp_per_input():
    y, vjps = elementwise.multiply(np.array([2.0]), np.array([3.0]))
    assert_array_equal(y, [6])
    assert [vjp(np.array([1.0]))[0] for vjp in vjps] == [3, 2]
