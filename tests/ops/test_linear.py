"""Matrix products: every pair of ranks, broadcasting stacks, empty sizes."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis.extra.numpy import mutually_broadcastable_shapes
from numpy.testing import assert_allclose

import minidil as md
import minidil.functional as F
from minidil.errors import DtypeError, ShapeError
from minidil.testing import check_adjoint, check_gradients


def drawn(shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape)


@given(mutually_broadcastable_shapes(signature=np.matmul.signature, max_dims=3, min_side=0, max_side=3))
def test_matmul_takes_what_numpy_takes(shapes):
    a, b = (drawn(shape, seed) for seed, shape in enumerate(shapes.input_shapes))
    assert_allclose(F.matmul(a, b).numpy(), a @ b, atol=1e-12)
    assert F.matmul(a, b).shape == shapes.result_shape
    check_gradients(F.matmul, a, b, directions=1)


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ((3,), (3,)),
        ((3,), (3, 2)),
        ((2, 3), (3,)),
        ((2, 3), (3, 4)),
        ((5, 2, 3), (3,)),
        ((3,), (5, 3, 2)),
        ((5, 1, 2, 3), (4, 3, 2)),
    ],
)
def test_matmul_on_both_backends(backend, a, b):
    check_gradients(F.matmul, drawn(a), drawn(b, 1), entries=True)
    check_adjoint(lambda x: x @ drawn(b, 1), drawn(a))
    assert_allclose((md.tensor(drawn(a)) @ drawn(b, 1)).numpy(), drawn(a) @ drawn(b, 1))


@pytest.mark.parametrize(
    ("a", "b"),
    [((2, 3), (2, 3)), ((), (3,)), ((3,), ()), ((3,), (2,)), ((2, 3), (2,)), ((3,), (2, 3)), ((2, 3), (4, 2, 2))],
)
def test_matmul_refuses_inner_sizes_that_differ(backend, a, b):
    with pytest.raises(ShapeError) as caught:
        F.matmul(drawn(a), drawn(b))
    assert str(caught.value) == f"matmul: the last axis of a {a} must have the size of the last but one of b {b}"


def test_matmul_refuses_stacks_that_do_not_broadcast(backend):
    with pytest.raises(ShapeError, match=r"matmul \(leading axes\): shapes \(2,\) and \(3,\) do not broadcast"):
        F.matmul(drawn((2, 3, 4)), drawn((3, 4, 5)))


@pytest.mark.parametrize("lead", [(), (1,), (4,), (2, 3), (0,), (2, 0)])
@pytest.mark.parametrize(("inputs", "outputs"), [(3, 2), (1, 1), (0, 2), (3, 0)])
def test_linear(backend, lead, inputs, outputs):
    x, weight, bias = drawn((*lead, inputs)), drawn((outputs, inputs), 1), drawn(outputs, 2)
    assert_allclose(F.linear(x, weight, bias).numpy(), x @ weight.T + bias)
    assert_allclose(F.linear(x, weight).numpy(), x @ weight.T)
    check_gradients(F.linear, x, weight, bias)
    check_gradients(F.linear, x, weight)
    check_adjoint(lambda x: F.linear(x, weight), x)


def test_float32_stays_float32(backend):
    x, weight, bias = (md.tensor(drawn(s).astype(np.float32), requires_grad=True) for s in [(2, 3), (4, 3), (4,)])
    y = F.linear(x, weight, bias)
    (y @ weight).sum().backward()
    assert {t.dtype for t in (y, x.grad, weight.grad, bias.grad)} == {np.dtype(np.float32)}


def test_linear_refuses(backend):
    with pytest.raises(ShapeError, match=r"linear: x \(2, 4\) must end in the second size of weight \(5, 3\)"):
        F.linear(drawn((2, 4)), drawn((5, 3)))
    with pytest.raises(ShapeError, match=r"linear: x \(\) must end"):
        F.linear(drawn(()), drawn((5, 3)))
    with pytest.raises(ShapeError, match=r"linear: x \(3,\) must end in the second size of weight \(3,\)"):
        F.linear(drawn(3), drawn(3))
    with pytest.raises(ShapeError, match=r"linear: bias must be \(5,\) to go with weight \(5, 3\), not \(3,\)"):
        F.linear(drawn((2, 3)), drawn((5, 3)), drawn(3))
    with pytest.raises(DtypeError, match="linear: x is float32, weight is float64"):
        F.linear(drawn((2, 3)).astype(np.float32), drawn((5, 3)))
