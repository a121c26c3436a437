"""Parts of a model that do not learn: by name, from the start, or after some epochs."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tiny_runs import StopAt, Tiny

import minidil.functional as F
from minidil import models, nn, optim, tensor, train
from minidil.errors import OptionError
from minidil.kernels.backend import active

pytestmark = pytest.mark.usefixtures("quick_pictures")


class Weights(train.Callback):
    """The state dict at the end of every epoch."""

    def __init__(self) -> None:
        self.seen: list[dict[str, np.ndarray]] = []

    def on_epoch_end(self, run: train.Run) -> None:
        self.seen.append(run.model.state_dict())


@pytest.mark.parametrize("epochs", [0, 1, 2])
def test_it_stands_still_from_then_on_and_all_else_goes_on(epochs: int) -> None:
    tiny, weights = Tiny(epochs=3), Weights()
    weights.seen.append(tiny.model.state_dict())
    tiny.fit(callbacks=[train.FreezeAfter(tiny.model, "0", epochs), weights])
    for epoch, (before, after) in enumerate(zip(weights.seen, weights.seen[1:], strict=False)):
        for name in ("0.weight", "0.bias", "6.weight"):
            still = name.startswith("0.") and epoch >= epochs
            assert np.array_equal(before[name], after[name]) == still


def test_a_name_is_a_module_s_or_a_parameter_s_and_never_half_of_one() -> None:
    model = Tiny().model
    assert len(train.FreezeAfter(model, "1", 1).parameters) == 2
    assert train.FreezeAfter(model, "6.bias", 1).parameters == [model.own_children()["6"].bias]
    with pytest.raises(OptionError, match=r"^FreezeAfter: no parameter is '6.bi' or part of it; did you mean '6.bias'"):
        train.FreezeAfter(model, "6.bi", 1)


@pytest.mark.parametrize("epochs", [-1, 1.5, True])
def test_epochs_are_counted(epochs: float) -> None:
    with pytest.raises(OptionError, match="epochs must be an int >= 0"):
        train.FreezeAfter(Tiny().model, "0", epochs)


@pytest.mark.slow
@pytest.mark.parametrize("batches", [3, 5, 8])
def test_a_resumed_run_is_frozen_at_the_same_place(tmp_path: Path, batches: int) -> None:
    def run(folder: str, *others: train.Callback, resume: bool = False) -> None:
        tiny = Tiny()
        callbacks = [train.FreezeAfter(tiny.model, "0", 1), *others]
        tiny.fit(tmp_path / folder, callbacks=callbacks, resume=resume, save_every=0)

    run("whole")
    with pytest.raises(ZeroDivisionError):
        run("cut", StopAt(batches))
    run("cut", resume=True)
    for name in ("last.npz", "best.npz", "metrics.csv"):
        assert (tmp_path / "cut" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


def small() -> models.VGG:
    return models.vgg_small(2, in_channels=1, widths=(4, 4), dilations=((1, 2), (1,)), rng=np.random.default_rng(0))


def batch(seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((4, 1, 8, 8)).astype(np.float32)


FEATURES = ["features.0", "features.1", "features.3", "features.4", "features.7", "features.8"]


@pytest.mark.parametrize(
    ("patterns", "modules"),
    [
        ("features.*", FEATURES),
        ("features", FEATURES),
        ("*", [*FEATURES, "classifier.1"]),
        ("features.[0-3]", ["features.0", "features.1", "features.3"]),
        (["features.0", "features.1"], ["features.0", "features.1"]),
        ("classifier.?", ["classifier.1"]),
    ],
)
def test_names_are_patterns_and_a_module_stands_for_its_parameters(patterns: Any, modules: list[str]) -> None:
    model = small()
    expected = [name for name, _ in model.named_parameters() if name.rpartition(".")[0] in modules]
    assert train.freeze(model, patterns) == expected
    assert [name for name, each in model.named_parameters() if not each.requires_grad] == expected
    assert train.unfreeze(model, patterns) == expected
    assert all(each.requires_grad for each in model.parameters())


def test_a_name_of_digits_is_none_of_those_that_begin_with_them() -> None:
    model = nn.Sequential(*(nn.Linear(1, 1, bias=False) for _ in range(12)))
    assert train.freeze(model, "1") == ["1.weight"]
    assert train.freeze(model, "1*") == ["1.weight", "10.weight", "11.weight"]


@pytest.mark.parametrize("change", [train.freeze, train.unfreeze])
def test_a_pattern_that_fits_nothing_is_refused_before_anything_is_changed(change: Callable[..., object]) -> None:
    model = small()
    model.features.freeze()
    before = [each.requires_grad for each in model.parameters()]
    name = change.__name__
    with pytest.raises(
        OptionError, match=rf"^{name}: no parameter is 'feature.\*' or part of it; did you mean 'features"
    ):
        change(model, ["classifier", "features.0", "feature.*"])
    with pytest.raises(OptionError, match=r"'stem' or part of it; there are features.0.weight, features.1.weight"):
        change(model, "stem")
    with pytest.raises(OptionError, match=rf'{name}: a pattern is a text such as "features.\*", not 3'):
        change(model, [3])
    assert [each.requires_grad for each in model.parameters()] == before


def test_frozen_batch_norm_stays_in_evaluation_mode_and_the_others_go_on() -> None:
    model = small()
    train.freeze(model, "features.1")
    model.train()
    assert [module.training for module in model.features][:6] == [True, False, True, True, True, True]
    before = model.state_dict()
    model(tensor(batch()))
    after = model.state_dict()
    for name in ("running_mean", "running_var", "num_batches_tracked"):
        assert np.array_equal(before[f"features.1.{name}"], after[f"features.1.{name}"])
        assert not np.array_equal(before[f"features.4.{name}"], after[f"features.4.{name}"])
    train.unfreeze(model, "features.1")
    model(tensor(batch()))
    assert model.state_dict()["features.1.num_batches_tracked"] == 1
    model.eval()
    train.freeze(model, "*")
    train.unfreeze(model)
    assert not any(module.training for module in model.modules())


def test_batch_norm_of_which_something_learns_goes_on_tracking() -> None:
    model = small()
    train.freeze(model, "*.weight")
    assert model.features[1].training
    train.freeze(model, "features.1.bias")
    assert not model.features[1].training
    train.unfreeze(model, "features.1.weight")
    assert model.features[1].training
    plain = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm(2, affine=False))
    assert train.freeze(plain, "1") == []  # it has no parameters, and statistics all the same
    assert not plain.train()[1].training


@pytest.mark.parametrize(
    ("frozen", "inputs", "weights"), [([], 2, 3), (["features.0", "features.1"], 1, 2), (["features"], 0, 0)]
)
def test_the_backward_pass_ends_at_the_lowest_layer_that_is_trained(
    monkeypatch: pytest.MonkeyPatch, frozen: list[str], inputs: int, weights: int
) -> None:
    model, calls, kernels = small(), Counter[str](), active()

    def counted(name: str) -> Callable[..., Any]:
        kernel = getattr(kernels, name)

        def call(*given: Any, **named: Any) -> Any:
            calls[name] += 1
            return kernel(*given, **named)

        return call

    for name in ("conv_grad_input", "conv_grad_weight"):
        monkeypatch.setattr(kernels, name, counted(name))
    train.freeze(model, frozen)
    F.cross_entropy(model.train()(tensor(batch())), np.array([0, 1, 0, 1])).backward()
    assert [calls["conv_grad_input"], calls["conv_grad_weight"]] == [inputs, weights]
    for name, parameter in model.named_parameters():
        assert (parameter.grad is None) == any(name.startswith(f"{each}.") for each in frozen)


@pytest.mark.parametrize("kind", [optim.SGD, optim.Adam, optim.AdamW, optim.RMSprop])
def test_what_is_frozen_gets_no_state_in_an_optimizer(kind: Any) -> None:
    model = small()
    train.freeze(model, "features")
    optimizer = kind(model.parameters(), lr=0.01, weight_decay=0.1)
    before = model.state_dict()
    F.cross_entropy(model(tensor(batch())), np.array([0, 1, 0, 1])).backward()
    optimizer.step()
    frozen = [not parameter.requires_grad for parameter in model.parameters()]
    assert [state == {} for state in optimizer.state_dict()["state"]] == [
        still or (kind is optim.SGD) for still in frozen
    ]
    after = model.state_dict()
    assert [name for name in after if not np.array_equal(before[name], after[name])] == [
        "classifier.1.weight",
        "classifier.1.bias",
    ]


def test_freezing_after_some_epochs_holds_the_statistics_too() -> None:
    tiny, weights = Tiny(epochs=3), Weights()
    tiny.fit(callbacks=[train.FreezeAfter(tiny.model, "1", 1), weights])
    counts = [int(state["1.num_batches_tracked"]) for state in weights.seen]
    assert counts == [5, 5, 5]
