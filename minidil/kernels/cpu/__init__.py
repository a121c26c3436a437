"""Numba kernels for processors with several cores; what is not here, the backend takes from the reference.

They work channels-last: with the channel axis contiguous, every tap of a window copies or combines a whole vector of channels,
which the compiler turns into full-width SIMD. Results are returned as (N, C, *S) views of channels-last arrays, and NumPy's
elementwise functions keep the order of what they get, so it carries itself through a network.
The compiled loops are serial and release the interpreter lock; `run_sliced` gives each thread its part. That leaves room for a
call to BLAS between two loops, and such loops can be cached on disk; Numba's own parallel loops with a BLAS call inside cannot.
"""

from minidil.kernels.contract import offered
from minidil.kernels.cpu import (
    boxes,
    channel,
    conv,
    elementwise,
    gather,
    linear,
    logits,
    mixing,
    movement,
    pool,
    recurrent,
    row,
    update,
)

_offered = offered(
    boxes, channel, conv, elementwise, gather, linear, logits, mixing, movement, pool, recurrent, row, update
)
globals().update(_offered)
__all__ = list(_offered)
