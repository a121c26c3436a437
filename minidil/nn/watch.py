"""Looking into a model while it runs: every call of one of its modules, without changing the model."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, TypeAlias

from minidil.nn.protocol import ModuleLike

Callback: TypeAlias = Callable[[str, Any, tuple[Any, ...], Any], object]
"""(name, module, inputs, output) -> nothing that matters."""

Watcher: TypeAlias = Callable[[ModuleLike, tuple[Any, ...], Any], object]

_watchers: ContextVar[tuple[Watcher, ...]] = ContextVar("minidil_watchers", default=())


@contextmanager
def watch(model: ModuleLike, callback: Callback) -> Iterator[None]:
    """Within the block, call callback(name, module, inputs, output) after each forward of a module inside `model`.

    The order is that of the computation: a container is reported after what it contains. `name` is the one of
    `named_modules()`, "" for the model itself; `inputs` is the tuple of positional arguments. Watching may be nested.
    """
    names = {id(module): name for name, module in model.named_modules()}

    def report(module: ModuleLike, inputs: tuple[Any, ...], output: Any) -> None:
        if id(module) in names:
            callback(names[id(module)], module, inputs, output)

    token = _watchers.set((*_watchers.get(), report))
    try:
        yield
    finally:
        _watchers.reset(token)


def notify(module: ModuleLike, inputs: tuple[Any, ...], output: Any) -> None:
    """Tell everyone who watches that `module` has run."""
    for report in _watchers.get():
        report(module, inputs, output)


def anyone_watches() -> bool:
    """Whether modules are being watched."""
    return bool(_watchers.get())
