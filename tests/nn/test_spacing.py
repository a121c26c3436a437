"""Convolution with learnable spacings: as the dense one with its kernel, and its taps find where they belong."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import minidil as md
import minidil.functional as F
from minidil import nn
from minidil.errors import OptionError, ShapeError


@pytest.mark.parametrize(("kind", "ndim"), [(nn.Dcls1d, 1), (nn.Dcls2d, 2), (nn.Dcls3d, 3)])
def test_it_is_the_dense_convolution_with_its_kernel(kind, ndim) -> None:
    layer = kind(4, 6, 3, 5, stride=2, padding=2, groups=2, rng=np.random.default_rng(0))
    x = md.tensor(np.random.default_rng(1).standard_normal((2, 4, *(7,) * ndim)).astype(np.float32))
    assert layer.weight.shape == (6, 2, 3)
    assert layer.positions.shape == (ndim, 6, 2, 3)
    assert np.abs(layer.positions.numpy()).max() <= 2
    assert_array_equal(layer(x).numpy(), F.conv(x, layer.kernel(), layer.bias, 2, 2, 1, 2).numpy())
    assert md.analysis.receptive_field(nn.Sequential(layer), (4, *(7,) * ndim)).layers[-1].size == (5,) * ndim
    assert repr(layer).startswith(f"Dcls{ndim}d(kernel_count=3, 4, 6, kernel_size=5, stride=2, padding=2, groups=2")


def test_a_tap_finds_the_delay_of_a_signal() -> None:
    """y[t] = x[t - 3]: from the middle, one tap has to walk three steps, downhill on a signal that is smooth enough."""
    noise = np.random.default_rng(0).standard_normal((8, 1, 80))
    x = np.apply_along_axis(lambda row: np.convolve(row, np.hanning(9), "same"), 2, noise).astype(np.float32)
    layer = nn.Dcls1d(1, 1, 1, 9, padding="same", bias=False, rng=np.random.default_rng(0))
    layer.weight.data, layer.positions.data = np.ones((1, 1, 1), np.float32), np.zeros((1, 1, 1, 1), np.float32)
    optimizer = md.optim.Adam(layer.parameters(), 0.05)
    for _ in range(200):
        optimizer.zero_grad()
        loss = F.mse_loss(layer(md.tensor(x))[:, :, 8:-8], x[:, :, 5:-11])
        loss.backward()
        optimizer.step()
    assert_allclose(layer.positions.numpy().ravel(), [-3], atol=0.05)
    assert_allclose(layer.weight.numpy().ravel(), [1], atol=0.05)


def test_refused() -> None:
    with pytest.raises(OptionError, match="kernel_count"):
        nn.Dcls2d(2, 2, 0, 5)
    with pytest.raises(OptionError, match="dilated_kernel_size"):
        nn.Dcls2d(2, 2, 3, 0)
    with pytest.raises(OptionError, match="does not divide into groups=2"):
        nn.Dcls2d(3, 2, 3, 5, groups=2)
    with pytest.raises(ShapeError, match="Dcls1d"):
        nn.Dcls1d(2, 2, 3, 5)(md.zeros((2, 3, 9)))
