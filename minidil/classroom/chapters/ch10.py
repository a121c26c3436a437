"""Chapter 10, CUDA: ten kernels for a GPU, without one.

Each is launched on the blocks that its notebook states. Its bound counts 32 bytes for each piece of global memory that a warp
touches, as if there were no cache.
"""

from minidil.classroom.chapters.gpu import (
    block_scan,
    block_sums,
    causal_conv,
    dilated_conv,
    histogram,
    matmul,
    smooth,
    transpose,
    vector_add,
    weight_gradient,
)

EXERCISES = (
    vector_add.EXERCISE,
    block_sums.EXERCISE,
    transpose.EXERCISE,
    block_scan.EXERCISE,
    histogram.EXERCISE,
    smooth.EXERCISE,
    matmul.EXERCISE,
    causal_conv.EXERCISE,
    dilated_conv.EXERCISE,
    weight_gradient.EXERCISE,
)
