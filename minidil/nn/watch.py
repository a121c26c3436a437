"""Looking into a model while it runs: every call of one of its modules, without changing the model."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from minidil.nn.module import Module

Callback: TypeAlias = "Callable[[str, Module, tuple[Any, ...], Any], object]"
Watcher: TypeAlias = "Callable[[Module, tuple[Any, ...], Any], object]"

_watchers: ContextVar[tuple[Watcher, ...]] = ContextVar("minidil_watchers", default=())


@contextmanager
def watch(model: Module, callback: Callback) -> Iterator[None]:
    """Within the block, call callback(name, module, inputs, output) after each forward of a module inside `model`.

    The order is that of the computation: a container is reported after what it contains. `name` is the one of
    `named_modules()`, "" for the model itself; `inputs` is the tuple of positional arguments. Watching may be nested.
    """
    names = {id(module): name for name, module in model.named_modules()}

    def report(module: Module, inputs: tuple[Any, ...], output: Any) -> None:
        if id(module) in names:
            callback(names[id(module)], module, inputs, output)

    token = _watchers.set((*_watchers.get(), report))
    try:
        yield
    finally:
        _watchers.reset(token)


def notify(module: Module, inputs: tuple[Any, ...], output: Any) -> None:
    """Tell everyone who watches that `module` has run."""
    for report in _watchers.get():
        report(module, inputs, output)
