"""Kernels that are the active ones for a while, without a name."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from minidil.kernels.backend import use
from minidil.kernels.contract import Kernels


@contextmanager
def running(kernels: Kernels) -> Iterator[None]:
    """These kernels are what `active()` gives inside the block."""
    token = use.variable.set(kernels)
    try:
        yield
    finally:
        use.variable.reset(token)
