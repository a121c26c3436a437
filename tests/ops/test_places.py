"""Where elements stand: NumPy's answers, ties included, and the gradients of what is taken from there."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

import minidil as md
from minidil import functional as F
from minidil.errors import ShapeError

shapes = st.lists(st.integers(1, 4), min_size=1, max_size=4).map(tuple)


@given(length=st.integers(0, 7), size=st.integers(1, 8), chunks=st.integers(1, 8))
def test_parts_together_are_the_whole(length, size, chunks) -> None:
    x = md.tensor(np.arange(2.0 * length).reshape(2, length))
    pieces = F.split(x, size, axis=1)
    assert [p.shape[1] for p in pieces[:-1]] == [size] * (len(pieces) - 1)
    assert_array_equal(F.concatenate(pieces, 1).numpy(), x.numpy())
    pieces = F.chunk(x, chunks, 1)
    assert len(pieces) <= chunks
    assert_array_equal(F.concatenate(pieces, 1).numpy(), x.numpy())


def test_split_takes_sizes_and_gradients_reach_every_part() -> None:
    x = md.tensor(np.arange(5.0), requires_grad=True)
    a, b, c = x.split([1, 0, 4])
    assert (a.shape, b.shape, c.shape) == ((1,), (0,), (4,))
    (3 * a.sum() + c.sum()).backward()
    assert x.grad is not None
    assert x.grad.tolist() == [3, 1, 1, 1, 1]


@given(shape=shapes, data=st.data())
def test_sorted_elements_and_their_places(shape, data) -> None:
    axis = data.draw(st.integers(-len(shape), len(shape) - 1))
    x = np.random.default_rng(1).integers(0, 3, shape).astype(np.float64)  # with ties
    values, places = F.sort(x := md.tensor(x), axis)
    assert_array_equal(values.numpy(), np.sort(x.numpy(), axis))
    assert_array_equal(places.numpy(), np.argsort(x.numpy(), axis, kind="stable"))
    values, places = F.sort(x, axis, descending=True)
    assert_array_equal(values.numpy(), -np.sort(-x.numpy(), axis))
    assert_array_equal(places.numpy(), np.argsort(-x.numpy(), axis, kind="stable"))
    k = data.draw(st.integers(0, x.shape[axis]))
    assert_array_equal(F.topk(x, k, axis)[1].numpy(), np.take(places.numpy(), range(k), axis))


def test_the_gradient_goes_to_the_elements_that_were_chosen() -> None:
    x = md.tensor(np.array([[3.0, 1.0, 2.0], [5.0, 4.0, 6.0]]), requires_grad=True)
    values, places = x.topk(2)
    assert values.tolist() == [[3, 2], [6, 5]]
    assert places.tolist() == [[0, 2], [2, 0]]
    (values * np.array([1.0, 10.0])).sum().backward()
    assert x.grad is not None
    assert x.grad.tolist() == [[1, 0, 10], [10, 0, 1]]


def test_places_and_truth_are_numpys() -> None:
    x = np.array([[1.0, 3.0, 3.0], [0.0, -1.0, 2.0]])
    t = md.tensor(x, requires_grad=True)
    for axis in (None, 0, 1, -1):
        assert t.argmax(axis).tolist() == np.argmax(x, axis).tolist()
        assert t.argmin(axis, keepdims=True).tolist() == np.argmin(x, axis, keepdims=True).tolist()
        assert t.any(axis).tolist() == np.any(x, axis).tolist()
        assert (t > -5).all(axis).tolist() == np.all(x > -5, axis).tolist()
    assert not t.argmax().requires_grad
    with pytest.raises(ShapeError, match=r"argmax: x .* has no elements"):
        F.argmax(np.zeros((0, 2)), 0)
