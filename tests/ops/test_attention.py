"""Attention: values against loops over queries and keys, gradients against central differences and the tape; masks."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

import minidil as md
import minidil.functional as F
from minidil.errors import DtypeError, OptionError, ShapeError
from minidil.ops.attention import packed_attention, scaled_dot_product_attention
from minidil.testing import check_gradients

attend = F.scaled_dot_product_attention


def drawn(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape)


def operands(lead=(2,), queries=3, keys=4):
    return [drawn(*lead, queries, 5), drawn(*lead, keys, 5, seed=1), drawn(*lead, keys, 2, seed=2)]


def by_loops(query, key, value, counts, scale):
    y = np.zeros((*query.shape[:-1], value.shape[-1]))
    for place in np.ndindex(*query.shape[:-1]):
        batch = place[:-1]
        kept = [s for s in range(key.shape[-2]) if counts[(*place, s)]]
        powers = [np.exp(scale * query[place] @ key[(*batch, s)]) for s in kept]
        for s, power in zip(kept, powers, strict=True):
            y[place] += power / sum(powers) * value[(*batch, s)]
    return y


@given(data=st.data(), lead=st.sampled_from([(), (2,), (2, 3)]), queries=st.integers(1, 3), keys=st.integers(1, 4))
def test_the_mean_of_the_values(backend, data, lead, queries, keys) -> None:
    arrays = operands(lead, queries, keys)
    shape = (*lead, queries, keys)
    flags = st.lists(st.booleans(), min_size=int(np.prod(shape)), max_size=int(np.prod(shape)))
    counts = np.array(data.draw(flags)).reshape(shape)
    wanted = by_loops(*arrays, counts, 5**-0.5)
    assert_allclose(attend(*arrays, counts).numpy(), wanted, atol=1e-12)
    assert_allclose(attend(*arrays, np.where(counts, 0, -np.inf)).numpy(), wanted, atol=1e-12)
    every = np.ones(shape, bool)
    assert_allclose(attend(*arrays, scale=0.3).numpy(), by_loops(*arrays, every, 0.3), atol=1e-12)
    assert_allclose(attend(*arrays, is_causal=True).numpy(), by_loops(*arrays, np.tril(every), 5**-0.5), atol=1e-12)


COUNTS = np.array([[True, False, True, True], [False, False, False, False], [True, True, False, False]])


@pytest.mark.parametrize("mask", [None, COUNTS, drawn(3, 4), np.where(COUNTS, drawn(3, 4), -np.inf)])
def test_central_differences(backend, mask) -> None:
    check_gradients(lambda *leaves: attend(*leaves, mask), *operands())


def test_the_gradients_of_elementary_ops(backend) -> None:
    found = []
    for function in (attend, lambda q, k, v: F.softmax(q @ k.transpose(0, 2, 1) / 5**0.5, axis=2) @ v):
        leaves = [md.tensor(array, requires_grad=True) for array in operands()]
        y = function(*leaves)
        y.backward(gradient=drawn(*y.shape, seed=3))
        found.append([y.numpy(), *(leaf.grad.numpy() for leaf in leaves)])
    for ours, theirs in zip(*found, strict=True):
        assert_allclose(ours, theirs, atol=1e-12)


def test_no_query_sees_a_later_key(backend) -> None:
    query, key, value = operands(queries=4)
    before = attend(query, key, value, is_causal=True).numpy()
    for s in range(4):
        later_key, later_value = key.copy(), value.copy()
        later_key[:, s] += 1
        later_value[:, s] += 1
        moved = attend(query, later_key, later_value, is_causal=True).numpy() != before
        assert_array_equal(moved.any(axis=(0, 2)), np.arange(4) >= s)


def test_a_query_without_keys_gets_nothing(backend) -> None:
    leaves = [md.tensor(array, requires_grad=True) for array in operands()]
    y = attend(*leaves, COUNTS)
    (y * y + y).sum().backward()
    assert not y.numpy()[:, 1].any()
    assert not leaves[0].grad.numpy()[:, 1].any()
    assert all(np.isfinite(leaf.grad.numpy()).all() for leaf in leaves)


def test_scores_far_apart_do_not_overflow(backend) -> None:
    query, key, value = (1e3 * array.astype(np.float32) for array in operands())
    y = attend(query, key, value, COUNTS).numpy()
    assert np.isfinite(y).all()


def test_refused() -> None:
    query, key, value = operands()
    with pytest.raises(
        ShapeError, match=r"last axis of query \(2, 3, 5\) must have the size of that of key \(2, 4, 2\)"
    ):
        attend(query, value, key)
    with pytest.raises(ShapeError, match=r"attn_mask \(4, 3\) does not broadcast to the scores \(2, 3, 4\)"):
        attend(query, key, value, COUNTS.T)
    with pytest.raises(OptionError, match="give attn_mask or is_causal, not both"):
        attend(query, key, value, COUNTS, is_causal=True)
    with pytest.raises(DtypeError, match="attn_mask must hold bools, true where a key counts, or floats, not int64"):
        attend(query, key, value, COUNTS.astype(np.int64))
    with pytest.raises(DtypeError, match="query is float64 but attn_mask is float32"):
        attend(query, key, value, COUNTS.astype(np.float32))
    with pytest.raises(ShapeError, match=r"key \(2, 0, 5\) has no keys"):
        attend(query, key[:, :0], value[:, :0])
    with pytest.raises(ShapeError, match=r"query \(3, 5\), key \(2, 4, 5\) and value \(2, 4, 2\) must be"):
        attend(query[0], key, value)


@pytest.mark.parametrize("mask", [None, COUNTS[:, :3], drawn(3, 3)])
def test_three_parts_in_one_array_have_their_gradients_in_one(backend, mask) -> None:
    packed, grad = drawn(3, 2, 4, 3, 5), drawn(2, 4, 3, 5, seed=1)
    y, (slope,) = packed_attention(packed, attn_mask=mask)
    wanted, slopes = scaled_dot_product_attention(*packed, attn_mask=mask)
    assert_allclose(y, wanted, atol=1e-12)
    assert_allclose(slope(grad), np.stack([each(grad) for each in slopes]), atol=1e-12)


@pytest.mark.parametrize("floats", [False, True])
def test_a_key_that_does_not_count_has_no_weight_however_well_it_answers(backend, floats) -> None:
    query, key, value = (each.astype(np.float32) for each in operands(queries=2))
    key[:, 3] *= 1e15
    counts = np.array([[True, True, True, False], [False, False, False, False]])
    mask = np.where(counts, 0, -np.inf).astype(np.float32) if floats else counts
    found = attend(query, key, value, mask).numpy()
    assert_allclose(found[:, :1], attend(query[:, :1], key[:, :3], value[:, :3]).numpy(), rtol=1e-5, atol=1e-6)
    assert_array_equal(found[:, 1], 0)
