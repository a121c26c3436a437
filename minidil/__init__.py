"""minidil: a complete small deep-learning library about dilated convolution.

NumPy states every formula, Numba makes it fast, and every gradient stands below its derivation. Start with `minidil.ops`.
"""

from minidil import data, functional, models, nn, optim, schedule, testing, train, viz
from minidil.errors import MinidilError
from minidil.graph import is_grad_enabled, no_grad
from minidil.kernels.algorithm import conv_algorithm
from minidil.kernels.backend import backend, use
from minidil.kernels.threads import num_threads, set_num_threads
from minidil.random import seed
from minidil.tensor import Tensor, tensor

__version__ = "0.1.0"

__all__ = [
    "MinidilError",
    "Tensor",
    "backend",
    "conv_algorithm",
    "data",
    "functional",
    "is_grad_enabled",
    "models",
    "nn",
    "no_grad",
    "num_threads",
    "optim",
    "schedule",
    "seed",
    "set_num_threads",
    "tensor",
    "testing",
    "train",
    "use",
    "viz",
]
