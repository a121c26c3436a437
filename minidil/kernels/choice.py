"""A choice of the context: which of several implementations runs, until the block or the context ends.

There are three: `backend.use` chooses the backend, `algorithm.conv_algorithm` how the one in Numba convolves, and
`cuda.kernel_version` which version of a CUDA kernel runs.
"""

from __future__ import annotations

from contextvars import ContextVar
from types import TracebackType
from typing import Any, ClassVar, Self

from minidil.errors import OptionError


class Choice:
    """Derived classes are called like functions: `choice(name)` for the rest of the context, `with choice(name):` for a block.

    names:    what there is to choose from
    variable: holds what is chosen; a new thread starts with its default
    Raises: what `found` raises; the choice is then what it was.
    """

    names: ClassVar[tuple[str, ...]]
    variable: ClassVar[ContextVar[Any]]

    def __init__(self, name: str) -> None:
        self._token = self.variable.set(self.found(name))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.variable.reset(self._token)

    @classmethod
    def found(cls, name: str) -> Any:
        """What the name stands for, by default itself. Raises: OptionError if there is no such name."""
        if name not in cls.names:
            raise OptionError(f"{cls.__name__}: {name!r} is none of {', '.join(map(repr, cls.names))}")
        return name

    @classmethod
    def chosen(cls) -> Any:
        """What is chosen."""
        return cls.variable.get()
