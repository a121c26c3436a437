"""Which version of a kernel runs, where there are several."""

from contextvars import ContextVar
from typing import TypeVar

from minidil.kernels.choice import Choice

T = TypeVar("T")


class kernel_version(Choice):
    """Run a version of products and convolutions, for the rest of the context; as `with kernel_version(...):` for a block only.

    name: "naive", "coalesced", "tiled", "registers" or "fast", the default; `gemm` says what each is. A kernel that has no such
        version runs the one before it.
    Raises: OptionError for another name.
    """

    names = ("naive", "coalesced", "tiled", "registers", "fast")  # each with one idea more than the one before
    variable = ContextVar("minidil_cuda_version", default="fast")


def rung(versions: dict[str, T]) -> T:
    """The chosen one of these versions of a kernel, or the last one before it."""
    names = kernel_version.names
    return next(
        versions[name] for name in reversed(names[: names.index(kernel_version.chosen()) + 1]) if name in versions
    )
