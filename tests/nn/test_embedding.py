"""Embedding: rows of a table, and a dense gradient."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

import minidil as md
from minidil import nn
from minidil.errors import DtypeError, OptionError


@given(arrays(np.int64, array_shapes(max_dims=3, max_side=4), elements=st.integers(0, 4)))
def test_rows_and_their_gradient(backend, ids) -> None:
    layer = nn.Embedding(5, 3).astype(np.float64)
    table = layer.weight.numpy()
    upstream = np.random.default_rng(1).standard_normal((*ids.shape, 3))
    y = layer(ids)
    y.backward(gradient=upstream)
    expected = np.zeros((5, 3))
    for place in np.ndindex(*ids.shape):
        assert (y.numpy()[place] == table[ids[place]]).all()
        expected[ids[place]] += upstream[place]
    np.testing.assert_allclose(layer.weight.grad.numpy(), expected, atol=1e-12)


def test_it_takes_tensors_and_is_drawn_by_rng() -> None:
    one, other = (nn.Embedding(4, 2, rng=np.random.default_rng(0)) for _ in range(2))
    ids = md.tensor([[3, 0]])
    assert one(ids).shape == (1, 2, 2)
    assert (one(ids).numpy() == other(ids.numpy().astype(np.int32)).numpy()).all()
    assert list(one.state_dict()) == ["weight"]
    assert repr(one) == "Embedding(4, 2)"


def test_refused() -> None:
    layer = nn.Embedding(4, 2)
    with pytest.raises(OptionError, match=r"ids must lie in 0\.\.3, but run from -1 to 4"):
        layer(np.array([-1, 4]))
    with pytest.raises(DtypeError, match="ids must be integers, not float32; use astype"):
        layer(md.tensor([1.0]))
    with pytest.raises(OptionError, match="embedding_dim must be an int >= 1, not 0"):
        nn.Embedding(4, 0)


class TestPadding:
    def test_its_row_is_zero_and_gets_no_gradient(self):
        layer = nn.Embedding(4, 2, padding_idx=1)
        y = layer(np.array([[1, 3], [0, 1]]))
        assert y.numpy()[0, 0].tolist() == y.numpy()[1, 1].tolist() == [0, 0]
        (y * 2).sum().backward()
        assert layer.weight.grad.numpy().tolist() == [[2, 2], [0, 0], [0, 0], [2, 2]]

    def test_it_counts_from_the_end_and_is_shown(self):
        assert nn.Embedding(4, 2, -1).padding_idx == 3
        assert repr(nn.Embedding(4, 2, 0)) == "Embedding(4, 2, padding_idx=0)"

    def test_an_id_without_a_row_is_refused(self):
        with pytest.raises(OptionError, match=r"Embedding: padding_idx 4 is no id in 0\.\.3"):
            nn.Embedding(4, 2, padding_idx=4)
