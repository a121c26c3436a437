"""The layers of a model, and learning rates that fall from the last to the first."""

from typing import Any

import numpy as np
import pytest

from minidil import models, nn, optim, schedule, tensor, train
from minidil.errors import OptionError


def names(model: nn.Module) -> list[str]:
    return [layer.name for layer in train.layers(model)]


def test_a_layer_is_what_has_weights_with_the_normalisation_behind_it() -> None:
    model = models.vgg_small(rng=np.random.default_rng(0))
    assert names(model) == [f"features.{place}" for place in (0, 3, 7, 10, 14, 17)] + ["classifier.1"]
    first = train.layers(model)[0]
    assert first.names == {"features.0.weight", "features.1.weight", "features.1.bias"} | {
        f"features.1.{name}" for name in ("running_mean", "running_var", "num_batches_tracked")
    }
    assert [id(each) for each in first.parameters] == [id(each) for each in list(model.parameters())[:3]]


def test_a_block_is_one_layer_and_containers_are_none() -> None:
    model = models.resnet_small(blocks=2, widths=(4, 4, 8))
    assert names(model) == ["conv1", *(f"layer{stage}.{block}" for stage in (1, 2, 3) for block in (0, 1)), "fc"]
    assert names(models.vgg_fast(widths=(64, 64), dilations=((1, 1), (1,)))) == [
        "whiten",
        "features.0.0",
        "features.0.3",
        "features.1.0",
        "classifier",
    ]


class Odd(nn.Module):
    """Parameters of its own, a list, a dict, a norm that comes first, and a layer that is used twice."""

    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(2)
        self.steps = nn.ModuleList([nn.Linear(2, 2), nn.ReLU()])
        self.named = nn.ModuleDict({"a": nn.Linear(2, 2)})
        self.tied = self.steps[0]
        self.scale = nn.Parameter(np.ones(2, np.float32))


def test_every_parameter_is_in_exactly_one_layer() -> None:
    odd = Odd()
    assert names(odd) == ["", "steps.0", "named.a"]
    for model in (odd, nn.Linear(2, 2), models.vgg_small(), models.resnet_small(blocks=1), models.vgg_fast()):
        found = [id(each) for layer in train.layers(model) for each in layer.parameters]
        assert sorted(found) == sorted(id(each) for each in model.parameters())
        every = {name for name, _ in model.named_parameters()} | {name for name, _ in model.named_buffers()}
        assert set().union(*(layer.names for layer in train.layers(model))) == every


def test_rates_fall_from_the_head_to_the_first_layer() -> None:
    model = models.vgg_small(widths=(4, 4), dilations=((1, 1), (1,)))
    groups = train.layer_groups(model, lr=0.5, decay=0.1)
    assert [group["lr"] for group in groups] == pytest.approx([0.5, 0.05, 0.005, 0.0005])
    assert [len(group["params"]) for group in groups] == [2, 3, 3, 3]
    assert groups[0]["params"][0] is model.classifier[1].weight
    model.features.freeze()
    assert [group["lr"] for group in train.layer_groups(model, lr=0.5)] == [0.5]
    train.unfreeze(model, "features.0")  # it keeps its place in the count
    assert [group["lr"] for group in train.layer_groups(model, lr=0.5)] == pytest.approx([0.5, 0.5 * 0.8**3])


def test_a_schedule_scales_every_group_and_each_moves_at_its_rate() -> None:
    model = nn.Sequential(nn.Linear(1, 1, bias=False), nn.Linear(1, 1, bias=False))
    for layer in model:
        layer.weight.data = np.ones((1, 1), np.float32)
    optimizer = optim.SGD(train.layer_groups(model, lr=0.8, decay=0.5), lr=0.8)
    plan = schedule.Step(optimizer, 1, gamma=0.25)
    for factor in (1.0, 0.25, 0.0625):
        assert [group["lr"] for group in optimizer.param_groups] == pytest.approx([0.8 * factor, 0.4 * factor])
        before = [float(layer.weight.item()) for layer in model]
        optimizer.zero_grad()
        model(tensor([[1.0]])).sum().backward()
        gradients = before[1], before[0]
        optimizer.step()
        plan.step()
        after = [float(layer.weight.item()) for layer in model]
        assert after == pytest.approx(
            [before[0] - 0.4 * factor * gradients[0], before[1] - 0.8 * factor * gradients[1]], rel=1e-5
        )


@pytest.mark.parametrize(("lr", "decay"), [(-1, 0.8), (0.1, 0), (0.1, 1.5), (float("nan"), 0.8), (0.1, float("nan"))])
def test_rates_out_of_range_are_refused(lr: Any, decay: Any) -> None:
    with pytest.raises(OptionError, match="layer_groups: needs lr >= 0 and 0 < decay <= 1, got lr="):
        train.layer_groups(nn.Linear(1, 1), lr, decay)


def test_a_model_without_anything_to_train_has_no_groups() -> None:
    with pytest.raises(OptionError, match="layer_groups: no parameter of this Linear is trained; unfreeze some"):
        train.layer_groups(nn.Linear(1, 1).freeze(), 0.1)
