"""Numba kernels for processors with several cores; what is not here, the backend takes from the reference.

They work channels-last: with the channel axis contiguous, every tap of a window copies or combines a whole vector of channels,
which the compiler turns into full-width SIMD. Results are returned as (N, C, *S) views of channels-last arrays, and NumPy's
elementwise functions keep the order of what they get, so it carries itself through a network.
The compiled loops are serial and release the interpreter lock; `run_sliced` gives each thread its part. That leaves room for a
call to BLAS between two loops, and such loops can be cached on disk; Numba's own parallel loops with a BLAS call inside cannot.
"""

from minidil.kernels.cpu.channel import (
    channel_affine,
    channel_combine,
    channel_dots,
    channel_moments,
    channel_slope_dots,
)
from minidil.kernels.cpu.conv import conv_forward, conv_grad_input, conv_grad_weight
from minidil.kernels.cpu.elementwise import erf, gelu, gelu_grad, relu, relu_grad
from minidil.kernels.cpu.linear import matmul
from minidil.kernels.cpu.logits import cross_entropy, cross_entropy_grad, log_softmax, softmax
from minidil.kernels.cpu.pool import max_pool, max_pool_grad
from minidil.kernels.cpu.update import adam_update, adamw_update, sgd_update, square_sum

__all__ = [
    "adam_update",
    "adamw_update",
    "channel_affine",
    "channel_combine",
    "channel_dots",
    "channel_moments",
    "channel_slope_dots",
    "conv_forward",
    "conv_grad_input",
    "conv_grad_weight",
    "cross_entropy",
    "cross_entropy_grad",
    "erf",
    "gelu",
    "gelu_grad",
    "log_softmax",
    "matmul",
    "max_pool",
    "max_pool_grad",
    "relu",
    "relu_grad",
    "sgd_update",
    "softmax",
    "square_sum",
]
