"""Kernels: arrays in, arrays out, no autograd. `reference` defines every one of them; the other backends are faster.

`minidil.kernels.cuda` is found when it is first used: nothing else in the house imports it.
"""

from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING

if not TYPE_CHECKING:  # so that mypy still refuses a name that no file has

    def __getattr__(name: str) -> ModuleType:
        if name != "cuda":
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return import_module("minidil.kernels.cuda")
