"""What the tiled products and convolutions end with, readable and generated ones alike."""

from __future__ import annotations

from minidil.kernels.cuda.grid import Array, inline
from minidil.kernels.cuda.seam import float32, uint32

SIDE = 16  # of the readable tiles
BIASED, RECTIFIED = 1, 2  # bits of `finish`


def finish_bits(bias: Array | None, relu: bool) -> int:
    """What is still to be done to a finished sum: add a bias, take max(y, 0)."""
    return (BIASED if bias is not None else 0) | (RECTIFIED if relu else 0)


@inline
def finished(total: float, bias: Array, i: int, finish: int) -> float:
    """The sum, plus bias[i], rectified, as far as it is wanted: fused, so that y is written once and never read."""
    if finish & uint32(BIASED):
        total += bias[i]
    if finish & uint32(RECTIFIED) and total < float32(0):
        total = float32(0)
    return total
