"""The seam between formulas and machines: which namespace of kernels is active.

An op asks `active()` for its kernels and never touches an array itself, so it is written once for every machine. A backend
is a chain of namespaces that is searched from the fastest to the reference: Numba speeds up what it is good at, and NumPy
defines, and serves, everything else. CUDA computes in another memory and so brings every kernel itself.

Arrays move by one kernel, `place(x)`: x where this backend computes. What enters an op has been placed.
"""

from __future__ import annotations

from contextvars import ContextVar
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from typing import NoReturn, cast

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
        self.name = name
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
    kernels = _active.get()
    return _kernels(_default()) if kernels is None else kernels


def backend() -> str:
    """The name of the active backend."""
    return active().name


@cache
def _default() -> str:
    return "numba" if find_spec("numba") else "numpy"


@cache
def _kernels(name: str) -> Kernels:
    return cast(Kernels, Backend(name, _MODULES[name]))  # tests/kernels/test_contract.py holds every backend to it
