"""Atrous spatial pyramid pooling."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from random_networks import by_gradient, positive
from strategies import examples

import minidil as md
import minidil.functional as F
from minidil import nn
from minidil.analysis import receptive_field
from minidil.errors import OptionError, ShapeError
from minidil.models import ASPP
from minidil.testing import check_gradients


def normal(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).standard_normal(shape).astype(np.float32)


def test_names_and_numbers_of_weights_are_torchvisions() -> None:
    model = ASPP(64)
    names = list(model.state_dict())
    assert [name for name in names if name.endswith("weight") and model.state_dict()[name].ndim == 4] == [
        "convs.0.0.weight",
        "convs.1.0.weight",
        "convs.2.0.weight",
        "convs.3.0.weight",
        "convs.4.1.weight",
        "project.0.weight",
    ]
    assert "convs.4.2.running_var" in names
    assert "project.1.num_batches_tracked" in names
    # 2 of 1x1 and 3 of 3x3 from 64 channels to 256, one of 1x1 from 5 * 256, and 6 batch norms
    assert sum(p.size for p in model.parameters()) == 64 * 256 * (2 + 27) + 5 * 256 * 256 + 6 * 512


@pytest.mark.parametrize("size", [(9,), (6, 7), (3, 4, 3)])
@pytest.mark.parametrize("pooling", [True, False])
def test_it_keeps_the_size_and_every_parameter_gets_a_gradient(
    size: tuple[int, ...], pooling: bool, backend: str
) -> None:
    model = ASPP(3, 4, (1, 2), image_pooling=pooling, ndim=len(size))
    y = model(md.tensor(normal(4, 3, *size)))
    assert y.shape == (4, 4, *size)
    (y * normal(*y.shape)).sum().backward()
    assert all(np.any(parameter.grad.numpy()) for parameter in model.parameters())


@pytest.mark.parametrize("training", [True, False])
def test_gradients(training: bool) -> None:
    model = ASPP(2, 2, (1, 2), ndim=1, rng=np.random.default_rng(0)).astype(np.float64).train(training)
    wide, joined = model.convs[2][0], model.project[0]
    values = [wide.weight.data, joined.weight.data]

    def run(x: md.Tensor, *weights: md.Tensor) -> md.Tensor:
        vars(wide)["weight"], vars(joined)["weight"] = weights
        return model(x)

    with md.use("numpy"):
        check_gradients(run, normal(3, 2, 6).astype(np.float64), *values)


def test_summary_follows_the_branches() -> None:
    summary = ASPP(2, 3, (1, 4), image_pooling=False).summary((2, 16, 16))
    assert str(summary.field) == "9"
    # 1x1 and two of 3x3 from 2 channels to 3, 1x1 from 9 to 3
    assert summary.multiply_adds == 256 * (2 * 3 * (1 + 9 + 9) + 9 * 3)


def test_it_is_its_formula() -> None:
    model = ASPP(2, 3, (2, 3)).eval()
    x = md.tensor(normal(2, 2, 8, 8))

    def after(parts: nn.Module, first: int, y: md.Tensor) -> md.Tensor:
        return F.relu(parts[first + 1](y))

    with md.use("numpy"):
        branches = [after(model.convs[0], 0, F.conv(x, model.convs[0][0].weight))]
        for branch, rate in ((1, 2), (2, 3)):
            wide = F.conv(x, model.convs[branch][0].weight, padding=rate, dilation=rate)
            branches.append(after(model.convs[branch], 0, wide))
        whole = F.conv(x.mean(axis=(2, 3), keepdims=True), model.convs[3][1].weight)
        branches.append(F.expand(after(model.convs[3], 1, whole), (2, 3, 8, 8)))
        joined = F.conv(F.concatenate(branches, axis=1), model.project[0].weight)
        assert np.allclose(model(x).numpy(), after(model.project, 0, joined).numpy(), rtol=1e-5, atol=1e-6)


def test_its_field_is_the_union_of_unequal_branches() -> None:
    with md.use("numpy"):
        line = receptive_field(ASPP(1, 2, (1, 3, 4), image_pooling=False, ndim=1), (1, 21), at=10)
        whole = receptive_field(ASPP(1, 2, (1, 3, 4), ndim=1), (1, 21), at=10)
    assert np.flatnonzero(line.reached).tolist() == [6, 7, 9, 10, 11, 13, 14]
    assert line.axes[0].holes == (8, 12)
    assert line.axes[0].paths == (1, 1, 0, 1, 4, 1, 0, 1, 1)  # the middle by every branch
    assert whole.reached.all()
    assert [layer.size for layer in line.layers if layer.kind == "Conv1d"] == [(1,), (3,), (7,), (9,), (9,)]


@examples(10)
@given(
    st.lists(st.integers(1, 4), min_size=1, max_size=3),
    st.integers(0, 8),
    st.integers(0, 7),
    st.integers(1, 3),
    st.booleans(),
)
def test_its_field_is_where_the_gradient_is_not_zero(rates, row: int, column: int, before: int, pooling: bool) -> None:
    first = nn.Conv2d(2, 3, 3, padding=before, dilation=before)
    model = positive(nn.Sequential(first, ASPP(3, 2, rates, image_pooling=pooling)))
    with md.use("numpy"):
        field = receptive_field(model, (2, 9, 8), at=(row, column))
        assert np.array_equal(field.reached, by_gradient(model, (2, 9, 8), (row, column)))


def test_rates_with_a_common_factor_fill_no_holes() -> None:
    trunk = nn.Sequential(nn.Conv1d(1, 2, 3, padding=2, dilation=2), nn.Conv1d(2, 2, 3, padding=2, dilation=2))
    with md.use("numpy"):
        alone = receptive_field(trunk, (1, 41), at=20)
        even = receptive_field(nn.Sequential(trunk, ASPP(2, 2, (2, 4, 6), image_pooling=False, ndim=1)), (1, 41), at=20)
        odd = receptive_field(nn.Sequential(trunk, ASPP(2, 2, (1, 2, 3), image_pooling=False, ndim=1)), (1, 41), at=20)
    assert (alone.size, even.size, odd.size) == ((9,), (21,), (15,))
    assert all(position % 2 == 0 for position in even.axes[0].positions)
    assert odd.axes[0].holes == ()


def test_mistakes() -> None:
    with pytest.raises(OptionError, match="rates are the dilations of its branches"):
        ASPP(2, 2, ())
    with pytest.raises(OptionError, match=r"ASPP: rates\[1\] must be an int >= 1, not 0"):
        ASPP(2, 2, (1, 0))
    with pytest.raises(OptionError, match="Dropout: p is the probability"):
        ASPP(2, 2, (1,), dropout=2)
    with pytest.raises(OptionError, match="not 4"):
        ASPP(2, 2, (1,), ndim=4)
    with pytest.raises(ShapeError, match=r"ASPP: x must be \(N, C, H, W\)"):
        ASPP(2, 2, (1,))(md.tensor(normal(2, 2, 5)))
