"""A script for the emulator with three mistakes: run `python -m minidil.emulator` and see what is said about them."""

import numpy as np
from numba import cuda, float32


@cuda.jit
def blur(x, y):
    """The mean of each element and its neighbours."""
    i = cuda.grid(1)
    y[i] = (x[i - 1] + x[i] + x[i + 1]) / float32(3)  # what is left of the first element, and right of the last?


@cuda.jit
def total(x, out):
    """The sum of each block of 256."""
    part = cuda.shared.array(256, float32)
    t = cuda.threadIdx.x
    part[t] = x[cuda.grid(1)]
    half = 128
    while half > 0:
        if t < half:
            part[t] += part[t + half]  # which another thread wrote in the round before
        half //= 2
    if t == 0:
        out[cuda.blockIdx.x] = part[0]


def main():
    """Blur, add up, and print the sum."""
    x = np.ones(1000, np.float32)
    y = np.zeros_like(x)
    blur[1000 // 256, 256](x, y)  # how many threads are these?
    out = np.zeros(4, np.float32)
    total[4, 256](np.resize(y, 1024), out)
    print("sum:", out.sum())


main()
