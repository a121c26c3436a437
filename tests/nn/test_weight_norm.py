"""Weight norm: its formula, its gradient, and that a convolution with it is that of its weight."""

import numpy as np
import pytest

import minidil as md
import minidil.functional as F
from minidil import nn
from minidil.calls.lift import lift
from minidil.errors import ShapeError
from minidil.ops.weight_norm import weight_norm
from minidil.testing import check_gradients

weighted = lift(weight_norm)


def drawn(*shape: int) -> np.ndarray:
    return np.random.default_rng(sum(shape)).normal(size=shape)


def test_value_and_gradients_are_those_of_pytorch(backend: str) -> None:
    # torch 2.13: w = torch._weight_norm(v, g, 0); (w * slope).sum().backward()
    v = md.tensor([[[3.0, 4.0]], [[0.0, -2.0]]], requires_grad=True)
    g = md.tensor([[[10.0]], [[1.0]]], requires_grad=True)
    w = weighted(v, g)
    np.testing.assert_allclose(w.numpy(), [[[6, 8]], [[0, -1]]], rtol=1e-6)
    (w * np.array([[[1, 2]], [[3, 4]]], np.float32)).sum().backward()
    np.testing.assert_allclose(v.grad.numpy(), [[[-0.64, 0.48]], [[1.5, 0]]], atol=1e-6)
    np.testing.assert_allclose(g.grad.numpy(), [[[2.2]], [[-4]]], rtol=1e-6)


@pytest.mark.parametrize("shape", [(3,), (2, 4), (3, 2, 5), (2, 1, 2, 2)])
def test_gradients_and_lengths(backend: str, shape: tuple[int, ...]) -> None:
    v, g = drawn(*shape), drawn(shape[0], *(1,) * (len(shape) - 1))
    check_gradients(weighted, v, g)
    rows = weighted(md.tensor(v), md.tensor(g)).numpy().reshape(shape[0], -1)
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), np.abs(g.reshape(-1)), rtol=1e-12)


def test_a_step_along_the_gradient_never_shrinks_the_direction(backend: str) -> None:
    v = md.tensor(drawn(4, 3, 2), requires_grad=True)
    (weighted(v, md.tensor(drawn(4, 1, 1))) * drawn(4, 3, 2)).sum().backward()
    along = (v.grad.numpy() * v.numpy()).sum(axis=(1, 2))
    np.testing.assert_allclose(along, 0, atol=1e-13)


def test_a_row_of_zeros_has_no_direction_and_another_shape_of_g_is_refused() -> None:
    with np.errstate(invalid="ignore"):
        assert np.isnan(weighted(np.zeros((1, 2)), np.ones((1, 1))).numpy()).all()
    with pytest.raises(ShapeError, match=r"weight_norm: g must have the shape \(2, 1, 1\) to go with v \(2, 3, 4\)"):
        weighted(np.ones((2, 3, 4)), np.ones((2, 3, 1)))


def test_the_layer_is_a_convolution_with_its_weight(backend: str, check_layer) -> None:
    layer = nn.WeightNormConv1d(4, 6, 3, padding="causal", dilation=2, groups=2, rng=np.random.default_rng(0))
    plain = nn.Conv1d(4, 6, 3, padding="causal", dilation=2, groups=2, rng=np.random.default_rng(0))
    assert list(layer.state_dict()) == ["weight_g", "weight_v", "bias"]
    np.testing.assert_allclose(layer.weight.numpy(), plain.weight.numpy(), rtol=1e-6)
    x = md.tensor(drawn(2, 4, 9).astype(np.float32))
    np.testing.assert_allclose(layer(x).numpy(), plain(x).numpy(), atol=1e-5)
    layer.weight_g.data = 2 * layer.weight_g.numpy()
    np.testing.assert_allclose(layer(x).numpy(), 2 * plain(x).numpy(), atol=1e-5)
    layer.weight = nn.Parameter(plain.weight.numpy())
    np.testing.assert_allclose(layer(x).numpy(), F.conv(x, plain.weight, None, 1, "causal", 2, 2).numpy(), atol=1e-5)
    check_layer(nn.WeightNormConv1d(2, 3, 2, dilation=2), 2, 2, 5)
