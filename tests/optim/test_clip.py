"""Clipping by the global norm."""

import math

import numpy as np
import pytest

from minidil.errors import OptionError, TrainingError
from minidil.nn import Parameter
from minidil.optim import clip_grad_norm
from minidil.tensor import tensor


def with_grad(*grad: float) -> Parameter:
    parameter = Parameter(np.zeros(len(grad), np.float32))
    parameter.grad = tensor(np.array(grad, np.float32))
    return parameter


def test_all_gradients_shrink_together() -> None:
    a, b, c = with_grad(3, 0), with_grad(-4), Parameter(np.zeros(2, np.float32))
    assert clip_grad_norm([a, b, c], 1.0) == 5
    assert a.grad.data == pytest.approx(np.array([0.6, 0]))
    assert b.grad.data == pytest.approx(np.array([-0.8]))
    assert c.grad is None
    assert a.grad.dtype == np.float32


@pytest.mark.parametrize("max_norm", [5, 5.5, math.inf])
def test_short_gradients_stay_the_same_objects(max_norm: float) -> None:
    a, b = with_grad(3, 0), with_grad(-4)
    grads = a.grad, b.grad
    assert clip_grad_norm([a, b], max_norm) == 5
    assert a.grad is grads[0]
    assert b.grad is grads[1]


def test_a_repeated_parameter_counts_and_shrinks_once() -> None:
    a = with_grad(3, 4)
    assert clip_grad_norm([a, a], 2.5) == 5
    assert a.grad.data == pytest.approx(np.array([1.5, 2]))


def test_one_tensor_an_iterator_and_nothing() -> None:
    assert clip_grad_norm(with_grad(3, 4), 10) == 5
    assert clip_grad_norm(iter([with_grad(3, 4)]), 10) == 5
    assert clip_grad_norm([Parameter(np.zeros(1))], 1) == 0


def test_large_gradients_do_not_overflow() -> None:
    a = with_grad(1e30, 1e30)
    assert clip_grad_norm([a], 1.0) == pytest.approx(math.sqrt(2) * 1e30)
    assert a.grad.data == pytest.approx(np.full(2, math.sqrt(0.5)))


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_what_is_not_finite_is_refused_before_anything_changes(value: float) -> None:
    a, b = with_grad(30, 40), with_grad(1, value, 1)
    grad = a.grad
    with pytest.raises(TrainingError, match=r"gradient 1, of a parameter of shape \(3,\), is not finite"):
        clip_grad_norm([a, b], 1.0)
    assert a.grad is grad


@pytest.mark.parametrize("max_norm", [0, -1, math.nan])
def test_max_norm_must_be_positive(max_norm: float) -> None:
    with pytest.raises(OptionError, match="max_norm must be a number > 0"):
        clip_grad_norm([with_grad(1)], max_norm)
