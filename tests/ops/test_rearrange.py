"""Elements in other places: values are NumPy's, gradients are checked, mistakes are named."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

import minidil as md
from minidil import functional as F
from minidil.errors import OptionError, ShapeError
from minidil.testing import check_gradients

shapes = st.lists(st.integers(1, 4), min_size=1, max_size=4).map(tuple)


def drawn(shape: tuple[int, ...]) -> np.ndarray:
    return np.random.default_rng(len(shape)).standard_normal(shape)


@given(shape=shapes, data=st.data())
def test_squeeze_and_unsqueeze_undo_each_other(shape, data) -> None:
    x = drawn(shape)
    axis = data.draw(st.integers(-len(shape) - 1, len(shape)))
    y = F.unsqueeze(x, axis)
    assert_array_equal(y.numpy(), np.expand_dims(x, axis))
    assert_array_equal(F.squeeze(y, axis).numpy(), x)
    assert_array_equal(F.squeeze(x).numpy(), np.squeeze(x))
    check_gradients(F.unsqueeze, x, axis=axis)
    check_gradients(F.squeeze, y.numpy(), axis=axis)


@given(shape=shapes, data=st.data())
def test_flip_is_numpys(shape, data) -> None:
    x = drawn(shape)
    axes = tuple(data.draw(st.sets(st.integers(0, len(shape) - 1))))
    assert_array_equal(F.flip(x, axes).numpy(), np.flip(x, axes))
    assert_array_equal(F.flip(x).numpy(), np.flip(x))
    check_gradients(F.flip, x, axis=axes)


@given(shape=shapes, data=st.data())
def test_expand_is_numpys_broadcast(shape, data) -> None:
    grown = tuple(data.draw(st.integers(1, 3)) if n == 1 else n for n in shape)
    new = tuple(data.draw(st.lists(st.integers(1, 3), max_size=2)))
    x = drawn(shape)
    assert_array_equal(F.expand(x, (*new, *grown)).numpy(), np.broadcast_to(x, (*new, *grown)))
    kept = (*new, *(-1 if n == m else m for n, m in zip(shape, grown, strict=True)))
    assert_array_equal(md.tensor(x).expand(*kept).numpy(), np.broadcast_to(x, (*new, *grown)))
    check_gradients(F.expand, x, shape=kept)


@given(shape=shapes, data=st.data())
def test_repeat_is_numpys_tile(shape, data) -> None:
    counts = tuple(data.draw(st.lists(st.integers(1, 3), min_size=len(shape), max_size=len(shape) + 1)))
    x = drawn(shape)
    assert_array_equal(md.tensor(x).repeat(*counts).numpy(), np.tile(x, counts))
    check_gradients(F.repeat, x, counts=counts)


@pytest.mark.parametrize(
    ("call", "error", "said"),
    [
        (lambda x: x.squeeze(1), ShapeError, r"squeeze: axis 1 of x \(2, 3\) has size 3, not 1"),
        (lambda x: x.unsqueeze(4), OptionError, "unsqueeze: axis 4 is no axis"),
        (lambda x: x.expand(2, 4), ShapeError, r"expand: x \(2, 3\) cannot be repeated to \(2, 4\)"),
        (lambda x: x.expand(3), ShapeError, r"cannot be repeated to \(3,\)"),
        (lambda x: x.expand(-1, 2, 3), ShapeError, r"cannot be repeated"),
        (
            lambda x: x.repeat(2),
            OptionError,
            r"repeat: needs an int >= 1 for each of the 2 axes of x \(2, 3\), not \(2,\)",
        ),
        (lambda x: x.split([1, 1], 1), ShapeError, r"split: parts \(1, 1\) add up to 2, but axis 1 of \(2, 3\) has 3"),
        (lambda x: x.split(0), OptionError, "split: a part has at least one element, not 0"),
        (lambda x: x.chunk(0), OptionError, "chunk: the number of chunks is at least 1"),
        (lambda x: x.topk(4), ShapeError, r"topk: k is 4, but axis 1 of x \(2, 3\) has 3 elements"),
    ],
)
def test_mistakes_are_named(call, error, said) -> None:
    with pytest.raises(error, match=said):
        call(md.tensor(np.zeros((2, 3))))
