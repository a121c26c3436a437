"""Weights that stay zero, and the penalty on the scales of batch norm."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tiny_runs import StopAt, Tiny

import minidil.functional as F
from minidil import deploy, nn, train
from minidil.errors import OptionError


def zeros(model: nn.Module) -> dict[str, int]:
    return {name: int((each.numpy() == 0).sum()) for name, each in model.named_parameters() if each.ndim >= 2}


def test_the_smallest_weights_of_every_layer_or_of_all() -> None:
    def model() -> Any:
        layers: list[Any] = [nn.Linear(4, 2), nn.Linear(2, 1)]
        layers[0].weight.data = np.array([[1, -2, 3, -4], [5, 6, -7, 8]], np.float32)
        layers[1].weight.data = np.array([[0.5, -0.25]], np.float32)
        layers[0].bias.data = np.array([0.1, 0.1], np.float32)
        return nn.Sequential(*layers)

    each, together = model(), model()
    masks = deploy.magnitude(each, 0.5)
    assert each[0].weight.numpy().tolist() == [[0, 0, 0, 0], [5, 6, -7, 8]]
    assert each[1].weight.numpy().tolist() == [[0.5, 0]]
    assert each[0].bias.numpy().tolist() == [np.float32(0.1)] * 2
    assert masks.share == 0.5
    deploy.magnitude(together, 0.5, scope="network")
    assert together[0].weight.numpy().tolist() == [[0, 0, 0, -4], [5, 6, -7, 8]]
    assert together[1].weight.numpy().tolist() == [[0, 0]]


@pytest.mark.parametrize("kind", ["sgd", "adam"])
def test_zeros_stay_and_the_others_learn(kind: str) -> None:
    tiny = Tiny(epochs=1, kind=kind)
    masks = deploy.magnitude(tiny.model, 0.5)
    before, wanted = tiny.model.state_dict(), zeros(tiny.model)
    tiny.fit(callbacks=[masks])
    after = tiny.model.state_dict()
    assert zeros(tiny.model) == wanted == {"0.weight": 18, "6.weight": 4}
    assert all((after[name] != before[name])[masks.kept[name]].any() for name in wanted)
    again = deploy.magnitude(tiny.model, 0.5)
    assert all(np.array_equal(again.kept[name], masks.kept[name]) for name in wanted)


@pytest.mark.slow
def test_a_run_with_masks_is_resumed_bit_for_bit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(train.RunFolder, "draw", lambda folder, history: None)
    whole = Tiny(epochs=2)
    whole.fit(callbacks=[deploy.magnitude(whole.model, 0.5)])
    first = Tiny(epochs=2)
    with pytest.raises(ZeroDivisionError):
        first.fit(tmp_path / "run", callbacks=[deploy.magnitude(first.model, 0.5), StopAt(7)], save_every=0)
    second = Tiny(epochs=2)
    second.fit(tmp_path / "run", callbacks=[deploy.magnitude(second.model, 0.5)], resume=True)
    wanted = whole.model.state_dict()
    assert all(np.array_equal(value, wanted[name]) for name, value in second.model.state_dict().items())


def test_the_penalty_is_the_sum_of_the_scales_and_pulls_all_alike() -> None:
    model = nn.Sequential(nn.BatchNorm2d(3), nn.Conv2d(3, 2, 1), nn.BatchNorm2d(2), nn.BatchNorm2d(2, affine=False))
    scales = [model[place].own_parameters()["weight"] for place in (0, 2)]
    scales[0].data = np.array([2, -0.5, 0], np.float32)
    scales[1].data = np.array([1, -3], np.float32)
    penalty = deploy.batch_norm_penalty(model, 0.5)
    penalty.backward()
    assert penalty.item() == 0.5 * 6.5
    assert [each.grad.numpy().tolist() for each in scales if each.grad is not None] == [[0.5, -0.5, 0], [0.5, -0.5]]


def test_training_with_the_penalty_makes_the_scales_smaller() -> None:
    left = []
    for strength in (0.0, 0.05):
        tiny = Tiny(epochs=1)
        tiny.fit(
            loss=lambda y, t, tiny=tiny, s=strength: F.cross_entropy(y, t) + deploy.batch_norm_penalty(tiny.model, s)
        )
        left.append(deploy.batch_norm_penalty(tiny.model, 1).item())
    assert left[1] < left[0] - 0.05


def test_what_there_is_nothing_of_is_refused() -> None:
    model = nn.Sequential(nn.ReLU())
    with pytest.raises(OptionError, match="magnitude: this Sequential has no weights of two axes"):
        deploy.magnitude(model, 0.5)
    with pytest.raises(OptionError, match="magnitude: share must be a number with 0 <= share < 1, not 80"):
        deploy.magnitude(model, 80)
    with pytest.raises(OptionError, match="magnitude: scope must be 'layer' or 'network', not 'all'"):
        deploy.magnitude(model, 0.5, scope="all")
    with pytest.raises(OptionError, match="batch_norm_penalty: this Sequential has no batch norm with a scale"):
        deploy.batch_norm_penalty(model)
    with pytest.raises(OptionError, match="batch_norm_penalty: strength must be a number from 0 to inf, not -1"):
        deploy.batch_norm_penalty(nn.BatchNorm2d(3), -1)
