"""Receptive fields: the textbook numbers, and a search for what an output really depends on."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minidil import nn
from minidil.errors import ShapeError
from minidil.kernels.geometry import Window
from minidil.tensor import tensor


def sizes(field: nn.Field) -> tuple[int, ...]:
    return tuple(int(size) for size in field.size)


def test_stacked_dilations_double_the_field() -> None:
    field = nn.Field.of_input(1)
    seen = []
    for dilation in (1, 2, 4):
        field = field.through(Window.of((64,), 3, dilation=dilation))
        seen.append(str(field))
    assert seen == ["3", "7", "15"]


def test_strides_multiply_the_jump() -> None:
    field = nn.Field.of_input(2).through(Window.of((64, 64), 3, stride=(2, 1)))
    field = field.through(Window.of((31, 62), 2, stride=3))
    assert sizes(field) == (5, 4)
    assert field.jump == (6, 3)
    assert sizes(field.through(Window.of((10, 20), 3))) == (17, 10)
    assert str(field) == "5x4"


def test_a_global_mean_sees_everything() -> None:
    field = nn.Field.of_input(2).through(Window.of((8, 6), 3)).over((6, 4))
    assert sizes(field) == (8, 6)


def test_a_transposed_convolution_halves_the_jump() -> None:
    down = nn.Field.of_input(1).through(Window.of((16,), 3, stride=2))
    up = down.spread(Window.of((16,), 4, stride=2))
    assert sizes(up) == (3 + 1 * 2,)
    assert up.jump == (1,)
    half = nn.Field.of_input(1).spread(Window.of((16,), 2, stride=2))
    assert half.jump == (Fraction(1, 2),)
    assert str(half.through(Window.of((16,), 2))) == "2"  # 1 1/2 positions reach into 2


def test_widest_takes_each_axis_by_itself() -> None:
    a, b = nn.Field((3, 9), (2, 2)), nn.Field((5, 1), (1, 4))
    assert nn.Field.widest([a, b]) == nn.Field((5, 9), (2, 4))


def test_axes_must_agree() -> None:
    with pytest.raises(ShapeError, match="window over 2 axes on a field of 1"):
        nn.Field.of_input(1).through(Window.of((4, 4), 2))


@given(
    st.lists(st.tuples(st.integers(1, 3), st.integers(1, 2), st.integers(1, 3), st.booleans()), min_size=1, max_size=3)
)
def test_it_is_what_the_gradient_reaches(layers: list[tuple[int, int, int, bool]]) -> None:
    """The span of the non-zero gradient of one inner output, for positive weights, is the field."""
    model = nn.Sequential()
    for kernel, stride, dilation, pool in layers:
        window = {"kernel_size": kernel, "stride": stride, "dilation": dilation}
        model.append(nn.AvgPool1d(**window) if pool else nn.Conv1d(1, 1, **window, bias=False))
    for parameter in model.parameters():
        parameter.data = np.ones(parameter.shape, np.float32)
    summary = model.summary((1, 80))
    x = tensor(np.ones((1, 1, 80), np.float32), requires_grad=True)
    y = model(x)
    y[0, 0, y.shape[2] // 2].backward()
    reached = np.flatnonzero(x.grad.data)
    assert str(summary.field) == str(reached[-1] - reached[0] + 1)
