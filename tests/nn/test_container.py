"""Sequential and ModuleList."""

from collections import OrderedDict

import pytest

from minidil import nn
from minidil.errors import OptionError
from minidil.tensor import tensor


def parts() -> list[nn.Module]:
    return [nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 1)]


def test_sequential_applies_in_order() -> None:
    layers = parts()
    model = nn.Sequential(*layers)
    x = tensor([[1.0, 2.0]])
    expected = layers[2](layers[1](layers[0](x)))
    assert model(x).item() == expected.item()
    assert nn.Sequential()(x) is x


@pytest.mark.parametrize("make", [lambda layers: nn.Sequential(*layers), nn.ModuleList])
def test_they_are_sequences(make) -> None:
    layers = parts()
    model = make(layers)
    assert len(model) == 3
    assert list(model) == layers
    assert model[0] is layers[0]
    assert model[-1] is layers[2]
    assert [name for name, _ in model.named_children()] == ["0", "1", "2"]
    part = model[1:]
    assert type(part) is type(model)
    assert list(part) == layers[1:]
    assert [name for name, _ in part.named_parameters()] == ["1.weight", "1.bias"]
    assert list(model[::-2]) == [layers[2], layers[0]]
    for index in (3, -4):
        with pytest.raises(IndexError, match=f"has 3 modules, and none at index {index}"):
            model[index]
    with pytest.raises(TypeError):
        model["0"]


@pytest.mark.parametrize("make", [lambda layers: nn.Sequential(*layers), nn.ModuleList])
def test_they_grow_and_change(make) -> None:
    model = make(parts())
    last = nn.Linear(1, 1)
    assert model.append(last) is model
    assert model.extend([nn.Tanh(), nn.Tanh()]) is model
    assert len(model) == 6
    assert model[3] is last
    model[-1] = nn.Sigmoid()
    assert isinstance(model[5], nn.Sigmoid)
    assert [name for name, _ in model.named_children()] == ["0", "1", "2", "3", "4", "5"]
    with pytest.raises(IndexError):
        model[6] = nn.Tanh()
    with pytest.raises(OptionError, match="entry 0 must be a module, not None"):
        model[0] = None


def test_more_than_ten_stay_in_order() -> None:
    layers = [nn.ReLU() for _ in range(12)]
    assert list(nn.ModuleList(layers)) == layers
    assert nn.ModuleList(layers)[11] is layers[11]


def test_names_nest() -> None:
    model = nn.Sequential(nn.Sequential(nn.Linear(1, 1)), nn.ModuleList([nn.Linear(1, 1, bias=False)]))
    assert list(model.state_dict()) == ["0.0.weight", "0.0.bias", "1.0.weight"]


def test_mistakes() -> None:
    with pytest.raises(
        OptionError, match=r"Sequential: entry 1 must be a module, not the class ReLU; write ReLU\(...\)"
    ):
        nn.Sequential(nn.Linear(1, 1), nn.ReLU)
    with pytest.raises(OptionError, match=r"entry 0 must be a module, not a list; unpack it with \*"):
        nn.Sequential([nn.ReLU()])
    model = nn.ModuleList([nn.ReLU()])
    with pytest.raises(OptionError, match="entry 2 must be a module, not 3"):
        model.extend([nn.ReLU(), 3])
    assert len(model) == 1
    with pytest.raises(NotImplementedError, match="ModuleList is not called itself"):
        model(tensor([1.0]))


def test_names_of_your_own() -> None:
    first, second = nn.Linear(2, 3), nn.ReLU()
    for named in (OrderedDict(first=first, second=second), {"first": first, "second": second}):
        model = nn.Sequential(named)
        assert list(model.state_dict()) == ["first.weight", "first.bias"]
        assert (model[0], model[-1]) == (first, second)
        assert [name for name, _ in model[1:].named_children()] == ["second"]
        assert model(tensor([[1.0, 2.0]])).numpy().tolist() == second(first(tensor([[1.0, 2.0]]))).numpy().tolist()
        with pytest.raises(OptionError, match="insert works with numbered modules"):
            model.insert(0, nn.ReLU())
    with pytest.raises(OptionError, match="entry 'a' must be a module, not 3"):
        nn.Sequential({"a": 3})


@pytest.mark.parametrize("make", [lambda layers: nn.Sequential(*layers), nn.ModuleList])
@pytest.mark.parametrize("index", [0, 1, 3, -1, 9])
def test_insert_is_that_of_lists(make, index: int) -> None:
    layers, new = parts(), nn.Tanh()
    model = make(layers)
    assert model.insert(index, new) is model
    layers.insert(index, new)
    assert list(model) == layers
    assert [name for name, _ in model.named_children()] == ["0", "1", "2", "3"]
    with pytest.raises(OptionError, match="entry 0 must be a module, not the class ReLU"):
        model.insert(0, nn.ReLU)


@pytest.mark.parametrize("make", [nn.Sequential, lambda *layers: nn.ModuleList(layers)])
def test_a_module_is_deleted_and_the_rest_numbered_anew(make) -> None:
    first, second, third = nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 1)
    model = make(first, second, third)
    del model[1]
    assert list(model.own_children().items()) == [("0", first), ("1", third)]
    del model[-1]
    assert list(model) == [first]
    with pytest.raises(IndexError, match="has 1 modules, and none at index 1"):
        del model[1]


def test_deleting_keeps_names_of_their_own() -> None:
    model = nn.Sequential(OrderedDict(stem=nn.Linear(2, 3), head=nn.Linear(3, 1)))
    del model[0]
    assert list(model.own_children()) == ["head"]
