"""Which version of a kernel runs, where there are several."""

from __future__ import annotations

from contextvars import ContextVar
from types import TracebackType
from typing import TypeVar

from minidil.errors import OptionError

T = TypeVar("T")
VERSIONS = ("naive", "coalesced", "tiled", "registers", "fast")  # each with one idea more than the one before
_chosen: ContextVar[str] = ContextVar("minidil_cuda_version", default="fast")


class kernel_version:
    """Run a version of products and convolutions, for the rest of the context; as `with kernel_version(...):` for a block only.

    name: "naive", "coalesced", "tiled", "registers" or "fast", the default; `gemm` says what each is. A kernel that has no such
        version runs the one before it.
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


def rung(versions: dict[str, T]) -> T:
    """The chosen one of these versions of a kernel, or the last one before it."""
    return next(versions[name] for name in reversed(VERSIONS[: VERSIONS.index(_chosen.get()) + 1]) if name in versions)
