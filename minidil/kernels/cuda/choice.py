"""Which version of a kernel runs, where there are two."""

from __future__ import annotations

from contextvars import ContextVar
from types import TracebackType

from minidil.errors import OptionError

VERSIONS = ("fast", "readable")
_chosen: ContextVar[str] = ContextVar("minidil_cuda_version", default="fast")


class kernel_version:
    """Run the "readable" products and convolutions, for the rest of the context; as `with kernel_version(...):` for a block only.

    "fast", the default, are the generated ones that keep a piece of the result in registers.
    Raises: OptionError for another name.
    """

    def __init__(self, name: str) -> None:
        if name not in VERSIONS:
            raise OptionError(f"kernel_version: {name!r} is none of {', '.join(map(repr, VERSIONS))}")
        self._token = _chosen.set(name)

    def __enter__(self) -> kernel_version:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        _chosen.reset(self._token)


def readable() -> bool:
    """Whether the readable version is wanted."""
    return _chosen.get() == "readable"
