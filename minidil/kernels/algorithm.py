"""Which algorithm convolves, where a backend has more than one."""

from __future__ import annotations

from contextvars import ContextVar
from types import TracebackType

from minidil.errors import OptionError

ALGORITHMS = ("auto", "im2col", "winograd")
_chosen: ContextVar[str] = ContextVar("minidil_conv_algorithm", default="auto")


class conv_algorithm:
    """Force "im2col" or "winograd" for the rest of the context, or as `with conv_algorithm(...):` for a block; "auto" chooses.

    Only the Numba backend has a choice; the others convolve in one way whatever is set here.
    Raises: OptionError for an unknown name. A convolution that Winograd cannot do raises OptionError when it is forced.
    """

    def __init__(self, name: str) -> None:
        if name not in ALGORITHMS:
            raise OptionError(f"conv_algorithm: {name!r} is none of {', '.join(map(repr, ALGORITHMS))}")
        self._token = _chosen.set(name)

    def __enter__(self) -> conv_algorithm:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        _chosen.reset(self._token)


def chosen() -> str:
    """The name that is set."""
    return _chosen.get()
