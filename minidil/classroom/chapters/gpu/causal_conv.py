"""A causal dilated convolution."""

import numpy as np

from minidil.array import Array
from minidil.classroom.chapters.gpu.arrays import UNGUARDED, empty, floats, pieces
from minidil.classroom.exercise import Exercise
from minidil.classroom.kernel_text import Text
from minidil.classroom.kernels import KernelCheck, KernelMistake


def _causal(x: Array, w: Array, d: int, shift: int = 0) -> Array:
    """y[i] = sum_k w[k] x[i - (K - 1 - k) d - shift]."""
    y = np.zeros_like(x)
    for k, weight in enumerate(w):
        back = (w.size - 1 - k) * d + shift
        y[back:] += weight * x[: max(x.size - back, 0)]
    return y


KERNEL = Text(
    """
def causal_conv(x, w, y, d):
    i = cuda.grid(1)
    if i < y.size:
        total = float32(0)
        for k in range(w.size):
            source = i - (w.size - 1 - k) * d
            if source >= 0:
                total += w[k] * x[source]
        y[i] = total
"""
)
CHECK = KernelCheck(
    arguments=lambda draw, n, taps, d: {
        "x": floats(draw, n),
        "w": floats(draw, taps),
        "y": empty(n),
        "d": d,
    },
    grid=lambda case: (pieces(case["y"].size, 64),),
    block=(64,),
    output="y",
    edges={
        "one output": (1, 1, 1),
        "shorter than the reach": (5, 3, 4),
        "just the reach": (9, 3, 4),
        "no dilation": (65, 3, 1),
        "several blocks": (150, 4, 5),
    },
    sizes=lambda draw: (draw.integer(2, 150), draw.integer(1, 5), draw.integer(1, 8)),
    counted=(1024, 3, 4),
    least=lambda x, w, y, d: 4 * x.size + 4 * y.size,
    best="x read once and y written once",
    slack=3,  # each tap may read x by itself, from where no piece of memory begins
)
EXERCISE = Exercise(
    name="ex10_8",
    title="A causal dilated convolution",
    function="causal_conv",
    signature="causal_conv(x, w, y, d)",
    check=CHECK,
    cases=CHECK.cases,
    expected=lambda x, w, y, d: _causal(x, w, d),
    hints=(
        "The last tap belongs to the present, `x[i]`; the one before it to `d` steps earlier, `x[i - d]`. How far "
        "back is tap k of K?",
        "Tap k reads `x[i - (K - 1 - k) * d]`. What lies before the beginning counts as 0, and an index below zero "
        "is the other end of the array: it needs a guard.",
        "A thread for each output, `if i < y.size`; a total that begins as `float32(0)`; over all k the product, if "
        "its place in x is not below 0; at the end `y[i] = total`.",
    ),
    mistakes=(
        KernelMistake(
            "no guard at the beginning",
            KERNEL.instead("            if source >= 0:\n                total", "            total"),
            "Before the beginning of x there is nothing, and it counts as 0. An index below zero counts from the "
            "end, as in Python.",
            kinds=("negative index", "out of bounds"),
            told="index -",
        ),
        KernelMistake(
            "no guard at the end of the array",
            KERNEL.instead("    if i < y.size:\n", "    if i >= 0:\n"),
            UNGUARDED,
            kinds=("out of bounds",),
        ),
        KernelMistake(
            "a reach of K d instead of (K - 1) d",
            KERNEL.instead("(w.size - 1 - k) * d", "(w.size - k) * d"),
            "K taps have K - 1 gaps between them. The last tap reads the present, x[i].",
            values=lambda x, w, y, d: _causal(x, w, d, shift=d),
        ),
        KernelMistake(
            "the taps in reverse",
            KERNEL.instead("(w.size - 1 - k) * d", "k * d"),
            "w[0] belongs to the oldest number here, and w[K - 1] to the present one: as in all of minidil, the "
            "kernel is not flipped.",
            values=lambda x, w, y, d: _causal(x, w[::-1], d),
        ),
        KernelMistake(
            "without dilation",
            KERNEL.instead("(w.size - 1 - k) * d", "(w.size - 1 - k)"),
            "Two taps are d numbers apart.",
            values=lambda x, w, y, d: _causal(x, w, 1),
        ),
        KernelMistake(
            "`=` for `+=`",
            KERNEL.instead("total += w[k]", "total = w[k]"),
            "This is the product of the last tap alone: add the products, do not assign them.",
            values=lambda x, w, y, d: w[-1] * x,
        ),
    ),
    points=3,
    minutes=20,
    forbidden=("minidil.classroom.chapters.gpu.causal_conv.KERNEL",),
)
