"""Running sums of each block (Hillis and Steele 1986)."""

import numpy as np

from minidil.array import Array
from minidil.classroom.chapters.gpu.arrays import UNGUARDED, empty, floats, pieces
from minidil.classroom.exercise import Exercise
from minidil.classroom.kernel_text import Text
from minidil.classroom.kernels import KernelCheck, KernelMistake


def _scan(x: Array, exclusive: bool = False, behind: bool = False) -> Array:
    """The running sums of each 128 numbers; exclusive: without the number itself; behind: with the guard `t > step`."""
    made = []
    for start in range(0, x.size, 128):
        piece = x[start : start + 128].copy()
        step = 1
        while step < 128:
            first = step + 1 if behind else step
            moved = np.zeros_like(piece)
            moved[first:] = piece[first - step : max(piece.size - step, 0)]
            piece = piece + moved
            step *= 2
        made.append(piece - x[start : start + 128] if exclusive else piece)
    return np.concatenate(made)


KERNEL = Text(
    """
def block_scan(x, out):
    part = cuda.shared.array(128, float32)
    t, i = cuda.threadIdx.x, cuda.grid(1)
    part[t] = x[i] if i < x.size else float32(0)
    cuda.syncthreads()
    step = 1
    while step < 128:
        left = part[t - step] if t >= step else float32(0)
        cuda.syncthreads()  # all have read
        part[t] += left
        cuda.syncthreads()  # all have written
        step *= 2
    if i < out.size:
        out[i] = part[t]
"""
)
CHECK = KernelCheck(
    arguments=lambda draw, n: {"x": floats(draw, n), "out": empty(n)},
    grid=lambda case: (pieces(case["x"].size, 128),),
    block=(128,),
    output="out",
    edges={"one element": (1,), "two": (2,), "a full block": (128,), "a block and one element": (129,)},
    sizes=lambda draw: (draw.integer(3, 300),),
    counted=(512,),
    least=lambda x, out: 8 * x.size,
    best="x read once and out written once",
)
EXERCISE = Exercise(
    name="ex10_4",
    title="Running sums",
    function="block_scan",
    signature="block_scan(x, out)",
    check=CHECK,
    cases=CHECK.cases,
    expected=lambda x, out: _scan(x),
    hints=(
        "First let every thread add its left neighbour. Each place then holds a sum of two; let it add the place two "
        "to the left, then four, then eight: after seven rounds all 128 are in.",
        "In a round all threads read before any of them writes, or some read what is new already. So a round has two "
        "barriers: one between reading and writing, and one after writing.",
        "`left = part[t - step] if t >= step else float32(0)`, barrier, `part[t] += left`, barrier, `step *= 2`. The "
        "barriers stand outside of any condition, and thread 0 adds nothing from the left.",
    ),
    mistakes=(
        KernelMistake(
            "barriers inside of the `if`",
            KERNEL.instead(
                "        left = part[t - step] if t >= step else float32(0)\n"
                "        cuda.syncthreads()  # all have read\n"
                "        part[t] += left\n",
                "        if t >= step:\n"
                "            left = part[t - step]\n"
                "            cuda.syncthreads()\n"
                "            part[t] += left\n",
            ),
            "All threads of the block must come to the same barrier, also those that have no left neighbour to add. "
            "Read inside of the condition, wait outside of it.",
            kinds=("divergent barrier", "exited threads"),
        ),
        KernelMistake(
            "no barrier between bringing the numbers and adding them",
            KERNEL.instead("else float32(0)\n    cuda.syncthreads()\n", "else float32(0)\n"),
            "In the first round a thread reads a number that its left neighbour brings into shared memory. All must be there "
            "before anybody adds.",
            kinds=("race",),
            told=r"x\[|= (float32\()?0",
        ),
        KernelMistake(
            "a barrier is missing in the round",
            KERNEL.instead("        cuda.syncthreads()  # all have read\n", ""),
            "Nobody may write before all have read, and nobody may read in the next round before all have written: a round "
            "has two barriers.",
            kinds=("race",),
        ),
        KernelMistake(
            "no guard on the left",
            KERNEL.instead("part[t - step] if t >= step else float32(0)", "part[t - step]"),
            "Thread 0 has no left neighbour. An index below zero counts from the end, as in Python, so that it adds "
            "the last number instead.",
            kinds=("negative index", "out of bounds"),
            told="index -",
        ),
        KernelMistake(
            "no guard at the end of the array",
            KERNEL.instead("x[i] if i < x.size else float32(0)", "x[i]"),
            UNGUARDED,
            kinds=("out of bounds",),
        ),
        KernelMistake(
            "an exclusive scan",
            KERNEL.instead("out[i] = part[t]", "out[i] = part[t] - x[i]"),
            "out[i] is asked for as the sum up to and with x[i]; this is the sum up to x[i - 1].",
            values=lambda x, out: _scan(x, exclusive=True),
        ),
        KernelMistake(
            "a guard that leaves out one thread",
            KERNEL.instead("t >= step", "t > step"),
            "The thread whose number is `step` has a left neighbour at that distance: number 0.",
            values=lambda x, out: _scan(x, behind=True),
        ),
    ),
    points=3,
    minutes=25,
    forbidden=("minidil.classroom.chapters.gpu.block_scan.KERNEL",),
)
