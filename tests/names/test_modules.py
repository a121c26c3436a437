"""What an import of one of PyTorch's modules says."""

import importlib
import sys

import pytest

import minidil as md
from minidil.errors import NoSuchModuleError
from minidil.names.modules import MODULES, Finder


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("import minidil.nn.functional as F", "there is no minidil.nn.functional; .* import minidil.functional as F"),
        (
            "from minidil.utils.data import DataLoader",
            "there is no minidil.utils; .* from minidil.data import DataLoader",
        ),
        ("from minidil.optim.lr_scheduler import StepLR", "learning rates over time are in minidil.schedule: Step"),
        ("from minidil.nn.utils import clip_grad_norm_", "clip_grad_norm is in minidil.optim"),
        ("import minidil.autograd", "use tensor.backward"),
    ],
)
def test_an_import_of_pytorchs_module_is_answered(line: str, said: str) -> None:
    with pytest.raises(NoSuchModuleError, match=said):
        exec(line)


def test_other_modules_are_none_of_its_business() -> None:
    with pytest.raises(ModuleNotFoundError, match=r"No module named 'minidil\.nosuch'"):
        importlib.import_module("minidil.nosuch")
    assert Finder.find_spec("torch.nn.functional") is None
    assert sys.meta_path.count(Finder) == 1


@pytest.mark.parametrize("name", MODULES)
def test_nothing_is_said_of_a_module_that_exists(name: str) -> None:
    with pytest.raises(NoSuchModuleError):
        importlib.import_module(f"minidil.{name}")


def test_the_names_it_recommends_exist() -> None:
    assert md.data.DataLoader
    assert md.data.TensorDataset
    assert md.functional.concatenate
    for name in ("Step", "Cosine", "OneCycle", "Triangular", "Warmup"):
        assert hasattr(md.schedule, name)
