"""Gradients of gradients: of every function against central differences of its gradient, and in the uses that they have."""

import gc

import numpy as np
import pytest
from numpy.testing import assert_allclose
from ops.test_every_op import CASES

import minidil as md
import minidil.functional as F
from minidil import nn
from minidil.errors import GraphError, OptionError, ShapeError
from minidil.graph import Node
from minidil.kernels.contract import KERNELS
from minidil.twice.formulas import KERNELS_OF_TENSORS
from minidil.twice.kernels import Recording

WITHOUT_SLOPE = {
    *("sign", "equal", "not_equal", "less", "less_equal", "greater", "greater_equal", "logical_and"),
    *("place", "constant", "zeros_like", "one_hot", "box_iou", "nms", "keep_mask", "square_sum"),
    *("sgd_update", "adam_update", "adamw_update", "rmsprop_update"),
}


def weighted(y, seed=5):
    return (y * np.random.default_rng(seed).standard_normal(y.shape)).sum()


def slopes(function, arrays):
    """The gradient of a weighted sum of the function, by one ordinary backward pass."""
    leaves = [md.tensor(array, requires_grad=True) for array in arrays]
    weighted(function(*leaves)).backward()
    return [np.zeros(x.shape) if x.grad is None else x.grad.numpy() for x in leaves]


def hessian_times(function, arrays, directions):
    """d/dt of these gradients where the arrays move by t times the directions, from a second backward pass."""
    leaves = [md.tensor(array, requires_grad=True) for array in arrays]
    with md.create_graph():
        y = weighted(function(*leaves))
    product = md.tensor(0.0, dtype=np.float64)
    for gradient, direction in zip(md.grad(y, leaves), directions, strict=True):
        product = product + (gradient * direction).sum()
    if product.requires_grad:
        product.backward()
    return [np.zeros(x.shape) if x.grad is None else x.grad.numpy() for x in leaves]


def check_twice(function, arrays, step=1e-6):
    directions = [np.random.default_rng(7 + i).standard_normal(array.shape) for i, array in enumerate(arrays)]
    found = hessian_times(function, arrays, directions)
    moved = [
        slopes(function, [a + sign * step * d for a, d in zip(arrays, directions, strict=True)]) for sign in (1, -1)
    ]
    for one, above, below in zip(found, *moved, strict=True):
        assert_allclose(one, (above - below) / (2 * step), rtol=1e-5, atol=1e-6)


def test_every_kernel_has_a_formula_or_no_slope() -> None:
    assert set(KERNELS) == set(KERNELS_OF_TENSORS) | WITHOUT_SLOPE
    assert not set(KERNELS_OF_TENSORS) & WITHOUT_SLOPE


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
def test_of_every_function(name, backend) -> None:
    function, arrays = CASES[name]
    check_twice(function, arrays)


@pytest.mark.parametrize("kind", [nn.LSTM, nn.GRU])
def test_through_time(kind) -> None:
    layer = kind(2, 3, rng=np.random.default_rng(0))
    state = {name: array.astype(np.float64) for name, array in layer.state_dict().items()}
    for parameter, array in zip(layer.parameters(), state.values(), strict=True):
        parameter._array = array
    check_twice(lambda x: layer(x)[0], [np.random.default_rng(1).standard_normal((4, 2, 2))])


@pytest.mark.parametrize("activation", ["relu", "gelu"])
def test_of_batch_norm_with_an_activation(activation) -> None:
    rng = np.random.default_rng(0)
    arrays = [rng.standard_normal((3, 2, 4)), rng.uniform(0.5, 2, 2), rng.standard_normal(2)]
    check_twice(lambda x, w, b: F.batch_norm(x, weight=w, bias=b, activation=activation), arrays)


def test_the_hessian_of_a_quadratic_form_is_its_matrix() -> None:
    matrix = np.random.default_rng(0).standard_normal((4, 4))
    matrix = matrix + matrix.T
    x = md.tensor(np.arange(4.0), requires_grad=True)
    with md.create_graph():
        y = F.sum(x * (x @ matrix)) * 0.5
    (slope,) = md.grad(y, [x])
    assert_allclose(slope.numpy(), matrix @ np.arange(4.0))
    rows = []
    for unit in np.eye(4):
        (row,) = md.grad((slope * unit).sum(), [x])
        rows.append(row.numpy())
    assert_allclose(rows, matrix)


def test_the_gradient_is_linear_in_the_one_that_comes_in() -> None:
    x = md.tensor([1.0, 2.0], requires_grad=True)
    v = md.tensor([3.0, 4.0], requires_grad=True)
    with md.create_graph():
        y = x * x * x
    (slope,) = md.grad(y, [x], gradient=v)
    assert_allclose(slope.numpy(), [3 * 3, 4 * 12])
    slope.sum().backward()
    assert_allclose(v.grad.numpy(), [3, 12])  # d slope / dv = 3 x^2
    assert_allclose(x.grad.numpy(), [3 * 6, 4 * 12])  # v 6 x


def penalty(model, x):
    """How far the slope of the model's answers is from 1 at each image, squared: arXiv:1704.00028, equation 3."""
    with md.create_graph():
        y = model(x).sum()
    (slope,) = md.grad(y, [x])
    return (((slope * slope).sum(axis=(1, 2, 3)).sqrt() - 1) ** 2).mean()


@pytest.mark.slow
def test_a_gradient_penalty_is_lowered_and_leaves_nothing_behind(backend) -> None:
    rng = np.random.default_rng(0)
    layers = (nn.Conv2d(1, 4, 3, padding=2, dilation=2, rng=rng), nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(2))
    model = nn.Sequential(*layers, nn.Flatten(), nn.Linear(36, 1, rng=rng))
    x = md.tensor(rng.standard_normal((4, 1, 6, 6)).astype(np.float32), requires_grad=True)
    optimizer = md.optim.Adam(model.parameters(), 0.02)
    values, nodes = [], []
    for step in range(9):
        optimizer.zero_grad()
        loss = penalty(model, x)
        loss.backward()
        optimizer.step()
        values.append(float(loss))
        del loss
        x.grad = None
        if step in (4, 8):
            gc.collect()
            nodes.append(sum(isinstance(each, Node) for each in gc.get_objects()))
    assert values[-1] < values[0] / 3
    assert nodes[0] == nodes[1]
    assert np.isfinite(np.asarray(model[1].running_mean)).all()


def test_a_value_and_its_gradient_make_one_loss() -> None:
    x = md.tensor([2.0], requires_grad=True)
    with md.create_graph():
        y = (x * x * x).sum()
        (slope,) = md.grad(y, [x])
        (y + (slope * slope).sum()).backward()
    assert_allclose(x.grad.numpy(), [3 * 4 + 2 * 12 * 12])  # 3 x^2 + 2 (3 x^2) (6 x)


def test_an_optimizer_may_step_inside() -> None:
    x = md.tensor([2.0], requires_grad=True)
    with md.create_graph():
        (x * x).sum().backward()
        md.optim.SGD([x], 0.1, momentum=0.9).step()
    assert_allclose(x.numpy(), [2 - 0.1 * 4])


def test_without_the_block_gradients_are_constants() -> None:
    x = md.tensor([1.0, 2.0], requires_grad=True)
    (slope,) = md.grad((x * x).sum(), [x])
    assert not slope.requires_grad
    assert x.grad is None
    assert_allclose(slope.numpy(), [2, 4])


def test_the_backend_is_the_one_before_and_after(backend) -> None:
    with md.create_graph():
        assert isinstance(md.kernels.backend.active(), Recording)
    assert md.backend() == backend


def test_refused() -> None:
    x, other = md.tensor([1.0, 2.0], requires_grad=True), md.tensor([1.0], requires_grad=True)
    y = x * x
    with md.create_graph(), pytest.raises(GraphError, match="differentiated once more only"), md.create_graph():
        pass
    for call, error, message in (
        (lambda: md.grad(y, [x]), ShapeError, r"y of shape \(2,\) is no scalar"),
        (lambda: md.grad(y.sum(), [x, other]), GraphError, r"does not depend on input 1, of shape \(1,\)"),
        (lambda: md.grad(y.sum(), [y]), OptionError, "input 0 must be a leaf"),
        (lambda: md.grad(md.tensor([1.0]), [x]), GraphError, "does not depend on any tensor"),
        (lambda: md.grad(y, [x], gradient=np.ones(2)), ShapeError, "gradient is float64"),
    ):
        with pytest.raises(error, match=message):
            call()
