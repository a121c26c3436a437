"""Evaluation mode for a while."""

import pytest

from minidil import nn
from minidil.nn.modes import evaluating


def test_each_module_is_in_the_mode_it_was_in_before_even_after_an_error() -> None:
    model = nn.Sequential(nn.Dropout(0.5), nn.BatchNorm(2)).train()
    model[1].eval()

    def look() -> None:
        with evaluating(model):
            assert not any(module.training for module in model.modules())
            raise KeyError

    with pytest.raises(KeyError):
        look()
    assert [module.training for module in model.modules()] == [True, True, False]
