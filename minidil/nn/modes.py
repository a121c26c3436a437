"""Looking at a model in evaluation mode, and leaving it as it was."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from minidil.nn.protocol import ModuleLike


@contextmanager
def evaluating(model: ModuleLike) -> Iterator[None]:
    """Within the block the model is in evaluation mode; after it each of its modules is in the one that it was in before."""
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        yield
    finally:
        for module, mode in modes:
            module.training = mode
