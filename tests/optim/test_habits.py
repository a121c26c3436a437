"""What optimizers and schedules say of themselves, and to whoever holds them wrongly."""

import numpy as np
import pytest

from minidil import nn, optim, schedule
from minidil.errors import OptionError


def test_an_option_set_on_the_optimizer_is_refused() -> None:
    optimizer = optim.SGD(nn.Linear(2, 1).parameters(), 0.1)
    with pytest.raises(OptionError, match=r"SGD: lr is an option of a group.*param_groups\[0\]\['lr'\] = -1"):
        optimizer.lr = -1
    with pytest.raises(OptionError, match="momentum is an option of a group"):
        optimizer.momentum = 0.9
    optimizer.note = "mine"
    assert optimizer.note == "mine"


def test_a_model_or_its_method_is_not_its_parameters() -> None:
    model = nn.Linear(2, 1)
    with pytest.raises(OptionError, match=r"SGD: params is a model: pass model.parameters\(\)"):
        optim.SGD(model, 0.1)
    with pytest.raises(OptionError, match=r"Adam: params is a method; call it: pass model.parameters\(\)"):
        optim.Adam(model.parameters)


def test_optimizers_show_their_options_and_size() -> None:
    model = nn.Linear(2, 1)
    assert repr(optim.RMSprop(model.parameters())) == (
        "RMSprop(lr=0.01, alpha=0.99, eps=1e-08, weight_decay=0.0, momentum=0.0, centered=False, 2 parameters, 3 numbers)"
    )
    groups = optim.Adam([{"params": [model.weight], "lr": 0.5}, {"params": [model.bias]}])
    assert repr(groups) == (
        "Adam(\n  betas=(0.9, 0.999), eps=1e-08, weight_decay=0.0\n"
        "  group 0: lr=0.5, 1 parameter, 2 numbers\n  group 1: lr=0.001, 1 parameter, 1 number\n)"
    )


def test_schedules_show_their_settings_and_place() -> None:
    optimizer = optim.SGD([nn.Parameter(np.zeros(1))], 0.1)
    plan = schedule.Step(optimizer, 2, gamma=0.5)
    assert repr(plan) == "Step(steps=2, gamma=0.5, 0 steps taken, lr now 0.1)"
    plan.step()
    plan.step()
    assert repr(plan) == "Step(steps=2, gamma=0.5, 2 steps taken, lr now 0.05)"
