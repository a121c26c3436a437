"""Pooling layers and Flatten."""

import numpy as np
import pytest

from minidil import nn
from minidil.errors import OptionError, ShapeError
from minidil.tensor import tensor

MAX = [nn.MaxPool1d, nn.MaxPool2d, nn.MaxPool3d]
AVG = [nn.AvgPool1d, nn.AvgPool2d, nn.AvgPool3d]
ADAPTIVE = [nn.AdaptiveAvgPool1d, nn.AdaptiveAvgPool2d, nn.AdaptiveAvgPool3d]


def ramp(*shape: int):
    return tensor(np.arange(np.prod(shape), dtype=np.float32).reshape(shape))


@pytest.mark.parametrize("ndim", [1, 2, 3])
def test_gradients(ndim: int, check_layer) -> None:
    shape = (2, 3, *(6, 5, 4)[:ndim])
    check_layer(MAX[ndim - 1](2, 1, 1, 2), *shape)
    check_layer(AVG[ndim - 1](2, 1, 1, dilation=2), *shape)
    check_layer(ADAPTIVE[ndim - 1](3), *shape)
    check_layer(nn.GlobalAvgPool(), *shape)
    check_layer(nn.GlobalMaxPool(), *shape)
    check_layer(nn.Flatten(), *shape)


def test_values_by_hand() -> None:
    x = ramp(1, 1, 6)
    assert nn.MaxPool1d(2)(x).data.tolist() == [[[1, 3, 5]]]
    assert nn.MaxPool1d(2, stride=1, dilation=3)(x).data.tolist() == [[[3, 4, 5]]]
    assert nn.AvgPool1d(2)(x).data.tolist() == [[[0.5, 2.5, 4.5]]]
    assert nn.AvgPool1d(3, padding=1)(x).data == pytest.approx(np.array([[[1 / 3, 3]]]))
    assert nn.AvgPool1d(3, padding=1, count_include_pad=False)(x).data.tolist() == [[[0.5, 3]]]
    assert nn.AdaptiveAvgPool(2)(x).data.tolist() == [[[1, 4]]]
    assert nn.GlobalAvgPool()(x).data.tolist() == [[[2.5]]]
    assert nn.GlobalMaxPool()(x).data.tolist() == [[[5]]]
    assert nn.Flatten()(ramp(2, 3, 4)).shape == (2, 12)
    assert nn.Flatten(0, 1)(ramp(2, 3, 4)).shape == (6, 4)


def test_stride_defaults_to_the_kernel() -> None:
    assert nn.MaxPool2d((2, 3))(ramp(1, 1, 4, 6)).shape == (1, 1, 2, 2)
    assert nn.AvgPool2d((2, 3), 1)(ramp(1, 1, 4, 6)).shape == (1, 1, 3, 4)


def test_adaptive_pooling_of_any_rank() -> None:
    assert nn.AdaptiveAvgPool(2)(ramp(1, 1, 4, 6)).shape == (1, 1, 2, 2)
    assert nn.AdaptiveAvgPool((2, 1))(ramp(1, 1, 4, 6)).shape == (1, 1, 2, 1)
    with pytest.raises(ShapeError, match="AdaptiveAvgPool1d: x must be"):
        nn.AdaptiveAvgPool1d(2)(ramp(1, 1, 4, 6))


@pytest.mark.parametrize("layer", [nn.MaxPool2d, nn.AvgPool2d])
def test_mistakes(layer: type[nn.Module]) -> None:
    name = layer.__name__
    with pytest.raises(OptionError, match=f"{name}: kernel_size must be made of ints >= 1, not 0"):
        layer(0)
    with pytest.raises(OptionError, match=f"{name}: stride must be an int or 2 ints"):
        layer(2, (1, 2, 3))
    with pytest.raises(OptionError, match=f"{name}: dilation"):
        layer(2, dilation=0)
    with pytest.raises(ShapeError, match=f"{name}: x must be"):
        layer(2)(ramp(1, 4, 4))
    with pytest.raises(ShapeError, match="spans"):
        layer(5)(ramp(1, 1, 4, 4))


def test_a_bad_output_size() -> None:
    with pytest.raises(OptionError, match="AdaptiveAvgPool: output_size"):
        nn.AdaptiveAvgPool(0)
    with pytest.raises(OptionError, match="AdaptiveAvgPool2d: output_size must be an int or 2 ints"):
        nn.AdaptiveAvgPool2d((1, 2, 3))


def test_repr() -> None:
    assert repr(nn.MaxPool2d(2)) == "MaxPool2d(kernel_size=2)"
    assert repr(nn.AvgPool1d(3, 1, 1, dilation=2)) == "AvgPool1d(kernel_size=3, stride=1, padding=1, dilation=2)"
    assert repr(nn.AdaptiveAvgPool2d((7, 7))) == "AdaptiveAvgPool2d(output_size=7)"
    assert repr(nn.Flatten()) == "Flatten()"
    assert repr(nn.Flatten(0, 1)) == "Flatten(0, 1)"
    assert repr(nn.GlobalAvgPool()) == "GlobalAvgPool()"
