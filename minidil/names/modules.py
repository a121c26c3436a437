"""What PyTorch's users import, modules and names: what is said where there is none of that name."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec
from types import ModuleType

from minidil.errors import NoSuchModuleError, NoSuchNameError
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
    "onnx": "minidil.deploy.to_onnx writes a network, minidil.deploy.from_onnx reads one",
    "jit": "there is nothing to compile: the kernels are",
    "vision": "data sets are in minidil.data, networks in minidil.models",
    "torchvision": "data sets are in minidil.data, networks in minidil.models",
}


class Finder:
    """The last of Python's finders of modules: it finds none, and says where in minidil PyTorch's module or name has gone.

    For `from room import name` Python asks room.__getattr__, then the finders, and then forgets what either said of the name,
    unless it was said of another: hence name=room.
    """

    @staticmethod
    def find_spec(name: str, path: Sequence[str] | None = None, target: ModuleType | None = None) -> ModuleSpec | None:
        """None for the modules of others. Raises: NoSuchModuleError, a ModuleNotFoundError, for what is none of minidil's."""
        if not name.startswith("minidil."):
            return None
        room, _, word = name.rpartition(".")
        if said := MODULES.get(name.removeprefix("minidil.")):
            raise NoSuchModuleError(f"there is no {name}; {said}", name=room)
        try:
            getattr(sys.modules.get(room), word)
        except NoSuchNameError as error:
            raise NoSuchModuleError(str(error), name=room) from None
        except AttributeError:
            return None  # a room without PyTorch's names
        return None


def answer_imports() -> None:
    """Ask the Finder when all others have found nothing."""
    if Finder not in sys.meta_path:
        sys.meta_path.append(Finder)
