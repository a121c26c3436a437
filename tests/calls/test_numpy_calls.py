"""NumPy's functions on tensors: values are computed with, graphs are not lost."""

import numpy as np
import pytest

import minidil as md
from minidil.errors import GraphError

W = md.tensor(np.arange(4.0).reshape(2, 2), requires_grad=True)
X = md.tensor(np.arange(4.0).reshape(2, 2))


@pytest.mark.parametrize(
    ("call", "word"),
    [
        (lambda w: np.stack([X, w]), "stack"),
        (lambda w: np.concatenate((w, X)), "concatenate"),
        (lambda w: np.dot(w, X), "matmul"),
        (lambda w: np.einsum("ij,jk->ik", w, X), "einsum"),
        (lambda w: np.where(X.numpy() > 1, w, 0), "where"),
        (lambda w: np.sum(w), "sum"),
        (lambda w: np.mean(w, axis=0), "mean"),
        (lambda w: np.max(w), "max"),
        (lambda w: np.reshape(w, 4), "reshape"),
        (lambda w: np.expand_dims(w, 0), "unsqueeze"),
    ],
)
def test_a_graph_is_not_lost(call, word: str) -> None:
    with pytest.raises(GraphError, match=rf"which NumPy would lose; use minidil.functional.{word}, or x.detach\(\)"):
        call(W)
    assert hasattr(md.functional, word)
    with md.no_grad():
        assert isinstance(call(W), np.ndarray | np.generic)
    assert isinstance(call(W.detach()), np.ndarray | np.generic)


def test_without_a_counterpart_only_the_value_is_offered() -> None:
    with pytest.raises(
        GraphError, match=r"np.roll: a tensor here needs a gradient, which NumPy would lose; use x.detach"
    ):
        np.roll(W, 1)


def test_values_are_found_in_nested_arguments_and_by_name() -> None:
    assert np.allclose(X, X)
    assert np.argmax(X) == 3
    assert np.block([[X, X], [X, X]]).shape == (4, 4)
    assert np.sum(a=X, axis=0).tolist() == [2, 4]
