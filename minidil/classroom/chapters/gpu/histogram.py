"""A histogram with atomic operations."""

import numpy as np

from minidil.classroom.chapters.gpu.arrays import UNGUARDED
from minidil.classroom.exercise import Exercise
from minidil.classroom.kernel_text import Text
from minidil.classroom.kernels import KernelCheck, KernelMistake

KERNEL = Text(
    """
def histogram(x, out):
    bins = cuda.shared.array(64, int32)
    t = cuda.threadIdx.x
    if t < 64:
        bins[t] = 0
    cuda.syncthreads()  # all are zero
    for i in range(cuda.grid(1), x.size, cuda.gridsize(1)):
        cuda.atomic.add(bins, x[i], 1)
    cuda.syncthreads()  # all are counted
    if t < 64:
        cuda.atomic.add(out, t, bins[t])
"""
)
CHECK = KernelCheck(
    arguments=lambda draw, n: {
        "x": draw.labels(n, 64).astype(np.int32),
        "out": np.zeros(64, np.int32),
    },
    grid=lambda case: (4,),
    block=(128,),
    output="out",
    edges={"one number": (1,), "one for each thread": (512,), "one more than threads": (513,)},
    sizes=lambda draw: (draw.integer(2, 900),),
    counted=(4096,),
    least=lambda x, out: 4 * x.size + 4 * 4 * out.size,
    best="x read once and 64 bins added by each of 4 blocks",
    slack=1.1,
    conflicts=None,  # numbers whose bins share a bank meet there: that depends on x
)
EXERCISE = Exercise(
    name="ex10_5",
    title="Counting with atomics",
    function="histogram",
    signature="histogram(x, out)",
    check=CHECK,
    cases=CHECK.cases,
    expected=lambda x, out: np.bincount(x, minlength=64),
    hints=(
        "`bins[x[i]] += 1` reads, adds and writes, and other threads do the same meanwhile. `cuda.atomic.add(bins, "
        "x[i], 1)` does it without anybody in between.",
        "Count in 64 bins of shared memory first, those of the block, and add them to `out` at the end: 64 additions "
        "to global memory for each block, instead of one for each number.",
        "Three parts with a barrier between: 64 threads set the bins to 0; all count, in steps of "
        "`cuda.gridsize(1)`; 64 threads add their bin to `out`, atomically, since other blocks do so, too.",
    ),
    mistakes=(
        KernelMistake(
            "counted without an atomic operation",
            KERNEL.instead("cuda.atomic.add(bins, x[i], 1)", "bins[x[i]] += 1"),
            "Two threads that find the same number both read the bin, both add 1 to what they have read, and one of "
            "the two is lost.",
            kinds=("race",),
            told=r"\] \+= 1|\+ 1\b",
        ),
        KernelMistake(
            "added to `out` without an atomic operation",
            KERNEL.instead("cuda.atomic.add(out, t, bins[t])", "out[t] += bins[t]"),
            "Other blocks add to the same place, and nothing orders two blocks.",
            kinds=("race",),
            told=r"out\[",
        ),
        KernelMistake(
            "counted before the bins are zero",
            KERNEL.instead("    cuda.syncthreads()  # all are zero\n", ""),
            "The threads that set the bins to 0 may come later than those that count. A barrier is missing between "
            "the two.",
            kinds=("race",),
            told=r"= (int32\()?0",
        ),
        KernelMistake(
            "added to `out` before all have counted",
            KERNEL.instead("    cuda.syncthreads()  # all are counted\n", ""),
            "A thread hands on its bin while others still count in it. A barrier is missing between the two.",
            kinds=("race",),
            told="out",
        ),
        KernelMistake(
            "bins that do not begin at zero",
            KERNEL.instead("        bins[t] = 0\n", "        pass\n"),
            "Shared memory holds what the block before has left. Somebody must set the bins to 0.",
            kinds=("uninitialised",),
        ),
        KernelMistake(
            "no guard at the end of the array",
            KERNEL.instead(
                "    for i in range(cuda.grid(1), x.size, cuda.gridsize(1)):\n        cuda.atomic",
                "    for i in range(cuda.grid(1), max(x.size, 512), cuda.gridsize(1)):\n        cuda.atomic",
            ),
            UNGUARDED,
            kinds=("out of bounds",),
        ),
        KernelMistake(
            "counted in global memory",
            KERNEL.body(
                "    for i in range(cuda.grid(1), x.size, cuda.gridsize(1)):\n        cuda.atomic.add(out, x[i], 1)\n"
            ),
            "Every number costs an addition in global memory. Let each block count for itself in shared memory, and "
            "add its bins at the end.",
            counts="bytes",
        ),
    ),
    points=3,
    minutes=25,
    forbidden=("minidil.classroom.chapters.gpu.histogram.KERNEL",),
)
