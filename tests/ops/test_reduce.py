"""Reductions: every set of axes, empty and 0-d arrays, ties, and what is refused."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from strategies import examples

import minidil as md
import minidil.functional as F
from minidil.errors import CallError, DtypeError, OptionError, ShapeError
from minidil.testing import check_adjoint, check_gradients

NAMES = ["sum", "mean", "amax", "amin", "var"]
OWN = {"var": {"ddof": 0}}  # what NumPy takes for granted


@st.composite
def shapes_and_axes(draw, least=1):
    """A shape, and None, an axis, or some of its axes, from the front or from the back."""
    shape = tuple(draw(st.lists(st.integers(least, 4), max_size=4)))
    if not shape or draw(st.booleans()):
        return shape, None
    axes = draw(st.lists(st.integers(0, len(shape) - 1), unique=True))
    signed = [axis - len(shape) * draw(st.booleans()) for axis in axes]
    return shape, signed[0] if len(signed) == 1 and draw(st.booleans()) else tuple(signed)


def drawn(shape):
    return np.random.default_rng(0).standard_normal(shape)


@pytest.mark.parametrize("name", NAMES)
@examples(30)
@given(case=shapes_and_axes(), keepdims=st.booleans())
def test_values_and_gradients(backend, name, case, keepdims):
    shape, axis = case
    x = drawn(shape)
    own = OWN.get(name, {})
    y = getattr(F, name)(x, axis=axis, keepdims=keepdims, **own)
    assert_allclose(y.numpy(), getattr(np, name)(x, axis=axis, keepdims=keepdims), atol=1e-12)
    assert y.shape == np.shape(getattr(np, name)(x, axis=axis, keepdims=keepdims))
    check_gradients(getattr(F, name), x, axis=axis, keepdims=keepdims, **own)


@pytest.mark.parametrize("name", NAMES)
def test_as_a_method_with_the_axis_by_position(backend, name):
    x = md.tensor(drawn((2, 3, 4)))
    assert_array_equal(getattr(x, name)(1).numpy(), getattr(F, name)(x, axis=1).numpy())
    assert getattr(x, name)((0, 2), keepdims=True).shape == (1, 3, 1)


@pytest.mark.parametrize("name", ["sum", "mean"])
def test_linear_reductions_have_their_adjoint(backend, name):
    for axis in (None, 1, (0, -1)):
        check_adjoint(lambda x, axis=axis: getattr(F, name)(x, axis=axis), drawn((3, 4, 2)))


@pytest.mark.parametrize("name", NAMES)
def test_float32_stays_float32(backend, name):
    x = md.tensor(drawn((3, 4)).astype(np.float32), requires_grad=True)
    y = getattr(x, name)(0)
    y.sum().backward()
    assert y.dtype == x.grad.dtype == np.float32
    assert getattr(x, name)().dtype == np.float32


@pytest.mark.parametrize("name", NAMES)
def test_numpy_ints_name_axes_too(backend, name):
    x = drawn((2, 3))
    assert_array_equal(getattr(F, name)(x, axis=np.int64(1)).numpy(), getattr(F, name)(x, axis=1).numpy())


def test_the_sum_of_nothing_is_zero(backend):
    x = md.tensor(np.zeros((3, 0)), requires_grad=True)
    y = x.sum(1)
    assert_array_equal(y.numpy(), np.zeros(3))
    y.backward(gradient=np.ones(3))
    assert x.grad.shape == (3, 0)
    assert x.sum(0).shape == (0,)


@pytest.mark.parametrize("name", ["mean", "amax", "amin", "var"])
def test_nothing_has_no_mean_and_no_extreme(backend, name):
    with pytest.raises(ShapeError) as caught:
        getattr(F, name)(np.zeros((3, 0)), axis=1)
    assert str(caught.value) == f"{name}: x (3, 0) has no elements along axes (1,)"
    assert getattr(F, name)(np.zeros((3, 0)), axis=0).shape == (0,)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("axis", [2, -3, (0, 0), (1, -1), "rows", 1.0, (0, None)])
def test_axes_that_do_not_exist_or_come_twice(backend, name, axis):
    with pytest.raises(OptionError) as caught:
        getattr(F, name)(drawn((2, 3)), axis=axis)
    assert str(caught.value) == f"{name}: axis {axis!r} does not name different axes of an array with 2 of them"


class TestVar:
    def test_ddof(self, backend):
        x = drawn((4, 3))
        assert_allclose(F.var(x, axis=0, ddof=1).numpy(), x.var(axis=0, ddof=1))
        check_gradients(F.var, x, axis=0, ddof=1)
        check_gradients(F.var, x, ddof=1)

    def test_too_few_elements_for_ddof(self, backend):
        with pytest.raises(ShapeError) as caught:
            F.var(drawn((4, 1)), axis=1, ddof=1)
        assert (
            str(caught.value)
            == "var: 1 elements of x (4, 1) minus ddof 1 leaves nothing to divide by; ddof=0 is their own variance"
        )

    def test_a_constant_has_no_variance_and_no_gradient(self, backend):
        x = md.tensor(np.full((3, 2), 7.0), requires_grad=True)
        y = x.var()
        y.backward()
        assert y.item() == 0
        assert_array_equal(x.grad.numpy(), np.zeros((3, 2)))


class TestTies:
    def test_ties_share_the_gradient(self, backend):
        x = md.tensor(np.array([[1.0, 3, 3], [2, 2, 2], [0.0, -0.0, -1]]), requires_grad=True)
        x.max(axis=1).sum().backward()
        third = 1 / 3
        assert_allclose(x.grad.numpy(), [[0, 0.5, 0.5], [third, third, third], [0.5, 0.5, 0]])

    def test_ties_over_all_axes(self, backend):
        x = md.tensor(np.array([[1.0, 3], [1, 2]]), requires_grad=True)
        x.min().backward()
        assert_array_equal(x.grad.numpy(), [[0.5, 0], [0.5, 0]])

    def test_infinity_can_be_the_largest(self, backend):
        x = md.tensor(np.array([1.0, np.inf, -np.inf]), requires_grad=True)
        x.max().backward()
        assert_array_equal(x.grad.numpy(), [0, 1, 0])


@given(shape=st.lists(st.integers(2, 4), min_size=1, max_size=3).map(tuple), data=st.data())
def test_deviations_and_lengths(shape, data) -> None:
    x = np.random.default_rng(0).standard_normal(shape)
    axis = tuple(data.draw(st.sets(st.integers(0, len(shape) - 1), min_size=1)))
    assert_allclose(F.std(x, axis, ddof=1).numpy(), np.std(x, axis, ddof=1))
    assert_allclose(F.norm(x, axis=axis, keepdims=True).numpy(), np.sqrt((x * x).sum(axis, keepdims=True)))
    assert_allclose(F.norm(x, 1, axis).numpy(), np.abs(x).sum(axis))
    check_gradients(F.std, x, axis=axis, ddof=1)
    check_gradients(F.norm, x, axis=axis)
    check_gradients(F.norm, x, p=1, axis=axis, keepdims=True)


def test_the_length_of_nothing_has_gradient_0() -> None:
    x = md.tensor(np.zeros(3), requires_grad=True)
    (x.norm() + x.norm(1)).backward()
    assert x.grad is not None
    assert x.grad.tolist() == [0, 0, 0]
    with pytest.raises(OptionError, match="norm: p is 1 or 2, not 3"):
        x.norm(3)


class TestLogSumExp:
    @given(case=shapes_and_axes(), keepdims=st.booleans())
    def test_against_the_formula(self, backend, case, keepdims):
        shape, axis = case
        x = np.asarray(30 * drawn(shape))
        expected = np.log(np.exp(x).sum(axis=axis, keepdims=keepdims))
        assert_allclose(F.logsumexp(x, axis=axis, keepdims=keepdims).numpy(), expected, atol=1e-12)
        check_gradients(F.logsumexp, x, axis=axis, keepdims=keepdims, directions=1)

    def test_infinities(self, backend):
        rows = np.array([[-np.inf, -np.inf], [-np.inf, 3], [np.inf, 3], [-np.inf, np.inf], [1e4, 1e4]], np.float32)
        x = md.tensor(rows, requires_grad=True)
        y = F.logsumexp(x, axis=1)
        y.backward(gradient=np.ones(5, np.float32))
        assert_allclose(y.numpy(), [-np.inf, 3, np.inf, np.inf, 1e4 + np.log(2)])
        assert_allclose(x.grad.numpy(), [[0, 0], [0, 1], [1, 0], [0, 1], [0.5, 0.5]])

    def test_refused(self, backend):
        with pytest.raises(ShapeError, match=r"logsumexp: x \(2, 0\) has no elements along axes \(1,\)"):
            F.logsumexp(np.zeros((2, 0)), axis=1)
        with pytest.raises(DtypeError, match="logsumexp: x must be floating to hold a logarithm, not int64"):
            F.logsumexp(np.arange(3))


@pytest.mark.parametrize("name", NAMES)
def test_the_method_is_documented_like_the_function(name):
    assert getattr(md.Tensor, name).__doc__ == getattr(F, name).__doc__
    assert getattr(md.Tensor, name).__name__ == name


class TestMaxOverAnAxis:
    """axis= (NumPy's word) gives the values, dim= (PyTorch's) or the position the pair (values, indices)."""

    def test_numpys_word_gives_values(self, backend):
        x = drawn((2, 3))
        assert_array_equal(md.tensor(x).max(axis=1).numpy(), x.max(axis=1))
        assert_array_equal(F.min(x, axis=(0, 1), keepdims=True).numpy(), x.min(keepdims=True))

    @pytest.mark.parametrize("how", [lambda x: x.max(1), lambda x: x.max(dim=1), lambda x: F.max(x, -1)])
    def test_pytorchs_word_and_the_position_give_a_pair_also_of_two_rows(self, backend, how):
        x = drawn((2, 3))
        values, indices = how(md.tensor(x))
        assert_array_equal(values.numpy(), x.max(axis=1))
        assert_array_equal(indices.numpy(), x.argmax(axis=1))

    def test_the_first_of_equal_ones_gets_the_gradient(self, backend):
        x = md.tensor([[1.0, 3.0, 3.0], [2.0, 2.0, 2.0]], requires_grad=True)
        x.max(dim=1, keepdim=True).values.sum().backward()
        assert_array_equal(x.grad.numpy(), [[0, 1, 0], [1, 0, 0]])

    def test_a_tensor_is_compared_element_by_element(self, backend):
        assert F.max(md.tensor([1.0, 5.0]), md.tensor([3.0, 2.0])).tolist() == [3, 5]
        assert md.tensor([1.0, 5.0]).min(other=md.tensor([3.0, 2.0])).tolist() == [1, 2]

    def test_a_pair_is_no_tensor(self):
        pair = md.tensor(drawn((2, 3))).max(1)
        with pytest.raises(AttributeError, match=r"a pair \(values, indices\), which has no 'sum'; write .values.sum"):
            pair.sum()
        with pytest.raises(DtypeError, match=r"this is the pair \(values, indices\); take .values"):
            md.tensor([1.0]) - pair

    def test_both_words_and_several_axes_are_refused(self):
        x = md.tensor(drawn((2, 3)))
        with pytest.raises(CallError, match="max: give axis= for the values, or dim="):
            x.max(1, axis=1)
        with pytest.raises(OptionError, match=r"min: dim is one axis; over several, axis=\(0, 1\) gives the values"):
            x.min((0, 1))


class TestDdof:
    def test_the_default_is_pytorchs_unbiased_estimate(self, backend):
        x = drawn((3, 4))
        assert_allclose(md.tensor(x).std(1).numpy(), x.std(axis=1, ddof=1))
        assert_allclose(F.var(x, ddof=0).numpy(), x.var())
        assert_allclose(F.var(x, unbiased=False).numpy(), x.var())

    @pytest.mark.parametrize("name", ["var", "sum", "argmax", "any", "squeeze", "max"])
    def test_a_bool_is_no_axis(self, name):
        with pytest.raises(OptionError, match="axis False"):
            getattr(md.tensor(drawn((2, 3))), name)(False)
