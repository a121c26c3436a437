"""The seam between formulas and machines: which namespace of kernels is active.

An op asks `active()` for its kernels and never touches an array itself, so it is written once for every machine. A backend
is a chain of namespaces that is searched from the fastest to the reference: Numba speeds up what it is good at, and NumPy
defines, and serves, everything else. CUDA computes in another memory and so brings every kernel itself. What enters an op has
been placed by `place(x)`: x where this backend computes.
"""

from __future__ import annotations

from contextvars import ContextVar
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from types import ModuleType
from typing import TYPE_CHECKING, NoReturn, cast

from minidil.errors import BackendError
from minidil.kernels.choice import Choice
from minidil.kernels.contract import Kernels, offered

_MODULES = {
    "numpy": ("minidil.kernels.reference",),
    "numba": ("minidil.kernels.cpu", "minidil.kernels.reference"),
    "cuda": ("minidil.kernels.cuda.namespace",),
}
_active: ContextVar[Kernels | None] = ContextVar("minidil_backend", default=None)


class Backend:
    """The kernels of one backend as attributes, each from the first of its modules that has it: what `Kernels` declares."""

    def __init__(self, name: str, modules: tuple[str, ...]) -> None:
        self.name, self.hold = name, None
        vars(self).update(offered(*map(import_module, reversed(modules))))

    def __getattr__(self, kernel: str) -> NoReturn:
        raise BackendError(f"backend {self.name!r} has no kernel {kernel!r}")


class use(Choice):
    """Set the backend, "numpy", "numba" or "cuda", for the rest of the context; as `with use(...):` for a block only.

    A new thread starts with the default: Numba where it is installed, else NumPy. Tensors move to where they are used.
    Raises: BackendError if the backend is unknown or not installed; the active one then stays.
    """

    names = tuple(_MODULES)
    variable = _active

    @classmethod
    def found(cls, name: str) -> Kernels:
        if name not in cls.names:
            raise BackendError(f"unknown backend {name!r}; there are {', '.join(map(repr, cls.names))}")
        if name == "numba" and not find_spec("numba"):
            raise BackendError("backend 'numba' needs Numba (pip install numba); 'numpy' works without it")
        if name == "cuda":
            import_module("minidil.kernels.cuda.target").target()  # says what is missing
        return _kernels(name)


def active() -> Kernels:
    """The kernels of the active backend."""
    return _active.get() or _kernels(_default())


if TYPE_CHECKING:
    # Where each group is written, in NumPy and, where it pays, in Numba, which mypy compares with it. CUDA's files stand behind.
    import numpy as np

    from minidil.kernels import cpu, reference
    from minidil.kernels.contract import (
        Activations,
        Boxes,
        Convolution,
        Elementwise,
        Gathering,
        Losses,
        Movement,
        Normalisation,
        Pooling,
        Random,
        Recurrence,
        Resampling,
        RowNormalisation,
        Shapes,
        Updates,
    )

    elementwise_is_in: tuple[Elementwise, ModuleType] = np, cpu.elementwise  # cuda/elementwise.py
    activations_are_in: tuple[Activations, ModuleType] = reference.elementwise, cpu.elementwise  # cuda/elementwise.py
    # NumPy's types, from 2.5 on, know keepdims as True or as False and not as a bool
    reductions_are_in: ModuleType = np  # cuda/reduce.py
    movement_is_in: Movement = reference.movement  # cuda/copy.py, cuda/maps.py, cuda/namespace.py
    shapes_are_in: tuple[Shapes, ModuleType] = np, cpu.movement  # cuda/copy.py, cuda/namespace.py
    products_are_in: tuple[ModuleType, ...] = np, reference.linear, cpu.linear  # cuda/gemm.py, cuda/logarithm.py
    convolution_is_in: tuple[Convolution, Convolution] = reference.conv, cpu.conv  # cuda/conv.py, cuda/conv_weight.py
    pooling_is_in: tuple[Pooling, ModuleType] = reference.pool, cpu.pool  # cuda/pool.py
    normalisation_is_in: tuple[Normalisation, Normalisation] = reference.channel, cpu.channel  # cuda/channel.py
    row_normalisation_is_in: tuple[RowNormalisation, RowNormalisation] = reference.row, cpu.row  # cuda/row.py
    recurrence_is_in: tuple[Recurrence, Recurrence] = reference.recurrent, cpu.recurrent  # cuda/recurrent.py
    losses_are_in: tuple[Losses, Losses] = reference.logits, cpu.logits  # cuda/softmax.py, cuda/namespace.py
    gathering_is_in: tuple[Gathering, ModuleType] = reference.gather, cpu.gather  # cuda/gather.py, cuda/namespace.py
    resampling_is_in: tuple[Resampling, Resampling] = reference.mixing, cpu.mixing  # cuda/mixing.py
    boxes_are_in: tuple[Boxes, ModuleType] = reference.boxes, cpu.boxes  # reference/boxes.py
    random_is_in: Random = reference.random  # cuda/namespace.py
    updates_are_in: tuple[Updates, ModuleType] = reference.update, cpu.update  # cuda/update.py, cuda/reduce.py


def backend() -> str:
    """The name of the active backend."""
    return active().name


@cache
def _default() -> str:
    return "numba" if find_spec("numba") else "numpy"


@cache
def _kernels(name: str) -> Kernels:
    return cast(Kernels, Backend(name, _MODULES[name]))  # tests/kernels/test_py holds every backend to it
