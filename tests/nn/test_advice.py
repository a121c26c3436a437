"""What layers say about inputs that beginners give them, and how a summary shows itself."""

import numpy as np
import pytest

import minidil as md
from minidil import nn
from minidil.errors import DtypeError, ShapeError


@pytest.mark.parametrize("layer", [nn.Linear(3, 4), nn.ReLU(), nn.Conv1d(3, 1, 1), nn.GroupNorm(1, 3), nn.MaxPool1d(2)])
@pytest.mark.parametrize("x", [[[1.0, 2.0, 3.0]], ((1.0, 2.0, 3.0),)])
def test_a_list_is_told_to_become_a_tensor(layer: nn.Module, x: object) -> None:
    name = type(layer).__name__
    with pytest.raises(
        DtypeError, match=rf"{name}: takes a tensor, not a {type(x).__name__}; write minidil.tensor\(x\)"
    ):
        layer(x)


def test_a_foreign_tensor_is_named() -> None:
    foreign = type("Tensor", (), {"__module__": "torch"})()
    with pytest.raises(
        DtypeError, match=r"Linear: takes a minidil tensor, not a torch.Tensor; write minidil.tensor\(x.det"
    ):
        nn.Linear(3, 4)(foreign)


@pytest.mark.parametrize("wrap", [np.asarray, md.tensor])
def test_float64_is_told_how_to_become_float32(wrap) -> None:
    with pytest.raises(DtypeError, match=r"x is float64, weight is float32.*x\.astype\('float32'\).*np\.random\.rand"):
        nn.Sequential(nn.Linear(3, 4))(wrap(np.random.default_rng(0).random((2, 3))))
    with pytest.raises(DtypeError, match=r"x\.astype\('float64'\) is what this layer takes"):
        nn.Linear(3, 4).astype(np.float64)(wrap(np.zeros((2, 3), np.float32)))


def test_a_module_of_ones_own_may_take_what_it_likes() -> None:
    class Sum(nn.Module):
        def forward(self, parts):
            return parts[0] + parts[1] if len(parts) > 1 else parts.missing

    one = md.tensor([1.0])
    assert Sum()([one, one]).item() == 2
    with pytest.raises(AttributeError, match="'list' object has no attribute 'missing'"):
        Sum()([one])


def test_channels_last_are_told_to_move() -> None:
    x = md.tensor(np.zeros((2, 8, 8, 3), np.float32))
    with pytest.raises(
        ShapeError, match=r"has shape \(2, 8, 8, 3\), with the channels last; .* x\.transpose\(0, 3, 1, 2\)"
    ):
        nn.Conv2d(3, 4, 3)(x)
    assert nn.Conv2d(3, 4, 3)(x.transpose(0, 3, 1, 2)).shape == (2, 4, 6, 6)


def test_summary_says_that_it_adds_the_batch_axis() -> None:
    with pytest.raises(
        ShapeError, match=r"summary adds the batch axis itself, so input_shape \(1, 3, 8, 8\) became \(1, 1"
    ):
        nn.Conv2d(3, 4, 3).summary((1, 3, 8, 8))


def test_a_summary_is_a_table_wherever_it_is_shown() -> None:
    summary = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU()).summary((3, 8, 8))
    assert repr(summary) == str(summary)
    assert "Fraction" not in repr(summary)
    html = summary._repr_html_()
    assert html.startswith("<table><caption>input (1, 3, 8, 8): 112 parameters, 3,888 multiply-adds</caption><thead>")
    assert html.count("<tr>") == 4
    assert html.count("<td") == 18
    assert '<td style="text-align: right">3,888</td>' in html
