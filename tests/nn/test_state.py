"""Saving and loading the values of a model."""

import numpy as np
import pytest

from minidil import nn
from minidil.errors import CheckpointError
from minidil.tensor import tensor


def build() -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Sequential(nn.Linear(4, 2)))


def values_of(model: nn.Module) -> dict[str, bytes]:
    return {name: value.tobytes() for name, value in model.state_dict().items()}


def test_names_are_pytorchs() -> None:
    assert list(build().state_dict()) == [
        "0.weight",
        "0.bias",
        "1.weight",
        "1.bias",
        "1.running_mean",
        "1.running_var",
        "1.num_batches_tracked",
        "2.0.weight",
        "2.0.bias",
    ]


def test_round_trip_is_exact_and_covers_buffers() -> None:
    model, other = build(), build()
    model[1](tensor(np.random.default_rng(0).standard_normal((5, 4, 3, 3)).astype(np.float32)))
    assert values_of(model) != values_of(other)
    ignored = other.load_state_dict(model.state_dict())
    assert values_of(model) == values_of(other)
    assert ignored == ((), ())
    assert other[1].num_batches_tracked == 1


def test_the_state_is_a_copy_in_both_directions() -> None:
    model = build()
    state = model.state_dict()
    before = values_of(model)
    for value in state.values():
        value[...] = 7
    assert values_of(model) == before
    model.load_state_dict(state)
    after = values_of(model)
    for value in state.values():
        value[...] = 8
    assert values_of(model) == after


def test_parameters_keep_their_identity() -> None:
    model = build()
    weight = model[0].weight
    model.load_state_dict(build().state_dict())
    assert model[0].weight is weight


def test_the_error_lists_everything_and_nothing_changes() -> None:
    model = build()
    before = values_of(model)
    state = {name: value + 1 for name, value in model.state_dict().items()}
    state["0.wieght"] = state.pop("0.weight")
    state["extra"] = np.zeros(1)
    state["2.0.weight"] = np.zeros((3, 4), np.float32)
    state["1.running_var"] = np.array(["a"] * 4)
    with pytest.raises(CheckpointError) as caught:
        model.load_state_dict(state)
    message = str(caught.value)
    assert "\n" not in message
    assert "does not fit this Sequential" in message
    assert "missing 1: 0.weight" in message
    assert "unexpected 2: 0.wieght, extra" in message
    assert "misfitting 2: " in message
    assert "2.0.weight has shape (3, 4) but the model needs (2, 4)" in message
    assert "1.running_var has type <U1 but the model needs float32" in message
    assert values_of(model) == before


def test_not_strict_reports_what_it_ignored() -> None:
    model = build()
    state = {"0.bias": np.arange(4, dtype=np.float32), "head.bias": np.zeros(2)}
    ignored = model.load_state_dict(state, strict=False)
    assert list(model[0].bias.data) == [0, 1, 2, 3]
    assert "0.weight" in ignored.missing_keys
    assert ignored.unexpected_keys == ("head.bias",)


def test_a_wrong_shape_is_wrong_even_when_not_strict() -> None:
    model = build()
    with pytest.raises(CheckpointError, match=r"misfitting 1: 0.bias"):
        model.load_state_dict({"0.bias": np.zeros(5, np.float32)}, strict=False)


def test_precision_is_converted_but_kinds_are_not() -> None:
    model = build()
    state = {
        name: value.astype(np.float64) if value.dtype.kind == "f" else value
        for name, value in model.state_dict().items()
    }
    model.load_state_dict(state)
    assert model[0].weight.dtype == np.float32
    state["1.num_batches_tracked"] = np.array(1.5)
    with pytest.raises(CheckpointError, match=r"1.num_batches_tracked has type float64 but the model needs int64"):
        model.load_state_dict(state)


def test_tensors_and_lists_are_taken_as_values() -> None:
    layer = nn.Linear(2, 1)
    layer.load_state_dict({"weight": tensor([[1.0, 2.0]]), "bias": [3.0]})
    assert layer.weight.data.tolist() == [[1, 2]]
    assert layer.bias.data.tolist() == [3]


def test_a_shared_parameter_stands_under_both_names_and_stays_shared() -> None:
    def tied() -> nn.Sequential:
        model = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
        model[1].weight = model[0].weight
        return model

    model, other = tied(), tied()
    state = model.state_dict()
    assert list(state) == ["0.weight", "0.bias", "1.weight", "1.bias"]
    other.load_state_dict(state)
    assert other[0].weight is other[1].weight
    assert values_of(other) == values_of(model)


def test_a_graph_keeps_the_values_from_before_loading() -> None:
    layer = nn.Linear(1, 1, bias=False)
    layer.weight.data = np.array([[2.0]], np.float32)
    x = tensor([[5.0]], requires_grad=True)
    y = layer(x)
    layer.load_state_dict({"weight": np.array([[100.0]], np.float32)})
    y.backward()
    assert x.grad.item() == 2
