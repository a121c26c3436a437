"""Module: attributes, names, modes, and what happens to mistakes."""

import copy

import numpy as np
import pytest

import minidil.functional as F
from minidil import nn
from minidil.errors import DtypeError, OptionError, ShapeError
from minidil.tensor import Tensor, tensor


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(np.ones(2, np.float32))
        self.layer = nn.Linear(2, 3)
        self.norm = nn.BatchNorm1d(3)
        self.rate = 0.5

    def forward(self, x: Tensor) -> Tensor:
        return self.norm(self.layer(F.multiply(x, self.scale)))


class TestAttributes:
    def test_a_typo_raises_and_names_what_was_meant(self) -> None:
        net = Net()
        with pytest.raises(AttributeError, match="Net has no attribute 'layr'; did you mean 'layer'"):
            net.layr = nn.Linear(2, 3)
        with pytest.raises(AttributeError, match="did you mean 'training'"):
            net.trainin = False
        assert not hasattr(net, "layr")

    def test_without_a_close_name_the_message_says_where_attributes_are_made(self) -> None:
        with pytest.raises(AttributeError, match=r"no attribute 'q' \(new ones are made in __init__\)"):
            nn.ReLU().q = 1

    def test_existing_attributes_can_be_set(self) -> None:
        net = Net()
        net.rate = 0.25
        net.layer = nn.Linear(2, 3, bias=False)
        assert net.rate == 0.25
        assert net.layer.bias is None

    def test_properties_with_a_setter_can_be_set(self) -> None:
        class Warm(nn.Module):
            kelvin = 300.0

            @property
            def celsius(self) -> float:
                return self.kelvin - 273.15

            @celsius.setter
            def celsius(self, value: float) -> None:
                self.kelvin = value + 273.15

        warm = Warm()
        warm.celsius = 0.0
        assert warm.kelvin == 273.15

    def test_every_init_of_a_chain_may_add_attributes(self) -> None:
        class Wider(Net):
            def __init__(self) -> None:
                super().__init__()
                self.more = nn.Linear(3, 4)

        wider = Wider()
        assert [name for name, _ in wider.named_children()] == ["layer", "norm", "more"]
        with pytest.raises(AttributeError, match="did you mean 'more'"):
            wider.mor = 1

    def test_a_class_without_init_works(self) -> None:
        class Double(nn.Module):
            def forward(self, x: Tensor) -> Tensor:
                return F.add(x, x)

        assert Double()(tensor([1.0])).item() == 2

    def test_forgetting_super_init_before_an_attribute(self) -> None:
        class Forgetful(nn.Module):
            def __init__(self) -> None:
                self.layer = nn.Linear(2, 3)

        with pytest.raises(
            AttributeError, match=r"Forgetful.__init__ must call super\(\).__init__\(\) before it sets 'layer'"
        ):
            Forgetful()

    def test_forgetting_super_init_altogether(self) -> None:
        class Forgetful(nn.Module):
            def __init__(self) -> None:
                pass

        with pytest.raises(AttributeError, match=r"Forgetful.__init__ must call super\(\).__init__\(\) first"):
            Forgetful()

    def test_forgetting_super_init_before_a_buffer(self) -> None:
        class Forgetful(nn.Module):
            def __init__(self) -> None:
                self.register_buffer("steps", np.zeros(1))

        with pytest.raises(AttributeError, match=r"must call super\(\).__init__\(\) before it sets 'steps'"):
            Forgetful()

    def test_methods_are_not_overwritten_by_values(self) -> None:
        net = Net()
        with pytest.raises(AttributeError, match=r"Net.train is a method"):
            net.train = False
        net.forward = lambda x: x
        assert net(tensor([3.0])).item() == 3

    def test_a_parameter_stays_a_parameter_or_none(self) -> None:
        layer = nn.Linear(2, 3)
        with pytest.raises(
            OptionError, match=r"Linear.weight is a Parameter and stays one \(or None\), not ndarray; .*\.data"
        ):
            layer.weight = np.zeros((3, 2), np.float32)
        with pytest.raises(OptionError, match="not Tensor"):
            layer.weight = tensor(np.zeros((3, 2), np.float32))
        layer.bias = None
        assert [name for name, _ in layer.named_parameters()] == ["weight"]
        layer.bias = nn.Parameter(np.ones(3, np.float32))
        assert [name for name, _ in layer.named_parameters()] == ["weight", "bias"]

    def test_a_child_stays_a_module_or_none(self) -> None:
        net = Net()
        with pytest.raises(OptionError, match=r"Net.norm is a Module and stays one"):
            net.norm = "none"
        net.norm = None
        assert [name for name, _ in net.named_children()] == ["layer"]

    def test_a_trainable_tensor_must_be_a_parameter(self) -> None:
        class Wrong(nn.Module):
            def __init__(self) -> None:
                super().__init__()
                self.weight = tensor([1.0], requires_grad=True)

        with pytest.raises(
            OptionError, match=r"Wrong.weight: a tensor that requires a gradient is trained only as a Parameter"
        ):
            Wrong()

    def test_other_tensors_may_be_kept(self) -> None:
        net = Net()
        net.rate = net.layer(tensor(np.ones((1, 2), np.float32)))
        assert next(net.named_parameters())[0] == "scale"

    @pytest.mark.parametrize("wrap", [list, tuple, lambda modules: dict(enumerate(modules))])
    def test_modules_in_a_list_would_be_lost(self, wrap: type) -> None:
        class Wrong(nn.Module):
            def __init__(self) -> None:
                super().__init__()
                self.layers = wrap([nn.ReLU()])

        with pytest.raises(OptionError, match=r"not found by parameters.*ModuleList"):
            Wrong()

    def test_a_module_cannot_contain_itself(self) -> None:
        net, outer = Net(), nn.Sequential(nn.ReLU())
        with pytest.raises(OptionError, match="cannot contain itself"):
            net.layer = net
        with pytest.raises(OptionError, match="cannot contain itself"):
            outer.append(nn.Sequential(outer))

    def test_names_given_later(self) -> None:
        net = Net()
        net.add_module("head", nn.Linear(3, 1))
        net.register_parameter("shift", nn.Parameter(np.zeros(2, np.float32)))
        net.register_parameter("unused", None)
        assert "head.weight" in net.state_dict()
        assert "shift" in net.state_dict()
        assert "unused" not in net.state_dict()
        for name in ("", "a.b", "forward", "layer"):
            with pytest.raises(OptionError, match="cannot name a new part"):
                net.add_module(name, nn.ReLU())
        with pytest.raises(OptionError, match="'scale' cannot name a new part"):
            net.register_buffer("scale", np.ones(2))
        assert "scale" in net.own_parameters()


class TestBuffers:
    def test_they_are_read_only_copies(self) -> None:
        class Holder(nn.Module):
            def __init__(self, values: np.ndarray) -> None:
                super().__init__()
                self.register_buffer("values", values)
                self.register_buffer("nothing", None)

        values = np.zeros(2)
        holder = Holder(values)
        values[0] = 7
        assert holder.values[0] == 0
        with pytest.raises(ValueError, match="read-only"):
            holder.values[0] = 1
        holder.values = np.ones(2)
        assert [(name, list(value)) for name, value in holder.named_buffers()] == [("values", [1, 1])]
        assert len(list(holder.buffers())) == 1
        with pytest.raises(OptionError, match=r"Holder.values is a buffer"):
            holder.values = nn.Parameter(np.ones(2))
        holder.values = None
        assert list(holder.buffers()) == []


class TestTraversal:
    def test_names_and_order(self) -> None:
        net = nn.Sequential(Net(), nn.Sequential(nn.ReLU(), nn.Linear(3, 1)))
        assert [name for name, _ in net.named_modules()] == ["", "0", "0.layer", "0.norm", "1", "1.0", "1.1"]
        assert [name for name, _ in net.named_parameters()] == [
            "0.scale",
            "0.layer.weight",
            "0.layer.bias",
            "0.norm.weight",
            "0.norm.bias",
            "1.1.weight",
            "1.1.bias",
        ]
        assert [name for name, _ in net.named_buffers()] == [
            "0.norm.running_mean",
            "0.norm.running_var",
            "0.norm.num_batches_tracked",
        ]
        assert len(list(net.modules())) == 7
        assert len(list(net.children())) == 2

    def test_what_is_shared_is_listed_once(self) -> None:
        layer = nn.Linear(2, 2)
        net = nn.Sequential(layer, nn.ReLU(), layer)
        tied = nn.Linear(2, 2)
        tied.weight = layer.weight
        net.append(tied)
        assert [name for name, _ in net.named_parameters()] == ["0.weight", "0.bias", "3.bias"]
        assert len(list(net.parameters())) == 3
        assert [name for name, _ in net.named_modules()] == ["", "0", "1", "3"]
        assert [name for name, _ in net.named_children()] == ["0", "1", "3"]
        assert len(net) == 4

    def test_the_gradient_of_a_shared_layer_adds_up(self) -> None:
        layer = nn.Linear(1, 1, bias=False)
        layer.weight.data = np.array([[3.0]], np.float32)
        nn.Sequential(layer, layer)(tensor([[2.0]])).backward()
        assert layer.weight.grad.item() == 2 * 3 * 2  # y = 2 w^2


class TestModes:
    def test_train_and_eval_reach_every_part(self) -> None:
        net = nn.Sequential(Net(), nn.Dropout(0.5))
        assert all(module.training for module in net.modules())
        assert net.eval() is net
        assert not any(module.training for module in net.modules())
        assert net.train() is net
        assert all(module.training for module in net.modules())

    def test_a_part_may_refuse_to_train(self) -> None:
        class Fixed(nn.BatchNorm1d):
            def train(self, mode: bool = True) -> "Fixed":
                return super().train(False)

        net = nn.Sequential(Fixed(2), nn.ReLU()).train()
        assert [module.training for module in net] == [False, True]

    def test_frozen_parameters_get_no_gradient_and_drop_theirs(self) -> None:
        net = Net()
        x = tensor(np.random.default_rng(0).standard_normal((4, 2)).astype(np.float32))
        net(x).sum().backward()
        assert net.layer.freeze() is net.layer
        assert net.layer.weight.grad is None
        net.zero_grad()
        assert net.scale.grad is None
        net(x).sum().backward()
        assert net.layer.weight.grad is None
        assert net.scale.grad is not None
        net.layer.unfreeze()
        net(x).sum().backward()
        assert net.layer.weight.grad is not None

    def test_astype_converts_floats_and_keeps_sharing(self) -> None:
        net = nn.Sequential(Net(), nn.Linear(3, 3), nn.Linear(3, 3))
        net[2].weight = net[1].weight
        net[1].freeze()
        assert net.astype(np.float64) is net
        assert all(parameter.dtype == np.float64 for parameter in net.parameters())
        assert net[1].weight is net[2].weight
        assert not net[1].weight.requires_grad
        assert net[0].norm.running_mean.dtype == np.float64
        assert net[0].norm.num_batches_tracked.dtype == np.int64
        with pytest.raises(DtypeError, match="floating-point"):
            net.astype(np.int32)

    def test_a_deep_copy_is_independent_and_keeps_sharing(self) -> None:
        net = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
        net[1].weight = net[0].weight
        twin = copy.deepcopy(net)
        assert twin[0].weight is twin[1].weight
        twin[0].weight.data = np.zeros((2, 2), np.float32)
        assert net[0].weight.data.any()
        with pytest.raises(AttributeError, match="no attribute"):
            twin.typo = 1


class TestCalls:
    def test_a_module_without_forward(self) -> None:
        with pytest.raises(NotImplementedError, match=r"Module has no forward\(\)"):
            nn.Module()(tensor([1.0]))

    def test_an_error_notes_the_way_to_the_layer(self) -> None:
        net = nn.Sequential(nn.ReLU(), nn.Sequential(nn.Conv2d(3, 8, 3)))
        with pytest.raises(ShapeError) as caught:
            net(tensor(np.zeros((1, 4, 8, 8), np.float32)))
        assert caught.value.__notes__ == ["in Conv2d(3, 8, kernel_size=3)", "in Sequential", "in Sequential"]

    def test_repr_is_a_nested_outline(self) -> None:
        assert repr(nn.Sequential(nn.Linear(2, 3, bias=False), nn.Sequential(nn.ReLU()))) == (
            "Sequential(\n  (0): Linear(2, 3, bias=False)\n  (1): Sequential(\n    (0): ReLU()\n  )\n)"
        )

    def test_repr_shows_settings_above_parts(self) -> None:
        class Named(nn.Module):
            def __init__(self) -> None:
                super().__init__()
                self.part = nn.ReLU()

            def extra_repr(self) -> str:
                return "depth=1"

        assert repr(Named()) == "Named(\n  depth=1\n  (part): ReLU()\n)"


def test_parameter() -> None:
    values = np.arange(3, dtype=np.float32)
    parameter = nn.Parameter(values)
    values[0] = 9
    assert parameter.requires_grad
    assert parameter.is_leaf
    assert list(parameter.data) == [0, 1, 2]
    assert repr(parameter) == "Parameter(shape=(3,), dtype=float32, requires_grad=True)"
    assert not nn.Parameter(values, requires_grad=False).requires_grad
    with pytest.raises(DtypeError, match="floating"):
        nn.Parameter(np.arange(3))
