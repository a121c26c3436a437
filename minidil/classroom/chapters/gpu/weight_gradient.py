"""The gradient of the weight of a dilated convolution of two axes."""

import numpy as np

from minidil.array import Array
from minidil.classroom.chapters.gpu.arrays import empty, floats
from minidil.classroom.draw import Draw
from minidil.classroom.exercise import Exercise
from minidil.classroom.kernel_text import Text
from minidil.classroom.kernels import Case, KernelCheck, KernelMistake


def _correlated(x: Array, grad: Array, taps: tuple[int, ...], d: int, since: int = 0) -> Array:
    """dw[a, b] = sum_ij grad[i, j] x[i + a d, j + b d], over the outputs from number `since` on."""
    made = np.zeros(taps, np.float32)
    rows, columns = grad.shape
    for a, b in np.ndindex(*taps):
        made[a, b] = (grad * x[a * d : a * d + rows, b * d : b * d + columns]).ravel()[since:].sum()
    return made


def _pair(draw: Draw, rows: int, columns: int, taps: int, d: int) -> Case:
    reach = d * (taps - 1)
    x = floats(draw, rows + reach, columns + reach)
    return {"x": x, "grad": floats(draw, rows, columns), "dw": empty(taps, taps), "d": d}


KERNEL = Text(
    """
def weight_gradient(x, grad, dw, d):
    part = cuda.shared.array(128, float32)
    t, a, b = cuda.threadIdx.x, cuda.blockIdx.y, cuda.blockIdx.x
    width = grad.shape[1]
    total = float32(0)
    for q in range(t, grad.size, 128):
        row, column = q // width, q % width
        total += grad[row, column] * x[row + a * d, column + b * d]
    part[t] = total
    cuda.syncthreads()  # all have summed
    half = 64
    while half > 0:
        if t < half:
            part[t] += part[t + half]
        cuda.syncthreads()  # all have added
        half //= 2
    if t == 0:
        dw[a, b] = part[0]
"""
)
TREE = """    part[t] = total
    cuda.syncthreads()  # all have summed
    half = 64
    while half > 0:
        if t < half:
            part[t] += part[t + half]
        cuda.syncthreads()  # all have added
        half //= 2
    if t == 0:
        dw[a, b] = part[0]
"""
CHECK = KernelCheck(
    arguments=_pair,
    grid=lambda case: (case["dw"].shape[1], case["dw"].shape[0]),
    block=(128,),
    output="dw",
    edges={
        "one output": (1, 1, 1, 1),
        "two outputs": (1, 2, 2, 2),
        "no dilation": (5, 6, 2, 1),
        "fewer outputs than threads": (7, 9, 3, 2),
        "more outputs than threads": (11, 20, 3, 3),
    },
    sizes=lambda draw: (draw.integer(1, 14), draw.integer(1, 20), draw.integer(1, 3), draw.integer(1, 4)),
    counted=(16, 32, 3, 2),
    least=lambda x, grad, dw, d: dw.size * (8 * grad.size + 32),
    best="for each tap grad once and as much of x, and 32 bytes for dw",
    slack=1.4,
)
EXERCISE = Exercise(
    name="ex10_10",
    title="The gradient of its weight",
    function="weight_gradient",
    signature="weight_gradient(x, grad, dw, d)",
    check=CHECK,
    cases=CHECK.cases,
    expected=lambda x, grad, dw, d: _correlated(x, grad, dw.shape, d),
    hints=(
        "A block computes one number of dw, the tap (a, b) = (cuda.blockIdx.y, cuda.blockIdx.x): a sum over all "
        "outputs. Its 128 threads share the outputs, and add their sums up as in `block_sums`.",
        "Count the outputs through: number q is row `q // width`, column `q % width` of grad. Thread t takes t, t + "
        "128, t + 256, ... and adds grad there times x at (row + a d, column + b d).",
        "Each thread puts its total into shared memory, also one that had no output (0); barrier; the tree with a "
        "barrier in each round; thread 0 writes `dw[a, b]`.",
    ),
    mistakes=(
        KernelMistake(
            "all threads add to dw at once",
            KERNEL.instead(
                TREE, "    if t == 0:\n        dw[a, b] = float32(0)\n    cuda.syncthreads()\n    dw[a, b] += total\n"
            ),
            "dw[a, b] += total reads, adds and writes, and 128 threads do so at once; most of their sums are lost. "
            "Let them add in a tree.",
            kinds=("race",),
            told=r"dw\[",
        ),
        KernelMistake(
            "no barrier between the threads' sums and the tree",
            KERNEL.instead("    cuda.syncthreads()  # all have summed\n", ""),
            "In the first round a thread reads the sum of another one. All must have put theirs into shared memory.",
            kinds=("race",),
            told=r"\] = \w+|grad\[",
        ),
        KernelMistake(
            "no barrier between the rounds",
            KERNEL.instead("        cuda.syncthreads()  # all have added\n", ""),
            "A thread reads what another thread wrote in the round before, and nothing says that it has done so "
            "already.",
            kinds=("race",),
            told=r"\w\[t[^]]*\+",
        ),
        KernelMistake(
            "the rest of the shared memory is left empty",
            KERNEL.instead("    part[t] = total\n", "    if t < grad.size:\n        part[t] = total\n"),
            "With fewer outputs than threads some have nothing to sum. Their place must hold a 0, for the tree adds "
            "it.",
            kinds=("uninitialised",),
        ),
        KernelMistake(
            "`=` for `+=`",
            KERNEL.instead("total += grad", "total = grad"),
            "With more outputs than threads a thread has several, and this keeps the last of its products alone.",
            values=lambda x, grad, dw, d: _correlated(x, grad, dw.shape, d, since=max(0, grad.size - 128)),
        ),
        KernelMistake(
            "without dilation",
            KERNEL.instead("x[row + a * d, column + b * d]", "x[row + a, column + b]"),
            "In the forward pass w[a, b] met x[i + a d, j + b d]; so it does here.",
            values=lambda x, grad, dw, d: _correlated(x, grad, dw.shape, 1),
        ),
        KernelMistake(
            "the two axes of dw are exchanged",
            KERNEL.instead(
                "t, a, b = cuda.threadIdx.x, cuda.blockIdx.y, cuda.blockIdx.x",
                "t, a, b = cuda.threadIdx.x, cuda.blockIdx.x, cuda.blockIdx.y",
            ).instead("dw[a, b] = part[0]", "dw[b, a] = part[0]"),
            "This is the transpose of the gradient: what is computed for the tap (a, b) belongs to dw[a, b].",
            values=lambda x, grad, dw, d: _correlated(x, grad, dw.shape, d).T,
        ),
        KernelMistake(
            "a piece of its own for each thread",
            KERNEL.instead(
                "    for q in range(t, grad.size, 128):\n",
                "    share = (grad.size + 127) // 128\n    for q in range(t * share, min(grad.size, t * share + share)):\n",
            ),
            "The threads of a warp then read numbers that lie a piece apart. Let neighbours read neighbours: from t "
            "on in steps of 128.",
            counts="scattered",
        ),
    ),
    points=5,
    minutes=45,
    forbidden=("minidil.classroom.chapters.gpu.weight_gradient.KERNEL",),
)
