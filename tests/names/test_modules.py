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
        ("import minidil.autograd", r"minidil.grad\(y, \[x\]\)"),
        ("from minidil import autograd", r"minidil.grad\(y, \[x\]\)"),
        ("from minidil.nn import functional as F", "import minidil.functional as F"),
        ("from minidil import float32", "minidil has no 'float32'; number types are NumPy's: np.float32"),
        ("from minidil import Tensr", r"minidil has no 'Tensr' \(did you mean 'Tensor'\?\)"),
        (
            "from minidil.functional import relu, kl_div",
            "functional has no 'kl_div'; minidil leaves it out: few networks",
        ),
        ("from minidil.nn import PReLU", "nn has no 'PReLU'; minidil leaves it out"),
        ("from minidil.nn.init import xavier_uniform_", r"nn.init.glorot_uniform\(layer.weight.shape\)"),
        ("from minidil.optim import Adagrad", "optim has no 'Adagrad'; .* derive others from optim.Optimizer"),
        ("from minidil.data import random_split", "data has no 'random_split'; use minidil.data.split"),
        ("from minidil.data.transforms import Compose", "a DataLoader takes a tuple of them: transforms="),
        ("from minidil.schedule import StepLR", r"schedule has no 'StepLR'; .* Step\(optimizer, steps, gamma\)"),
    ],
)
def test_an_import_of_pytorchs_is_answered(line: str, said: str) -> None:
    with pytest.raises(NoSuchModuleError, match=said):
        exec(line)


def test_other_modules_are_none_of_its_business() -> None:
    with pytest.raises(ModuleNotFoundError, match=r"No module named 'minidil\.cli\.nosuch'"):
        importlib.import_module("minidil.cli.nosuch")
    with pytest.raises(ModuleNotFoundError, match="minidil has no 'nosuch'"):
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
