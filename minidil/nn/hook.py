"""Forward hooks: functions that are called before or after the forward of one module, and may replace what it takes or gives."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

Hook: TypeAlias = Callable[[Any, tuple[Any, ...], Any], Any]
"""(module, inputs, output) -> another output, or None."""

PreHook: TypeAlias = Callable[[Any, tuple[Any, ...]], Any]
"""(module, inputs) -> other inputs, or None."""


class Handle:
    """What registering a hook returns: `remove()` takes the hook away, and does nothing the second time."""

    def __init__(self, hooks: dict[int, Callable[..., Any]], hook: Callable[..., Any]) -> None:
        self._hooks = hooks
        self._key = max(hooks, default=-1) + 1
        hooks[self._key] = hook
        self._hook = hook

    def remove(self) -> None:
        """Do not call the hook any more."""
        if self._hooks.get(self._key) is self._hook:
            del self._hooks[self._key]


def before(module: object, hooks: dict[int, PreHook], inputs: tuple[Any, ...]) -> tuple[Any, ...]:
    """The inputs after all hooks: one that returns something other than None replaces them, a single one without a tuple."""
    for hook in list(hooks.values()):
        changed = hook(module, inputs)
        if changed is not None:
            inputs = changed if isinstance(changed, tuple) else (changed,)
    return inputs


def after(module: object, hooks: dict[int, Hook], inputs: tuple[Any, ...], output: Any) -> Any:
    """The output after all hooks: one that returns something other than None replaces it."""
    for hook in list(hooks.values()):
        changed = hook(module, inputs, output)
        output = output if changed is None else changed
    return output
