"""Which algorithm convolves, where a backend has more than one."""

from contextvars import ContextVar

from minidil.kernels.choice import Choice


class conv_algorithm(Choice):
    """Force "im2col", "direct" or "winograd" for the rest of the context, or as `with conv_algorithm(...):` for a block.

    "auto" chooses. "direct" reads the image where it lies, "im2col" makes columns of it; "winograd" saves multiplications.

    Only the Numba backend has a choice; the others convolve in one way whatever is set here.
    Raises: OptionError for an unknown name. A convolution that Winograd cannot do raises OptionError when it is forced.
    """

    names = ("auto", "im2col", "direct", "winograd")
    variable = ContextVar("minidil_conv_algorithm", default="auto")


chosen = conv_algorithm.chosen
