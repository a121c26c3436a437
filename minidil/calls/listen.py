"""Listening to the functions of tensors: every call within a block, with what it took and what it gave."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, TypeAlias

Listener: TypeAlias = Callable[[str, Sequence[Any], Mapping[str, Any], Any], object]
"""(op, operands, options, result) -> nothing that matters."""

listeners: ContextVar[tuple[Listener, ...]] = ContextVar("minidil_listeners", default=())


@contextmanager
def listening(listener: Listener) -> Iterator[None]:
    """Within the block, call listener(op, operands, options, result) after each call; options hold only what was given."""
    token = listeners.set((*listeners.get(), listener))
    try:
        yield
    finally:
        listeners.reset(token)
