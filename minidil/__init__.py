"""minidil: a complete small deep-learning library about dilated convolution.

NumPy states every formula, Numba makes it fast, and every gradient stands below its derivation. docs/reading.md marks the
2,600 lines that are the library, in reading order.
"""

import sys
from typing import Any

from minidil import (
    analysis,
    data,
    deploy,
    detect,
    functional,
    models,
    nn,
    optim,
    parallel,
    schedule,
    testing,
    text,
    train,
    viz,
)
from minidil.creation import (
    arange,
    eye,
    full,
    full_like,
    linspace,
    ones,
    ones_like,
    rand,
    randint,
    randn,
    randperm,
    zeros,
    zeros_like,
)
from minidil.errors import MinidilError
from minidil.graph import is_grad_enabled, no_grad
from minidil.kernels.algorithm import conv_algorithm
from minidil.kernels.backend import backend, use
from minidil.kernels.threads import num_threads, set_num_threads
from minidil.names import lookup, modules
from minidil.random import seed
from minidil.storage import checkpoint
from minidil.tensor import Tensor, tensor
from minidil.twice import create_graph, grad

modules.answer_imports()

__version__ = "0.2.0"

__all__ = [
    "MinidilError",
    "Tensor",
    "analysis",
    "arange",
    "backend",
    "checkpoint",
    "conv_algorithm",
    "create_graph",
    "data",
    "deploy",
    "detect",
    "eye",
    "full",
    "full_like",
    "functional",
    "grad",
    "is_grad_enabled",
    "linspace",
    "models",
    "nn",
    "no_grad",
    "num_threads",
    "ones",
    "ones_like",
    "optim",
    "parallel",
    "rand",
    "randint",
    "randn",
    "randperm",
    "schedule",
    "seed",
    "set_num_threads",
    "tensor",
    "testing",
    "text",
    "train",
    "use",
    "viz",
    "zeros",
    "zeros_like",
]


def __getattr__(name: str) -> Any:
    """`check`, which few programs need; or PyTorch's name for one of these, or for a function of tensors."""
    if name == "check":
        from minidil.classroom import check

        return check
    return lookup.of_room("minidil", name, sys.modules[__name__], functional)
