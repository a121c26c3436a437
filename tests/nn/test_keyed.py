"""ModuleDict and ParameterList."""

import copy

import numpy as np
import pytest

from minidil import nn
from minidil.errors import OptionError


def test_module_dict() -> None:
    first, second = nn.Linear(2, 3), nn.ReLU()
    model = nn.ModuleDict({"first": first})
    model["second"] = second
    assert list(model) == list(model.keys()) == ["first", "second"]
    assert list(model.values()) == [first, second]
    assert list(model.items()) == [("first", first), ("second", second)]
    assert model["first"] is first
    assert "second" in model
    assert "third" not in model
    assert len(model) == 2
    assert list(model.state_dict()) == ["first.weight", "first.bias"]
    model["second"] = nn.Tanh()
    assert isinstance(model["second"], nn.Tanh)
    del model["first"]
    assert list(model.parameters()) == []


def test_module_dict_refuses() -> None:
    model = nn.ModuleDict([("a", nn.ReLU())])
    with pytest.raises(KeyError, match="ModuleDict has no module 'b'; there are a"):
        model["b"]
    with pytest.raises(OptionError, match="'b' must be a module, not 3"):
        model["b"] = 3
    with pytest.raises(OptionError, match="'keys' cannot name a new part"):
        model["keys"] = nn.ReLU()
    with pytest.raises(NotImplementedError, match="ModuleDict is not called itself"):
        model(1)


def test_parameter_list() -> None:
    parts = [nn.Parameter(np.full(2, value, np.float32)) for value in range(3)]
    model = nn.ParameterList(parts[:1])
    assert model.append(parts[1]).extend(parts[2:]) is model
    assert list(model) == parts == list(model.parameters())
    assert model[-1] is parts[2]
    assert list(model.state_dict()) == ["0", "1", "2"]
    model[1] = parts[0]
    assert model[1] is parts[0]
    with pytest.raises(IndexError, match="has 3 parameters, and none at index 3"):
        model[3]
    with pytest.raises(OptionError, match="entry 3 must be a Parameter, not ndarray; wrap its data"):
        model.append(np.zeros(2))
    assert len(copy.deepcopy(model)) == 3
