"""The fully connected layer."""

import numpy as np
import pytest

from minidil import nn
from minidil.errors import OptionError, ShapeError
from minidil.tensor import tensor


def test_by_hand() -> None:
    layer = nn.Linear(2, 3)
    layer.weight.data = np.array([[1, 2], [3, 4], [5, 6]], np.float32)
    layer.bias.data = np.array([10, 20, 30], np.float32)
    assert layer(tensor([[1.0, -1.0]])).data.tolist() == [[9, 19, 29]]


def test_leading_axes_are_kept_and_gradients_are_right(check_layer) -> None:
    assert nn.Linear(4, 2)(tensor(np.zeros((3, 5, 4), np.float32))).shape == (3, 5, 2)
    check_layer(nn.Linear(4, 2), 3, 4)
    check_layer(nn.Linear(4, 2, bias=False), 2, 3, 4)


def test_mistakes() -> None:
    with pytest.raises(OptionError, match="in_features must be an int >= 1, not 0"):
        nn.Linear(0, 2)
    with pytest.raises(OptionError, match="out_features"):
        nn.Linear(2, -1)
    with pytest.raises(ShapeError, match=r"last axis of x \(2, 5\) must be in_features=4(\n|$)"):
        nn.Linear(4, 2)(tensor(np.zeros((2, 5), np.float32)))
    with pytest.raises(ShapeError, match=r"put a Flatten\(\) before it"):
        nn.Linear(12, 2)(tensor(np.zeros((2, 3, 2, 2), np.float32)))


def test_repr() -> None:
    assert repr(nn.Linear(4, 2)) == "Linear(4, 2)"
    assert repr(nn.Linear(4, 2, bias=False)) == "Linear(4, 2, bias=False)"
