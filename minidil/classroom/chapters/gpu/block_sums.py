"""A sum for each block, as a tree in shared memory."""

import numpy as np

from minidil.classroom.chapters.gpu.arrays import UNGUARDED, empty, floats, pieces
from minidil.classroom.draw import Draw
from minidil.classroom.exercise import Exercise
from minidil.classroom.kernel_text import Text
from minidil.classroom.kernels import Case, KernelCheck, KernelMistake


def _sums(draw: Draw, n: int) -> Case:
    return {"x": floats(draw, n), "out": empty(pieces(n, 128))}


KERNEL = Text(
    """
def block_sums(x, out):
    part = cuda.shared.array(128, float32)
    t, i = cuda.threadIdx.x, cuda.grid(1)
    part[t] = x[i] if i < x.size else float32(0)
    cuda.syncthreads()
    half = 64
    while half > 0:
        if t < half:
            part[t] += part[t + half]
        cuda.syncthreads()  # all have added
        half //= 2
    if t == 0:
        out[cuda.blockIdx.x] = part[0]
"""
)
ADDED = "        cuda.syncthreads()  # all have added\n"
CHECK = KernelCheck(
    arguments=_sums,
    grid=lambda case: (case["out"].size,),
    block=(128,),
    output="out",
    edges={"one element": (1,), "a full block": (128,), "a block and one element": (129,), "many": (500,)},
    sizes=lambda draw: (draw.integer(2, 600),),
    counted=(1024,),
    least=lambda x, out: 4 * x.size + 32 * out.size,
    best="x read once and 32 bytes written for each block",
)
EXERCISE = Exercise(
    name="ex10_2",
    title="The sum of each block, as a tree",
    function="block_sums",
    signature="block_sums(x, out)",
    check=CHECK,
    cases=CHECK.cases,
    expected=lambda x, out: np.add.reduceat(x, np.arange(0, x.size, 128)),
    hints=(
        "Bring the 128 numbers of the block into shared memory, a 0 where there is none. Then let 64 threads add the "
        "upper half to the lower one, 32 threads the upper half of that, and so on.",
        "Between two of these rounds stands a barrier, `cuda.syncthreads()`: what a thread reads in a round, another "
        "one wrote in the round before. All 128 threads must come to it, also those that add nothing.",
        "`half = 64`, then `while half > 0:` with `if t < half: part[t] += part[t + half]`, the barrier outside of "
        "the `if`, and `half //= 2`. In the end thread 0 writes `part[0]` to `out[cuda.blockIdx.x]`.",
    ),
    mistakes=(
        KernelMistake(
            "a barrier inside of the `if`",
            KERNEL.instead(
                "            part[t] += part[t + half]\n" + ADDED,
                "            part[t] += part[t + half]\n            cuda.syncthreads()\n",
            ),
            "All threads of the block must come to the same barrier, also those that have nothing to add. Take it "
            "out of the condition, and leave only the work inside.",
            kinds=("exited threads", "divergent barrier"),
        ),
        KernelMistake(
            "no barrier between bringing the numbers and adding them",
            KERNEL.instead("else float32(0)\n    cuda.syncthreads()\n", "else float32(0)\n"),
            "In the first round a thread reads a number that another thread brings into shared memory. All must be "
            "there before anybody adds.",
            kinds=("race",),
            told=r"x\[|= (float32\()?0",
        ),
        KernelMistake(
            "no barrier between the rounds",
            KERNEL.instead(ADDED, ""),
            "A thread reads what another thread wrote in the round before, and nothing says that it has done so "
            "already. One barrier is needed in each round.",
            kinds=("race",),
            told=r"\[[^]]*\+",
        ),
        KernelMistake(
            "no guard at the end of the array",
            KERNEL.instead("x[i] if i < x.size else float32(0)", "x[i]"),
            UNGUARDED,
            kinds=("out of bounds",),
        ),
        KernelMistake(
            "the rest of the last block is left empty",
            KERNEL.instead(
                "    part[t] = x[i] if i < x.size else float32(0)", "    if i < x.size:\n        part[t] = x[i]"
            ),
            "Shared memory does not begin with zeros. Threads beyond the end of x must put something there that a "
            "sum does not notice.",
            kinds=("uninitialised",),
        ),
        KernelMistake(
            "neighbours are added first, so that those who add lie ever further apart",
            KERNEL.instead(
                "    half = 64\n    while half > 0:\n        if t < half:\n",
                "    half = 1\n    while half < 128:\n        if 2 * half * t < 128:\n",
            )
            .instead("part[t] += part[t + half]", "part[2 * half * t] += part[2 * half * t + half]")
            .instead("half //= 2", "half *= 2"),
            "In round r the threads of a warp read numbers that are 2^r apart, several in one bank. Let them read "
            "neighbours: add the upper half to the lower one.",
            counts="conflicts",
        ),
    ),
    points=3,
    minutes=20,
    forbidden=("minidil.classroom.chapters.gpu.block_sums.KERNEL",),
)
