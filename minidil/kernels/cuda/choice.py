"""Which version of a kernel runs, where there are two."""

from contextvars import ContextVar

from minidil.kernels.choice import Choice


class kernel_version(Choice):
    """Run the "readable" products and convolutions, for the rest of the context; as `with kernel_version(...):` for a block only.

    "fast", the default, are the generated ones that keep a piece of the result in registers.
    Raises: OptionError for another name.
    """

    names = ("fast", "readable")
    variable = ContextVar("minidil_cuda_version", default="fast")


def readable() -> bool:
    """Whether the readable version is wanted."""
    return kernel_version.chosen() == "readable"
