"""The effective receptive field, against what can be computed by hand and what the paper found."""

import numpy as np
import pytest

from minidil import nn
from minidil.analysis import effective_field
from minidil.errors import OptionError


def linear(dilations: list[int]) -> nn.Sequential:
    model = nn.Sequential(*(nn.Conv1d(1, 1, 3, padding=d, dilation=d, bias=False) for d in dilations))
    for parameter in model.parameters():
        parameter.data = np.ones(parameter.shape, np.float32)
    return model


def test_of_a_linear_network_it_is_the_number_of_paths() -> None:
    field = effective_field(linear([1, 1]), (1, 9), samples=3)
    assert np.allclose(field.influence, np.array([0, 0, 1, 2, 3, 2, 1, 0, 0]) / 3)
    assert (field.count, field.side, field.size) == (5, 5.0, (5,))
    assert np.allclose(field.spread, np.sqrt(2 * 2 / 3))  # each layer adds the variance of -1, 0, 1


def test_holes_have_no_influence() -> None:
    assert np.flatnonzero(effective_field(linear([2, 2]), (1, 15)).influence).tolist() == [3, 5, 7, 9, 11]


def test_it_grows_as_the_root_of_the_depth() -> None:
    """Variances add: 4 and 16 layers of weights 1 have spreads of sqrt(4 2/3) and sqrt(16 2/3)."""
    spreads = [effective_field(linear([1] * depth), (1, 41)).spread[0] for depth in (4, 16)]
    assert np.isclose(spreads[1] / spreads[0], 2)


def test_nothing_is_left_behind_and_the_draw_is_reproducible() -> None:
    model = nn.Sequential(nn.Conv2d(2, 3, 3), nn.BatchNorm2d(3), nn.ReLU(), nn.Conv2d(3, 1, 3)).train()
    model[0].freeze()
    a, b = (effective_field(model, (2, 9, 9), at=(1, 2)) for _ in range(2))
    assert np.array_equal(a.influence, b.influence)
    assert a.influence[1:6, 2:7].all()
    assert np.count_nonzero(a.influence) == 25
    assert model.training
    assert [p.requires_grad for p in model.parameters()] == [False, False, True, True, True, True]
    assert all(p.grad is None for p in model.parameters())
    other = effective_field(model, (2, 9, 9), at=(1, 2), rng=np.random.default_rng(5))
    assert not np.array_equal(a.influence, other.influence)
    assert repr(a).startswith("Sequential: of a theoretical field of 5x5, ")


def test_samples_are_counted() -> None:
    with pytest.raises(OptionError, match="samples must be an int >= 1, not 0"):
        effective_field(linear([1]), (1, 9), samples=0)
