"""Residual blocks."""

import numpy as np
import pytest

import minidil.functional as F
from minidil import nn
from minidil.errors import OptionError, ShapeError
from minidil.tensor import tensor


def test_residual_adds_its_input() -> None:
    body = nn.Linear(2, 2)
    x = tensor([[1.0, 2.0]])
    assert np.array_equal(nn.Residual(body)(x).data, (body(x) + x).data)
    shortcut = nn.Linear(2, 2)
    assert np.array_equal(nn.Residual(body, shortcut)(x).data, (body(x) + shortcut(x)).data)


def test_residual_mistakes() -> None:
    with pytest.raises(ShapeError, match=r"body gives \(1, 3\) but the shortcut \(1, 2\).*give a shortcut"):
        nn.Residual(nn.Linear(2, 3))(tensor([[1.0, 2.0]]))
    with pytest.raises(OptionError, match="Residual: body must be a module, not None"):
        nn.Residual(None)
    with pytest.raises(OptionError, match="Residual: shortcut must be a module"):
        nn.Residual(nn.ReLU(), 1)


@pytest.mark.parametrize("dilation", [1, 2, 4])
@pytest.mark.parametrize(
    ("channels", "stride", "shape"), [(3, 1, (2, 3, 7, 6)), (5, 1, (2, 5, 7, 6)), (3, 2, (2, 3, 4, 3))]
)
def test_block_shapes(channels: int, stride: int, shape: tuple[int, ...], dilation: int) -> None:
    block = nn.ResidualBlock(3, channels, stride, dilation)
    assert block(tensor(np.zeros((2, 3, 7, 6), np.float32))).shape == shape
    assert (block.downsample is None) == (channels == 3 and stride == 1)


def test_block_names_are_torchvisions() -> None:
    assert [name for name, _ in nn.ResidualBlock(2, 4, 2).named_parameters()] == [
        "conv1.weight",
        "bn1.weight",
        "bn1.bias",
        "conv2.weight",
        "bn2.weight",
        "bn2.bias",
        "downsample.0.weight",
        "downsample.1.weight",
        "downsample.1.bias",
    ]


def test_block_is_its_formula() -> None:
    block = nn.ResidualBlock(2, 2, dilation=2)
    x = tensor(np.random.default_rng(0).standard_normal((3, 2, 6, 6)).astype(np.float32))
    inner = F.relu(block.bn1(F.conv(x, block.conv1.weight, padding=2, dilation=2)))
    expected = F.relu(block.bn2(F.conv(inner, block.conv2.weight, padding=2, dilation=2)) + x)
    assert np.array_equal(block(x).data, expected.data)


@pytest.mark.parametrize("ndim", [1, 2, 3])
def test_block_gradients(ndim: int, check_layer) -> None:
    check_layer(nn.ResidualBlock(2, 3, 2, 2, ndim=ndim), 3, 2, *(5, 4, 3)[:ndim])
    check_layer(nn.ResidualBlock(2, 2, ndim=ndim).eval(), 3, 2, *(5, 4, 3)[:ndim])


def test_block_mistakes() -> None:
    with pytest.raises(OptionError, match="ResidualBlock: dilation must be an int >= 1"):
        nn.ResidualBlock(2, 2, dilation=0)
    with pytest.raises(OptionError, match="not 4"):
        nn.ResidualBlock(2, 2, ndim=4)
