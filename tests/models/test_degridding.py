"""The layers that dilated residual networks end in."""

import numpy as np
import pytest

import minidil as md
from minidil import nn
from minidil.analysis import receptive_field
from minidil.errors import OptionError
from minidil.models import degridding
from minidil.testing import check_gradients


@pytest.mark.parametrize(
    ("dilation", "layers", "expected"), [(4, 2, [2, 2, 1, 1]), (4, 1, [2, 1]), (2, 1, [1]), (3, 1, [2, 1]), (1, 2, [])]
)
def test_its_dilations_fall_to_1(dilation: int, layers: int, expected: list[int]) -> None:
    model = degridding(3, dilation, layers=layers)
    assert [part.dilation[0] for part in model if isinstance(part, nn.Conv2d)] == expected
    assert [type(part).__name__ for part in model] == ["Conv2d", "BatchNorm", "ReLU"] * len(expected)
    assert model(md.tensor(np.zeros((2, 3, 7, 6), np.float32))).shape == (2, 3, 7, 6)


def test_it_closes_the_holes_of_what_is_before_it() -> None:
    trunk = nn.Sequential(*(nn.Conv1d(1, 1, 3, padding=4, dilation=4) for _ in range(3)))
    with md.use("numpy"):
        before = receptive_field(trunk, (1, 81), at=40)
        after = receptive_field(nn.Sequential(trunk, degridding(1, 4, ndim=1)), (1, 81), at=40)
    assert (before.size, len(before.axes[0].holes)) == ((25,), 18)
    assert (after.size, after.axes[0].holes) == ((37,), ())


def test_every_parameter_gets_a_gradient(backend: str) -> None:
    model = degridding(2, 2, ndim=1)
    y = model(md.tensor(np.random.default_rng(0).standard_normal((3, 2, 9)).astype(np.float32)))
    (y * y).sum().backward()
    assert all(np.any(parameter.grad.numpy()) for parameter in model.parameters())


def test_gradients() -> None:
    model = degridding(2, 2, ndim=1, layers=1, rng=np.random.default_rng(0)).astype(np.float64)
    with md.use("numpy"):
        check_gradients(model, np.random.default_rng(1).standard_normal((3, 2, 7)))


def test_mistakes() -> None:
    with pytest.raises(OptionError, match="degridding: dilation must be an int >= 1, not 0"):
        degridding(2, 0)
    with pytest.raises(OptionError, match="layers must be an int >= 1"):
        degridding(2, 2, layers=0)
    with pytest.raises(OptionError, match="not 4"):
        degridding(2, 2, ndim=4)
