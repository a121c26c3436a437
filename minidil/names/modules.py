"""Modules that PyTorch's users import: what is said where there is none of that name."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec
from types import ModuleType

from minidil.errors import NoSuchModuleError
from minidil.names.of_layers import UTILITIES
from minidil.names.of_package import HINTS

_DATA = "data sets and loaders are in minidil.data: from minidil.data import DataLoader, TensorDataset"
MODULES = {
    "nn.functional": "functions are in minidil.functional: import minidil.functional as F",
    "nn.modules": "layers are in minidil.nn",
    "nn.utils": "clip_grad_norm is in minidil.optim; parameters are vectors with functional.concatenate",
    "nn.utils.rnn": UTILITIES["rnn"],
    "nn.parallel": "use minidil.parallel",
    "optim.lr_scheduler": "learning rates over time are in minidil.schedule: Step, Cosine, OneCycle, Triangular, Warmup",
    "utils": _DATA,
    "utils.data": _DATA,
    "utils.data.dataset": _DATA,
    "utils.data.dataloader": _DATA,
    "utils.checkpoint": "every operation keeps what its gradient needs; a smaller batch needs less memory",
    "utils.tensorboard": "a run folder has metrics.csv, and minidil plot draws it",
    "autograd": HINTS["autograd"],
    "cuda": HINTS["cuda"],
    "cuda.amp": "computing is done in float32 and float64",
    "amp": "computing is done in float32 and float64",
    "linalg": "np.linalg and scipy.linalg have it, for x.numpy()",
    "fft": "np.fft and scipy.fft have it, for x.numpy()",
    "distributions": "scipy.stats has them",
    "distributed": "use minidil.parallel",
    "multiprocessing": "there is one process",
    "onnx": "minidil.checkpoint.save writes arrays that any program can read",
    "jit": "there is nothing to compile: the kernels are",
    "vision": "data sets are in minidil.data, networks in minidil.models",
    "torchvision": "data sets are in minidil.data, networks in minidil.models",
}


class Finder:
    """The last of Python's finders of modules: it finds none, and says where in minidil PyTorch's module has gone."""

    @staticmethod
    def find_spec(name: str, path: Sequence[str] | None = None, target: ModuleType | None = None) -> ModuleSpec | None:
        """None for the modules of others. Raises: NoSuchModuleError, a ModuleNotFoundError, for one of PyTorch's."""
        package, _, module = name.partition(".")
        if package == "minidil" and module in MODULES:
            raise NoSuchModuleError(f"there is no {name}; {MODULES[module]}", name=name)
        return None


def answer_imports() -> None:
    """Ask the Finder when all others have found nothing."""
    if Finder not in sys.meta_path:
        sys.meta_path.append(Finder)
