"""Hooks of a module's forward, apply, and requires_grad_."""

import copy
from typing import Any

import numpy as np
import pytest

import minidil as md
from minidil import nn

X = md.tensor([[1.0, -2.0]])


def test_a_forward_hook_sees_and_may_replace() -> None:
    seen: list[Any] = []
    layer = nn.ReLU()
    look = layer.register_forward_hook(lambda module, inputs, output: seen.append((module, inputs, output)))
    y = layer(X)
    assert seen == [(layer, (X,), y)]
    double = layer.register_forward_hook(lambda module, inputs, output: output * 2)
    assert layer(X).numpy().tolist() == [[2.0, 0.0]]
    double.remove()
    double.remove()
    assert layer(X).numpy().tolist() == [[1.0, 0.0]]
    assert len(seen) == 3
    look.remove()
    layer(X)
    assert len(seen) == 3


def test_removing_one_twice_leaves_the_next_alone() -> None:
    layer = nn.Identity()
    first = layer.register_forward_hook(lambda module, inputs, output: None)
    first.remove()
    layer.register_forward_hook(lambda module, inputs, output: output * 3)
    first.remove()
    assert layer(X).numpy().tolist() == [[3.0, -6.0]]


@pytest.mark.parametrize("changed", [lambda x: -x, lambda x: (-x,)])
def test_a_pre_hook_may_replace_the_inputs(changed) -> None:
    layer = nn.ReLU()
    handle = layer.register_forward_pre_hook(lambda module, inputs: changed(inputs[0]))
    assert layer(X).numpy().tolist() == [[0.0, 2.0]]
    handle.remove()
    assert layer(X).numpy().tolist() == [[1.0, 0.0]]


def test_watchers_see_what_a_hook_made_of_the_output() -> None:
    model, seen = nn.Sequential(nn.ReLU()), {}
    model[0].register_forward_hook(lambda module, inputs, output: output + 1)
    with nn.watch(model, lambda name, module, inputs, output: seen.update({name: output})):
        y = model(X)
    assert seen["0"] is seen[""] is y


def test_apply_goes_from_the_leaves_to_the_root() -> None:
    model, seen = nn.Sequential(nn.Linear(2, 2), nn.Sequential(nn.ReLU())), []
    assert model.apply(seen.append) is model
    assert seen == [model[0], model[1][0], model[1], model]


def test_requires_grad() -> None:
    model = nn.Linear(2, 2)
    assert model.requires_grad_(False) is model
    assert not any(parameter.requires_grad for parameter in model.parameters())
    assert all(parameter.requires_grad for parameter in model.requires_grad_().parameters())


def test_a_deep_copy_is_a_model_of_its_own() -> None:
    model = nn.Sequential(nn.Conv1d(1, 2, 1), nn.BatchNorm1d(2), nn.ReLU())
    other = copy.deepcopy(model)
    other[0].weight.data = other[0].weight.data * 0
    other[0].register_forward_hook(lambda module, inputs, output: output * 0)
    x = md.tensor(np.random.default_rng(0).standard_normal((2, 1, 3)).astype(np.float32))
    assert np.abs(model(x).numpy()).max() > 0
    assert np.abs(model[0].weight.numpy()).min() > 0
    assert list(other.state_dict()) == list(model.state_dict())
