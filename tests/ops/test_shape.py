"""Ops that only move elements: NumPy's values, the adjoint as gradient, and every refusal."""

import numpy as np
import oracles
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import basic_indices, integer_array_indices
from numpy.testing import assert_allclose, assert_array_equal
from strategies import examples

import minidil as md
import minidil.functional as F
from minidil.errors import DtypeError, OptionError, ShapeError
from minidil.testing import check_adjoint, check_gradients

SHAPES = st.lists(st.integers(0, 4), max_size=4).map(tuple)


def drawn(shape):
    return np.random.default_rng(0).standard_normal(shape)


class TestReshape:
    @pytest.mark.parametrize(
        ("before", "after"),
        [
            ((2, 6), (3, 4)),
            ((12,), (2, -1)),
            ((), (1, 1)),
            ((1,), ()),
            ((0, 3), (3, 0)),
            ((0, 3), (-1, 3)),
            ((4,), (-1,)),
        ],
    )
    def test_values_and_adjoint(self, backend, before, after):
        x = drawn(before)
        assert_array_equal(F.reshape(x, shape=after).numpy(), x.reshape(after))
        check_adjoint(lambda x: F.reshape(x, shape=after), x)

    @pytest.mark.parametrize("shape", [(5,), (-1, 4), (-1, -1), (-2, -3), (0, 6), (0, -1), ()])
    def test_refused(self, backend, shape):
        with pytest.raises(ShapeError) as caught:
            F.reshape(drawn((2, 3)), shape=shape)
        assert str(caught.value) == f"reshape: x (2, 3) has 6 elements and cannot become {shape}"

    def test_minus_one_beside_a_zero_could_be_anything(self, backend):
        with pytest.raises(ShapeError, match=r"reshape: x \(0, 3\) has 0 elements and cannot become \(-1, 0\)"):
            F.reshape(drawn((0, 3)), shape=(-1, 0))

    def test_a_channels_last_view_is_read_in_logical_order(self, backend):
        x = np.moveaxis(drawn((2, 4, 5, 3)), -1, 1)
        assert_array_equal(F.flatten(x, start=1).numpy(), x.reshape(2, -1))


class TestTranspose:
    @given(st.permutations(range(4)))
    def test_any_order(self, axes):
        x = drawn((2, 3, 4, 5))
        assert_array_equal(F.transpose(x, axes=axes).numpy(), x.transpose(axes))
        check_adjoint(lambda x: F.transpose(x, axes=axes), x)

    @pytest.mark.parametrize("shape", [(), (3,), (2, 3), (2, 0, 3)])
    def test_the_default_reverses(self, backend, shape):
        assert_array_equal(F.transpose(drawn(shape)).numpy(), drawn(shape).T)
        check_adjoint(F.transpose, drawn(shape))

    def test_axes_from_the_back(self, backend):
        assert F.transpose(drawn((2, 3, 4)), axes=(-1, 0, -2)).shape == (4, 2, 3)

    @pytest.mark.parametrize("axes", [(0,), (0, 0), (0, -2), (0, 1, 1)])
    def test_axes_that_are_missing_or_come_twice(self, backend, axes):
        with pytest.raises(OptionError) as caught:
            F.transpose(drawn((2, 3)), axes=axes)
        assert str(caught.value) == f"transpose: axes {axes!r} is no order of the 2 axes of x (2, 3)"

    @pytest.mark.parametrize("axis", [2, 5, -3, 1.0, None])
    def test_axes_that_are_not_there(self, backend, axis):
        with pytest.raises(OptionError) as caught:
            F.transpose(drawn((2, 3)), axes=(0, axis))
        assert str(caught.value) == f"transpose: axis {axis!r} is no axis of an array with 2 of them"

    def test_a_scalar_has_only_one_order(self, backend):
        assert F.transpose(drawn(()), axes=()).shape == ()
        with pytest.raises(OptionError, match="transpose: axis 0 is no axis of an array with 0 of them"):
            F.transpose(drawn(()), axes=(0,))


class TestFlatten:
    @pytest.mark.parametrize(
        ("start", "end", "shape"),
        [(0, -1, (24,)), (1, -1, (2, 12)), (1, 2, (2, 12)), (0, 1, (6, 4)), (-1, -1, (2, 3, 4))],
    )
    def test_values(self, backend, start, end, shape):
        x = drawn((2, 3, 4))
        assert_array_equal(F.flatten(x, start=start, end=end).numpy(), x.reshape(shape))
        check_adjoint(lambda x: F.flatten(x, start=start, end=end), x)

    def test_an_empty_batch(self, backend):
        assert F.flatten(drawn((0, 3, 4)), start=1).shape == (0, 12)

    @pytest.mark.parametrize(("start", "end"), [(3, -1), (0, 3), (-4, -1), (None, -1), ((0, 1), 1)])
    def test_axes_that_are_not_there(self, backend, start, end):
        wrong = end if start == 0 else start
        with pytest.raises(OptionError) as caught:
            F.flatten(drawn((2, 3, 4)), start=start, end=end)
        assert str(caught.value) == f"flatten: axis {wrong!r} is no axis of an array with 3 of them"

    def test_the_wrong_way_round(self, backend):
        with pytest.raises(OptionError, match=r"flatten: start 2 lies behind end 1 in x \(2, 3, 4\)"):
            F.flatten(drawn((2, 3, 4)), start=2, end=1)


class TestGetitem:
    @examples(40)
    @given(st.data())
    def test_basic_indices(self, data):
        x = drawn((3, 4, 2))
        index = data.draw(basic_indices(x.shape, allow_newaxis=True))
        assert_array_equal(md.tensor(x)[index].numpy(), x[index])
        check_gradients(lambda x: x[index], x, directions=1)

    @examples(40)
    @given(st.data())
    def test_integer_arrays(self, data):
        x = drawn((3, 4, 2))
        index = data.draw(integer_array_indices(x.shape))
        assert_array_equal(md.tensor(x)[index].numpy(), x[index])
        check_gradients(lambda x: x[index], x, directions=1)

    def test_masks_and_tensors_as_indices(self, backend):
        x = drawn((3, 4))
        mask = x > 0
        check_adjoint(lambda x: x[mask], x)
        for index in (md.tensor([2, 2, 0]), (slice(None), md.tensor([1, 1])), md.tensor(mask), [0, 0]):
            plain = index.numpy() if isinstance(index, md.Tensor) else index
            if isinstance(plain, tuple):
                plain = (plain[0], plain[1].numpy())
            assert_array_equal(md.tensor(x)[index].numpy(), x[plain])

    def test_an_element_taken_twice_collects_twice(self, backend):
        x = md.tensor(np.zeros(3), requires_grad=True)
        x[[0, 2, 0, 0]].backward(gradient=np.array([1.0, 2, 4, 8]))
        assert_array_equal(x.grad.numpy(), [13, 0, 2])

    def test_float32(self, backend):
        x = md.tensor(np.ones(3, np.float32), requires_grad=True)
        x[[0, 0]].sum().backward()
        assert x.grad.dtype == np.float32

    @pytest.mark.parametrize("index", [3, (0, 4), [0, 5], (0, 0, 0), 1.5, "a"])
    def test_refused(self, backend, index):
        with pytest.raises(ShapeError, match=r"^getitem: .* \(x has shape \(3, 4\)\)$"):
            F.getitem(drawn((3, 4)), index=index)


class TestPad:
    @given(SHAPES.filter(bool), st.data())
    def test_values_and_adjoint(self, shape, data):
        pairs = st.tuples(st.integers(0, 2), st.integers(0, 2))
        width = data.draw(st.tuples(*[pairs] * len(shape)))
        x = drawn(shape)
        assert_array_equal(F.pad(x, width=width, value=2.5).numpy(), np.pad(x, width, constant_values=2.5))
        check_adjoint(lambda x: F.pad(x, width=width), x)

    @pytest.mark.parametrize(
        "width",
        [
            ((1, 1),),
            ((1, 1), (1, -1)),
            ((1, 1), (1,)),
            1,
            (1, 2, 3),
            (1,) * 6,
            ((1, 1),) * 3,
            ((1, 1), (0.5, 1)),
            (1, -1),
        ],
    )
    def test_refused(self, backend, width):
        with pytest.raises(OptionError) as caught:
            F.pad(drawn((2, 3)), width=width)
        assert str(caught.value) == (
            f"pad: width must be one (before, after) pair of ints >= 0 for each of the 2 axes, or PyTorch's (left, right, top, "
            f"bottom, ...), not {width!r}"
        )

    def test_pytorchs_order_begins_with_the_last_axis(self, backend):
        x = drawn((2, 3, 4))
        assert_array_equal(F.pad(x, (1, 2)).numpy(), np.pad(x, ((0, 0), (0, 0), (1, 2))))
        assert_array_equal(F.pad(x, (1, 2, 0, 3)).numpy(), np.pad(x, ((0, 0), (0, 3), (1, 2))))


class TestJoin:
    @pytest.mark.parametrize("axis", [0, 1, -1, -2])
    def test_concatenate(self, backend, axis):
        a, b, c = drawn((2, 3)), drawn((2, 3)), drawn((2, 1) if axis % 2 else (0, 3))
        assert_array_equal(F.concatenate([a, b, c], axis).numpy(), np.concatenate([a, b, c], axis))
        check_gradients(lambda *arrays: F.concatenate(arrays, axis), a, b, c)

    @pytest.mark.parametrize("axis", [0, 1, 2, -1, -3])
    def test_stack(self, backend, axis):
        a, b = drawn((2, 3)), drawn((2, 3)) + 1
        assert_array_equal(F.stack([a, b], axis).numpy(), np.stack([a, b], axis))
        check_gradients(lambda *arrays: F.stack(arrays, axis), a, b)

    def test_the_same_tensor_twice(self, backend):
        check_gradients(lambda x: F.concatenate([x, x * 2, x]), drawn((2, 2)))
        check_gradients(lambda x: F.stack([x, x]), drawn(()))

    def test_one_is_enough_and_none_is_not(self, backend):
        assert_array_equal(F.concatenate([drawn(3)]).numpy(), drawn(3))
        for name in ("concatenate", "stack"):
            with pytest.raises(ShapeError, match=f"{name}: needs at least one array"):
                getattr(F, name)([])

    def test_shapes_that_differ(self, backend):
        with pytest.raises(ShapeError, match=r"concatenate: \(2, 3\) and \(2, 4\) differ outside axis 0"):
            F.concatenate([drawn((2, 3)), drawn((2, 4))])
        with pytest.raises(ShapeError, match=r"concatenate: \(2, 3\) and \(2, 3, 1\) differ outside axis 1"):
            F.concatenate([drawn((2, 3)), drawn((2, 3, 1))], 1)
        with pytest.raises(ShapeError, match=r"stack: shapes \(2, 3\) and \(2, 4\) differ"):
            F.stack([drawn((2, 3)), drawn((2, 4))])

    @pytest.mark.parametrize("name", ["concatenate", "stack"])
    def test_types_that_differ_anywhere(self, backend, name):
        with pytest.raises(DtypeError) as caught:
            getattr(F, name)([np.ones(2, np.float32), np.ones(2, np.float32), np.ones(2)])
        assert str(caught.value) == (
            f"{name}: array 0 is float32, array 1 is float32, array 2 is float64; nothing is cast silently, "
            "so convert one with astype"
        )

    @pytest.mark.parametrize("axis", [3, -4, None, (0,)])
    def test_axes_that_are_not_there(self, backend, axis):
        for name, count in (("concatenate", 2), ("stack", 3)):
            with pytest.raises(OptionError) as caught:
                getattr(F, name)([drawn((2, 3))] * 2, axis)
            assert str(caught.value) == f"{name}: axis {axis!r} is no axis of an array with {count} of them"

    def test_arrays_without_axes(self, backend):
        with pytest.raises(OptionError, match="concatenate: axis 0 is no axis of an array with 0 of them"):
            F.concatenate([drawn(()), drawn(())])


class TestInsertZeros:
    @given(st.lists(st.integers(0, 4), min_size=1, max_size=3).map(tuple), st.data())
    def test_values_and_adjoint(self, size, data):
        factors = data.draw(st.tuples(*[st.integers(1, 4)] * len(size)))
        x = drawn((2, 3, *size))
        y = F.insert_zeros(x, factor=factors)
        assert y.shape[2:] == tuple(f * (n - 1) + 1 if n else 0 for f, n in zip(factors, size, strict=True))
        if 0 not in size:
            assert_array_equal(y.numpy(), oracles.spelled_out(x, factors))
        check_adjoint(lambda x: F.insert_zeros(x, factor=factors), x)

    def test_one_factor_for_all_axes(self, backend):
        assert F.insert_zeros(drawn((1, 1, 3, 2)), factor=3).shape == (1, 1, 7, 4)
        assert_allclose(F.insert_zeros(np.ones((1, 1, 2), np.float32), factor=2).numpy(), [[[1, 0, 1]]])

    def test_refused(self, backend):
        with pytest.raises(ShapeError, match=r"insert_zeros: x must be \(N, C, \*S\) .* not \(2, 3\)"):
            F.insert_zeros(drawn((2, 3)), factor=2)
        with pytest.raises(OptionError, match="insert_zeros: factor must be made of ints >= 1, not 0"):
            F.insert_zeros(drawn((2, 3, 4)), factor=0)
        with pytest.raises(OptionError, match=r"factor must be an int or 1 ints, one per spatial axis, not \(2, 2\)"):
            F.insert_zeros(drawn((2, 3, 4)), factor=(2, 2))
