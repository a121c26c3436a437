"""NumPy's functions on tensors: values are computed with, graphs are not lost."""

import operator

import numpy as np
import pytest

import minidil as md
from minidil.errors import CallError, GraphError

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


def test_an_arrays_operator_asks_the_tensor() -> None:
    array, x = np.array([1.0, 4.0], np.float32), md.tensor([2.0, 2.0], requires_grad=True)
    for operate, said in [
        (operator.add, [3, 6]),
        (operator.sub, [-1, 2]),
        (operator.mul, [2, 8]),
        (operator.truediv, [0.5, 2]),
        (operator.pow, [1, 16]),
        (operator.matmul, 10),
        (operator.lt, [True, False]),
        (operator.le, [True, False]),
        (operator.gt, [False, True]),
        (operator.ge, [False, True]),
        (operator.eq, [False, False]),
        (operator.ne, [True, True]),
    ]:
        result = operate(array, x)
        assert isinstance(result, md.Tensor)
        assert result.tolist() == said
    (array * x + np.float32(3) * x).sum().backward()
    assert x.grad is not None
    assert x.grad.tolist() == [4, 7]
    mask = np.array([True, False])
    assert [f(mask, x > 0).tolist() for f in (operator.and_, operator.or_, operator.xor)] == [
        [True, False],
        [True, True],
        [False, True],
    ]


def test_functions_of_single_numbers_are_answered() -> None:
    x = md.tensor([1.0, 2.0])
    with pytest.raises(CallError, match=r"np.exp: takes arrays.*use minidil.functional.exp, or x.detach\(\).numpy\(\)"):
        np.exp(x)
    with pytest.raises(CallError, match=r"np.isnan: takes arrays, and would lose a tensor's gradient; use x.detach"):
        np.isnan(x)
    with pytest.raises(CallError, match=r"np.add: takes arrays"):
        np.add.reduce(x)
    array = np.zeros(2, np.float32)
    with pytest.raises(CallError, match=r"np.subtract: an array is not changed by a tensor.*`with minidil.no_grad"):
        array -= x
    assert array.tolist() == [0, 0]
