"""GroupNorm and InstanceNorm against loops over groups in float64."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import minidil as md
from minidil import nn
from minidil.errors import OptionError, ShapeError


def by_loops(x: np.ndarray, groups: int, eps: float, weight: np.ndarray, bias: np.ndarray) -> np.ndarray:
    """Group by group, with sums of Python numbers."""
    y, width = np.empty_like(x), x.shape[1] // groups
    for n in range(x.shape[0]):
        for g in range(groups):
            channels = range(g * width, (g + 1) * width)
            values = [float(v) for c in channels for v in x[n, c].ravel()]
            mean = math.fsum(values) / len(values)
            var = math.fsum((v - mean) ** 2 for v in values) / len(values)
            for c in channels:
                y[n, c] = (x[n, c] - mean) / math.sqrt(var + eps) * weight[c] + bias[c]
    return y


@st.composite
def cases(draw):
    groups, width, ndim = draw(st.integers(1, 3)), draw(st.integers(1, 3)), draw(st.integers(0, 3))
    size = [draw(st.integers(1, 3)) for _ in range(ndim)]
    return groups, (draw(st.integers(1, 2)), groups * width, *size), draw(st.integers(0, 99))


@given(cases())
def test_group_norm_is_the_loop(backend, case) -> None:
    groups, shape, seed = case
    rng = np.random.default_rng(seed)
    x, weight, bias = 2 * rng.standard_normal(shape) + 1, rng.standard_normal(shape[1]), rng.standard_normal(shape[1])
    layer = nn.GroupNorm(groups, shape[1], eps=1e-3).astype(np.float64)
    layer.load_state_dict({"weight": weight, "bias": bias})
    y = layer(md.tensor(x)).numpy()
    np.testing.assert_allclose(y, by_loops(x, groups, 1e-3, weight, bias), atol=1e-9)


@pytest.mark.parametrize("shape", [(2, 3, 4), (2, 3, 2, 3), (1, 3, 2, 1, 2)])
def test_instance_norm_is_group_norm_of_single_channels(backend, shape) -> None:
    x = np.random.default_rng(0).standard_normal(shape)
    own = [nn.InstanceNorm1d, nn.InstanceNorm2d, nn.InstanceNorm3d][len(shape) - 3]
    expected = by_loops(x, 3, 1e-5, np.ones(3), np.zeros(3))
    for kind in (nn.InstanceNorm, own):
        np.testing.assert_allclose(kind(3)(md.tensor(x)).numpy(), expected, atol=1e-12)
        assert list(kind(3).state_dict()) == []
        assert list(kind(3, affine=True).state_dict()) == ["weight", "bias"]


@pytest.mark.parametrize(
    ("layer", "shape"),
    [
        (nn.GroupNorm(2, 4), (2, 4, 3)),
        (nn.GroupNorm(2, 4, affine=False), (2, 4)),
        (nn.InstanceNorm2d(2, affine=True), (2, 2, 2, 3)),
    ],
)
def test_gradients(backend, layer, shape, check_layer) -> None:
    check_layer(layer, *shape)


def test_pytorchs_names() -> None:
    assert list(nn.GroupNorm(2, 4).state_dict()) == ["weight", "bias"]
    assert repr(nn.GroupNorm(2, 4, affine=False)) == "GroupNorm(2, 4, affine=False)"
    assert repr(nn.InstanceNorm1d(4, eps=1e-3, affine=True)) == "InstanceNorm1d(4, eps=0.001, affine=True)"


def test_refused() -> None:
    with pytest.raises(OptionError, match="num_channels=4 does not divide into num_groups=3"):
        nn.GroupNorm(3, 4)
    with pytest.raises(ShapeError, match=r"GroupNorm: x must be \(N, 4, \*S\), not \(2, 3\)"):
        nn.GroupNorm(2, 4)(md.tensor(np.zeros((2, 3), np.float32)))
    with pytest.raises(ShapeError, match=r"InstanceNorm2d: x \(2, 3, 1, 1\) has 1 value per channel"):
        nn.InstanceNorm2d(3)(md.tensor(np.zeros((2, 3, 1, 1), np.float32)))
    with pytest.raises(ShapeError, match=r"InstanceNorm1d: x must be \(N, C, L\), with 3 axes"):
        nn.InstanceNorm1d(3)(md.tensor(np.zeros((2, 3), np.float32)))
