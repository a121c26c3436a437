"""A stencil of three with a halo."""

import numpy as np

from minidil.array import Array
from minidil.classroom.chapters.gpu.arrays import UNGUARDED, empty, floats, pieces
from minidil.classroom.exercise import Exercise
from minidil.classroom.kernel_text import Text
from minidil.classroom.kernels import KernelCheck, KernelMistake


def _smoothed(x: Array) -> Array:
    wide = np.pad(x, 1)
    return wide[:-2] + 2 * wide[1:-1] + wide[2:]


KERNEL = Text(
    """
def smooth(x, out):
    tile = cuda.shared.array(66, float32)
    t, i = cuda.threadIdx.x, cuda.grid(1)
    tile[t + 1] = x[i] if i < x.size else float32(0)
    if t == 0:
        tile[0] = x[i - 1] if i > 0 else float32(0)
    if t == 63:
        tile[65] = x[i + 1] if i + 1 < x.size else float32(0)
    cuda.syncthreads()
    if i < out.size:
        out[i] = tile[t] + tile[t + 1] + tile[t + 1] + tile[t + 2]
"""
)
HALO = """    if t == 0:
        tile[0] = x[i - 1] if i > 0 else float32(0)
    if t == 63:
        tile[65] = x[i + 1] if i + 1 < x.size else float32(0)
"""
CHECK = KernelCheck(
    arguments=lambda draw, n: {"x": floats(draw, n), "out": empty(n)},
    grid=lambda case: (pieces(case["x"].size, 64),),
    block=(64,),
    output="out",
    edges={"one element": (1,), "a full block": (64,), "a block and one element": (65,), "many": (200,)},
    sizes=lambda draw: (draw.integer(2, 300),),
    counted=(1024,),
    least=lambda x, out: 8 * x.size + 64 * (pieces(x.size, 64) - 1),
    best="x read once and out written once, and 32 bytes on each side of a block",
    slack=1.15,
)
EXERCISE = Exercise(
    name="ex10_6",
    title="Smoothing, with a halo",
    function="smooth",
    signature="smooth(x, out)",
    check=CHECK,
    cases=CHECK.cases,
    expected=lambda x, out: _smoothed(x),
    hints=(
        "Three threads read each number of x. Bring the 64 numbers of the block into shared memory first, and one "
        "more on each side, the halo: a tile of 66.",
        "`tile[t + 1]` is the thread's own number. One thread brings `tile[0]`, another one `tile[65]`; where x has "
        "no such neighbour it is 0. Then a barrier.",
        "Thread 0 brings `x[i - 1]` if `i > 0`, thread 63 brings `x[i + 1]` if `i + 1 < x.size`. Threads beyond the "
        "end of x put a 0 into the tile, since their left neighbour reads it, and write nothing.",
    ),
    mistakes=(
        KernelMistake(
            "no barrier",
            KERNEL.instead("    cuda.syncthreads()\n", ""),
            "A thread reads what its neighbours bring. All must have brought theirs before anybody reads.",
            kinds=("race",),
            lacks="syncthreads",
        ),
        KernelMistake(
            "the halo is forgotten",
            KERNEL.instead(HALO, ""),
            "The first and the last thread of a block need a number that belongs to the block beside it. Nobody has "
            "brought it.",
            kinds=("uninitialised",),
        ),
        KernelMistake(
            "no guard on the left",
            KERNEL.instead("x[i - 1] if i > 0 else float32(0)", "x[i - 1]"),
            "x[0] has no left neighbour, and an index of -1 is the last element, as in Python.",
            kinds=("negative index",),
        ),
        KernelMistake(
            "a tile without room for the halo",
            KERNEL.instead("array(66,", "array(64,"),
            "64 numbers and one on each side are 66.",
            kinds=("out of bounds",),
            told="of 64 elements",
        ),
        KernelMistake(
            "no guard on the right",
            KERNEL.instead("x[i + 1] if i + 1 < x.size else float32(0)", "x[i + 1]"),
            UNGUARDED,
            kinds=("out of bounds",),
        ),
        KernelMistake(
            "each number is read three times",
            KERNEL.body(
                "    i = cuda.grid(1)\n"
                "    if i < out.size:\n"
                "        left = x[i - 1] if i > 0 else float32(0)\n"
                "        right = x[i + 1] if i + 1 < x.size else float32(0)\n"
                "        out[i] = left + x[i] + x[i] + right\n"
            ),
            "It is right, and without a cache it brings x three times. Let the block bring its numbers into shared "
            "memory once.",
            counts="again",
        ),
    ),
    points=3,
    minutes=25,
    forbidden=("minidil.classroom.chapters.gpu.smooth.KERNEL",),
)
