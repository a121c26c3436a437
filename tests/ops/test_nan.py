"""A NaN is never hidden: extremes, pooling and activations give NaN where they met one, and the gradient goes there."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal

import minidil as md
import minidil.functional as F
from minidil.kernels.cuda.target import problem

NAN = np.nan
# name: function, x, value, gradient for a gradient of ones
CASES = {
    "relu": (F.relu, [NAN, -1, 2], [NAN, 0, 2], [1, 0, 1]),
    "clip": (lambda x: F.clip(x, low=0, high=1), [NAN, -1, 0.5], [NAN, 0, 0.5], [0, 0, 1]),
    "maximum": (lambda x: F.maximum(x, 1), [NAN, 0, 2], [NAN, 1, 2], [1, 0, 1]),
    "maximum with NaN": (lambda x: F.maximum(x, NAN), [0, NAN], [NAN, NAN], [1, 1]),
    "minimum": (lambda x: F.minimum(x, 1), [NAN, 0, 2], [NAN, 0, 1], [1, 1, 0]),
    "minimum with NaN": (lambda x: F.minimum(NAN, x), [0, NAN], [NAN, NAN], [1, 1]),
    "max": (F.max, [1, NAN, 3], NAN, [0, 1, 0]),
    "min": (F.min, [1, NAN, 3], NAN, [0, 1, 0]),
    "max over an axis": (
        lambda x: F.max(x, axis=1),
        [[1, NAN, NAN], [5, 5, 2]],
        [NAN, 5],
        [[0, 0.5, 0.5], [0.5, 0.5, 0]],
    ),
    "min over an axis": (lambda x: F.min(x, axis=0), [[1, NAN], [1, 2]], [1, NAN], [[0.5, 1], [0.5, 0]]),
    "max_pool": (
        lambda x: F.max_pool(x, kernel_size=2),
        [[[NAN, 9, 4, NAN, 1, 2]]],
        [[[NAN, NAN, 2]]],
        [[[1, 0, 0, 1, 0, 1]]],
    ),
    "sum": (lambda x: F.sum(x, axis=1), [[1, NAN], [1, 2]], [NAN, 3], [[1, 1], [1, 1]]),
    "mean": (lambda x: F.mean(x, axis=1), [[1, NAN], [1, 2]], [NAN, 1.5], [[0.5, 0.5], [0.5, 0.5]]),
    "var": (lambda x: F.var(x, axis=1), [[1, NAN], [2, 2]], [NAN, 0], [[NAN, NAN], [0, 0]]),
    "leaky_relu": (lambda x: F.leaky_relu(x, slope=0.25), [NAN, -1, 1], [NAN, -0.25, 1], [0.25, 0.25, 1]),
    **{
        name: (getattr(F, name), [NAN], [NAN], [NAN])
        for name in ("sigmoid", "tanh", "silu", "gelu", "exp", "sqrt", "log")
    },
    "softmax": (
        F.softmax,
        [[0, NAN], [NAN, 0], [5, -np.inf]],
        [[NAN] * 2, [NAN] * 2, [1, 0]],
        [[NAN] * 2, [NAN] * 2, [0, 0]],
    ),
    "relu after batch_norm": (
        lambda x: F.batch_norm(x, mean=np.zeros(1, x.dtype), var=np.ones(1, x.dtype), eps=0, activation="relu"),
        [[NAN], [-1], [2]],
        [[NAN], [0], [2]],
        [[1], [0], [1]],
    ),
}


def keeps_its_nan(name, dtype):
    function, numbers, value, slope = CASES[name]
    x = md.tensor(np.array(numbers, dtype), requires_grad=True)
    y = function(x)
    y.backward(gradient=np.ones(y.shape, dtype))
    assert_array_equal(y.numpy(), value)
    assert_array_equal(x.grad.numpy(), slope)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", sorted(CASES))
def test_value_and_gradient(backend, name, dtype):
    keeps_its_nan(name, dtype)


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(CASES))
def test_value_and_gradient_on_cuda(monkeypatch, name):
    if missing := problem("emulator"):
        pytest.skip(f"cuda {missing}")
    monkeypatch.setenv("MINIDIL_CUDA", "emulator")
    with md.use("cuda"):
        keeps_its_nan(name, np.float32)


@pytest.mark.parametrize("name", ["maximum", "minimum"])
def test_an_infinite_gradient_stays_with_the_winner(backend, name):
    a, b = (md.tensor(np.array(numbers), requires_grad=True) for numbers in ([1.0, 2.0], [2.0, 1.0]))
    getattr(F, name)(a, b).backward(gradient=np.full(2, np.inf))
    first, second = ([0, np.inf], [np.inf, 0]) if name == "maximum" else ([np.inf, 0], [0, np.inf])
    assert_array_equal(a.grad.numpy(), first)
    assert_array_equal(b.grad.numpy(), second)
