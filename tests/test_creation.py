"""Tensors made from nothing."""

import numpy as np
import pytest

import minidil as md
from minidil.errors import CallError


def test_constants_take_ints_or_one_tuple_and_are_float32() -> None:
    for made, wanted in (
        (md.zeros(2, 3), np.zeros((2, 3))),
        (md.zeros((2, 3)), np.zeros((2, 3))),
        (md.ones([2]), np.ones(2)),
        (md.full((2, 2), 7.5), np.full((2, 2), 7.5)),
        (md.eye(2, 3), np.eye(2, 3)),
        (md.linspace(0, 1, 5), np.linspace(0, 1, 5)),
    ):
        assert made.dtype == np.float32
        assert made.numpy().tolist() == wanted.tolist()
    assert md.zeros(()).shape == ()


def test_a_range_of_ints_is_int64_and_of_floats_float32() -> None:
    assert md.arange(3).tolist() == [0, 1, 2]
    assert md.arange(3).dtype == np.int64
    assert md.arange(1, 2, 0.5).tolist() == [1, 1.5]
    assert md.arange(1, 2, 0.5).dtype == np.float32
    assert md.arange(0, 2, dtype="float64").dtype == np.float64


def test_likenesses_have_shape_and_type() -> None:
    x = md.tensor(np.ones((2, 3)))
    for made, value in ((md.zeros_like(x), 0), (md.ones_like(x), 1), (md.full_like(x, 4), 4)):
        assert (made.shape, made.dtype) == ((2, 3), np.float64)
        assert (made.numpy() == value).all()


def test_random_tensors_follow_the_seed_or_the_generator() -> None:
    for draw in (
        lambda **rng: md.rand(50, **rng),
        lambda **rng: md.randn((50,), **rng),
        lambda **rng: md.randint(0, 9, (50,), **rng),
        lambda **rng: md.randperm(50, **rng),
    ):
        md.seed(4)
        first = draw().numpy()
        md.seed(4)
        assert (draw().numpy() == first).all()
        assert (draw().numpy() != first).any()
        assert (draw(rng=np.random.default_rng(4)).numpy() == first).all()
    assert md.rand(3).dtype == md.randn(3).dtype == np.float32
    assert sorted(md.randperm(5).tolist()) == [0, 1, 2, 3, 4]
    assert md.randn(3, requires_grad=True).requires_grad


@pytest.mark.parametrize("shape", [(2.5,), (-1,), ("a",), ((1, 2), 3)])
def test_a_shape_is_made_of_ints(shape: tuple) -> None:
    with pytest.raises(CallError, match="a shape is made of ints >= 0"):
        md.zeros(*shape)
