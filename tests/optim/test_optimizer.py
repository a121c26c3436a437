"""What all optimizers share: groups, skipping, state, and what happens to mistakes."""

import json
from typing import Any

import numpy as np
import pytest

import minidil.functional as F
from minidil import nn
from minidil.errors import CheckpointError, OptionError
from minidil.nn import Parameter
from minidil.optim import SGD, Adam, AdamW, Optimizer
from minidil.tensor import Tensor, tensor


def parameter(*values: float, grad: float | None = 1.0) -> Parameter:
    made = Parameter(np.array(values, np.float32))
    if grad is not None:
        made.grad = tensor(np.full(len(values), grad, np.float32))
    return made


class TestGroups:
    def test_options_of_a_group_override_the_defaults(self) -> None:
        a, b = parameter(1), parameter(1)
        optimizer = SGD([{"params": [a]}, {"params": b, "lr": 0.5}], lr=0.1)
        optimizer.step()
        assert a.item() == pytest.approx(0.9)
        assert b.item() == pytest.approx(0.5)
        assert [group["lr"] for group in optimizer.param_groups] == [0.1, 0.5]

    def test_an_iterator_is_enough(self) -> None:
        optimizer = SGD(nn.Linear(2, 2).parameters(), 0.1)
        assert [p.shape for p in optimizer.param_groups[0]["params"]] == [(2, 2), (2,)]

    def test_the_rate_may_change_between_steps_but_not_to_nonsense(self) -> None:
        a = parameter(1)
        optimizer = SGD([a], 0.1)
        optimizer.param_groups[0]["lr"] = 1.0
        optimizer.step()
        assert a.item() == 0
        optimizer.param_groups[0]["lr"] = -1.0
        with pytest.raises(OptionError, match="lr"):
            optimizer.step()
        assert a.item() == 0

    @pytest.mark.parametrize(
        ("params", "message"),
        [
            ([], "there are no parameters"),
            (parameter(1), r"write \[params\]"),
            ({"params": [parameter(1)]}, r"write \[params\]"),
            ([np.zeros(1)], "parameter 0 must be a tensor, not ndarray"),
            ([{"param": []}], 'group 0 must be a dict with "params"'),
            ([{"params": [parameter(1)]}, parameter(2)], 'group 1 must be a dict with "params"'),
            (
                [{"params": [parameter(1)], "momentun": 0.9}],
                "unknown option 'momentun' in group 0; did you mean 'momentum'",
            ),
            ([{"params": [parameter(1)], "qqq": 0.9}], "there are lr, momentum, dampening, weight_decay, nesterov"),
            ([{"params": [parameter(1)], "lr": -0.9}], "lr must be"),
            ([F.add(parameter(1), 1)], "was computed from others; only leaves move"),
        ],
    )
    def test_mistakes(self, params: Any, message: str) -> None:
        with pytest.raises(OptionError, match=message):
            SGD(params, 0.1)

    def test_a_parameter_in_two_groups(self) -> None:
        a = parameter(1)
        with pytest.raises(OptionError, match=r"parameter 1 \(1,\) occurs twice"):
            SGD([{"params": [a]}, {"params": [a]}], 0.1)

    def test_a_used_up_iterator(self) -> None:
        parameters = nn.Linear(1, 1).parameters()
        SGD(parameters, 0.1)
        with pytest.raises(OptionError, match="used up before"):
            SGD(parameters, 0.1)


@pytest.mark.parametrize("kind", [SGD, Adam, AdamW])
class TestSteps:
    def test_parameters_without_a_gradient_stay(self, kind: type[Optimizer]) -> None:
        a, b = parameter(1), parameter(1, grad=None)
        optimizer = kind([a, b], lr=0.1, weight_decay=0.5)
        optimizer.step()
        assert a.item() < 1
        assert b.item() == 1
        assert optimizer.state_dict()["state"][1] == {}

    def test_nothing_is_written_into(self, kind: type[Optimizer]) -> None:
        a = parameter(2)
        x = tensor([3.0], requires_grad=True)
        y = F.multiply(x, a)
        before, grad = a.data, a.grad.data
        kind([a], lr=0.1).step()
        assert before[0] == 2
        assert grad[0] == 1
        y.backward()
        assert x.grad.item() == 2

    def test_zero_grad(self, kind: type[Optimizer]) -> None:
        a = parameter(2)
        optimizer = kind([a], lr=0.1)
        optimizer.zero_grad()
        assert a.grad is None
        optimizer.step()
        assert a.item() == 2

    def test_frozen_parameters_stay(self, kind: type[Optimizer]) -> None:
        model = nn.Sequential(nn.Linear(1, 1), nn.Linear(1, 1))
        optimizer = kind(model.parameters(), lr=0.1, weight_decay=0.1)
        x = tensor([[1.0]])
        model(x).sum().backward()
        optimizer.step()
        model[0].freeze()
        before = model.state_dict()
        model(x).sum().backward()
        optimizer.step()
        after = model.state_dict()
        assert [np.array_equal(before[name], after[name]) for name in after] == [True, True, False, False]


def run(optimizer: Optimizer, parameters: list[Tensor], seed: int, steps: int = 3) -> None:
    rng = np.random.default_rng(seed)
    for _ in range(steps):
        for p in parameters:
            p.grad = tensor(rng.standard_normal(p.shape).astype(np.float32))
        optimizer.step()


@pytest.mark.parametrize(
    ("kind", "options"),
    [(SGD, {}), (SGD, {"momentum": 0.9, "nesterov": True}), (Adam, {"betas": (0.5, 0.7)}), (AdamW, {})],
)
class TestState:
    def build(self, kind: type[Optimizer], options: dict[str, Any]) -> tuple[list[Tensor], Optimizer]:
        parameters = [parameter(1, 2), parameter(3), parameter(4)]
        groups = [{"params": parameters[:2]}, {"params": parameters[2:], "lr": 0.01}]
        return parameters, kind(groups, **{"lr": 0.1, **options})

    def test_it_continues_bit_for_bit(self, kind: type[Optimizer], options: dict[str, Any]) -> None:
        parameters, optimizer = self.build(kind, options)
        run(optimizer, parameters, seed=0)
        state, values = optimizer.state_dict(), [p.data.copy() for p in parameters]
        run(optimizer, parameters, seed=1)

        others, other = self.build(kind, options)
        for p, value in zip(others, values, strict=True):
            p.data = value
        other.load_state_dict(state)
        run(other, others, seed=1)
        assert [p.data.tobytes() for p in others] == [p.data.tobytes() for p in parameters]

    def test_it_is_plain_and_copied(self, kind: type[Optimizer], options: dict[str, Any]) -> None:
        parameters, optimizer = self.build(kind, options)
        run(optimizer, parameters, seed=0)
        state = optimizer.state_dict()
        assert list(state) == ["groups", "state"]
        assert [group["params"] for group in state["groups"]] == [2, 1]
        assert [group["lr"] for group in state["groups"]] == [0.1, 0.01]
        again = json.loads(json.dumps(state, default=lambda array: array.tolist()))
        assert again["groups"] == state["groups"]
        arrays = [value for entry in state["state"] for value in entry.values() if isinstance(value, np.ndarray)]
        for array in arrays:
            array[...] = 99
        fresh = [value for entry in optimizer.state_dict()["state"] for value in entry.values()]
        assert not any(np.any(value == 99) for value in fresh)

    def test_another_structure_is_refused(self, kind: type[Optimizer], options: dict[str, Any]) -> None:
        parameters, optimizer = self.build(kind, options)
        run(optimizer, parameters, seed=0)
        good = optimizer.state_dict()
        before = repr(good)
        for bad, message in [
            ({}, "lacks the structure"),
            ({"groups": 3, "state": []}, "lacks the structure"),
            ({**good, "groups": good["groups"][:1]}, r"groups have \[2\] parameters, the optimizer's \[2, 1\]"),
            ({**good, "state": good["state"][:2]}, "2 entries for 3 parameters"),
            (
                {**good, "groups": [{**group, "more": 1} for group in good["groups"]]},
                "group 0 has the options .*'more'",
            ),
        ]:
            with pytest.raises(CheckpointError, match=f"{kind.__name__}: this state .* {message}"):
                optimizer.load_state_dict(bad)
        assert repr(optimizer.state_dict()) == before


def test_wrong_arrays_are_all_listed_and_nothing_changes() -> None:
    parameters = [parameter(1, 2), parameter(3)]
    optimizer = Adam(parameters)
    run(optimizer, parameters, seed=0)
    state = optimizer.state_dict()
    before = repr(state)
    state["groups"][0]["lr"] = 5.0
    state["state"][0]["mean"] = np.zeros(3, np.float32)
    del state["state"][1]["square"]
    with pytest.raises(CheckpointError) as caught:
        optimizer.load_state_dict(state)
    assert "parameter 0 of shape (2,) has shape (3,) for mean" in str(caught.value)
    assert "parameter 1 of shape (1,) has nothing for square" in str(caught.value)
    assert repr(optimizer.state_dict()) == before


def test_the_base_class_says_what_is_missing() -> None:
    class Empty(Optimizer):
        def check(self, group: dict[str, Any]) -> None:
            """No options."""

    with pytest.raises(NotImplementedError, match=r"Empty has no update\(\)"):
        Empty([parameter(1)]).step()
