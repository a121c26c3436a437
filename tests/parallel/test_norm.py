"""Batch norm over ranks is batch norm of the whole batch: values, gradients and running statistics."""

from typing import Any

import numpy as np
import pytest
from team_of_threads import ThreadTeam, on_ranks

import minidil as md
from minidil import nn, parallel
from minidil.errors import ShapeError

X = 50 + np.random.default_rng(0).standard_normal((7, 3, 4, 4))
SEED = np.random.default_rng(1).standard_normal(X.shape)


def norm(**options: Any) -> nn.BatchNorm2d:
    layer = nn.BatchNorm2d(3, **options).astype(np.float64)
    if layer.weight is not None and layer.bias is not None:
        layer.weight.data, layer.bias.data = np.array([1.0, -2.0, 3.0]), np.array([0.5, 0.0, -1.0])
    return layer


def through(layer: nn.Module, x: Any, seed: Any) -> dict[str, Any]:
    """Everything that follows from L = sum seed * layer(x)."""
    given = md.tensor(x, requires_grad=True)
    y = layer(given)
    y.backward(seed)
    found = {"y": y.numpy(), "x": given.grad.numpy(), **layer.state_dict()}
    return found | {f"grad_{name}": each.grad.numpy() for name, each in layer.named_parameters()}


@pytest.mark.parametrize("options", [{}, {"affine": False}, {"activation": "relu"}, {"momentum": None}])
@pytest.mark.parametrize("size", [2, 3])
def test_it_is_batch_norm_of_the_whole_batch(size: int, options: dict[str, Any]) -> None:
    def part(team: ThreadTeam) -> dict[str, Any]:
        places = slice(7 * team.rank // size, 7 * (team.rank + 1) // size)
        return through(parallel.synchronise(norm(**options), team), X[places], SEED[places])

    whole, parts = through(norm(**options), X, SEED), on_ranks(size, part)
    for name in ("y", "x"):
        np.testing.assert_allclose(np.concatenate([each[name] for each in parts]), whole[name], rtol=1e-9, atol=1e-11)
    for name in set(whole) - {"y", "x"}:
        found = sum(each[name] for each in parts) if name.startswith("grad_") else parts[0][name]
        np.testing.assert_allclose(found, whole[name], rtol=1e-9, atol=1e-11)
        if not name.startswith("grad_"):
            assert all(np.array_equal(each[name], parts[0][name]) for each in parts)


def test_a_channel_needs_two_values_on_all_ranks_together() -> None:
    one = np.ones((1, 2), np.float32)
    layers = on_ranks(2, lambda team: parallel.synchronise(nn.BatchNorm1d(2), team)(md.tensor(one)).numpy())
    np.testing.assert_array_equal(layers, np.zeros((2, 1, 2)))
    with pytest.raises(ShapeError, match=r"has 1 value per channel on all ranks"):
        on_ranks(1, lambda team: parallel.synchronise(nn.BatchNorm1d(2), team)(md.tensor(one)))


def test_a_model_keeps_its_parameters_names_modes_and_answers() -> None:
    def work(team: ThreadTeam) -> None:
        model = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.ReLU(), nn.Sequential(nn.BatchNorm2d(2)))
        model.eval()
        model[3].train()
        before, parameters = model.state_dict(), [*map(id, model.parameters())]
        changed = parallel.synchronise(model, team)
        assert changed is model
        assert [*map(id, model.parameters())] == parameters
        assert list(model.state_dict()) == list(before)
        assert [(type(each).__name__, each.training) for each in model.modules() if isinstance(each, nn.BatchNorm)] == [
            ("SyncBatchNorm", False),
            ("SyncBatchNorm", True),
        ]

    on_ranks(1, work)
